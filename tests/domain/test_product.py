"""Products: what events say of them, and what may be shown of them in a message that sells."""

from __future__ import annotations

import pytest

from shopflow.domain.product import IfSoldOut, after, can_be_bought, promoted

LAMP = {"sku": "lamp", "name": "Lamp", "price": 90.0, "currency": "EUR", "in_stock": True}
GONE = {"sku": "gone", "name": "Old lamp", "in_stock": False, "substitutes": ["rare", "lamp"]}
SHOP = {"lamp": LAMP, "gone": GONE, "rare": {"in_stock": False}, "lone": {"in_stock": False}}


@pytest.mark.parametrize(
    ("event_type", "data", "known", "wanted"),
    [
        ("product.sold_out", {}, {"stock": 3}, {"in_stock": False, "stock": 0}),
        ("product.restocked", {}, {"in_stock": False, "stock": 0}, {"in_stock": True}),
        ("product.restocked", {"stock": 4}, {}, {"in_stock": True, "stock": 4}),
        ("product.withdrawn", {}, None, {"in_stock": False}),
        ("product.price_dropped", {"price": 5}, {"price": 7}, {"price": 5}),
        ("product.updated", {"stock": 0}, {"in_stock": True}, {"in_stock": False, "stock": 0}),
        ("product.updated", {"stock": 2}, {}, {"in_stock": True, "stock": 2}),
        ("product.updated", {"in_stock": False}, {}, {"in_stock": False}),
        ("product.published", {"name": "Lamp"}, None, {"name": "Lamp"}),
    ],
)
def test_an_event_changes_what_it_speaks_of(event_type, data, known, wanted):
    assert after(event_type, {"sku": "a", **data}, known) == {"sku": "a", **wanted}


@pytest.mark.parametrize(
    ("event_type", "data"), [("product.viewed", {"sku": "a"}), ("product.updated", {})]
)
def test_other_events_change_no_product(event_type, data):
    assert after(event_type, data, None) is None


def test_what_the_catalogue_does_not_know_can_be_bought():
    assert can_be_bought(None)
    assert can_be_bought({})
    assert not can_be_bought({"stock": 0})


def item(sku, **more):
    return {"sku": sku, "name": sku.title(), "quantity": 2, **more}


@pytest.mark.parametrize("if_sold_out", IfSoldOut)
def test_what_can_be_bought_is_shown_at_todays_price(if_sold_out):
    [shown] = promoted([item("lamp", price=99.0)], if_sold_out, SHOP.get)
    assert shown == {"sku": "lamp", "name": "Lamp", "quantity": 2, "price": 90.0, "currency": "EUR"}


def test_a_price_in_other_money_stays_as_it_was():
    [shown] = promoted([item("lamp", price=99.0, currency="CHF")], IfSoldOut.DROP, SHOP.get)
    assert shown["price"] == 99.0


def test_a_substitute_takes_the_place_of_what_is_sold_out():
    [shown] = promoted([item("gone", price=5.0)], IfSoldOut.REPLACE, SHOP.get)
    assert shown == {
        "sku": "lamp",
        "name": "Lamp",
        "price": 90.0,
        "currency": "EUR",
        "quantity": 2,
        "replaces": "gone",
    }


@pytest.mark.parametrize(
    ("items", "if_sold_out", "wanted"),
    [
        (["lamp", "gone"], IfSoldOut.DROP, None),
        (["lamp", "gone"], IfSoldOut.LEAVE_OUT, ["lamp"]),
        (["lamp", "gone"], IfSoldOut.REPLACE, ["lamp", "lamp"]),
        (["lamp", "lone"], IfSoldOut.REPLACE, None),
        (["gone"], IfSoldOut.LEAVE_OUT, None),
        (["unheard-of"], IfSoldOut.DROP, ["unheard-of"]),
        ([], IfSoldOut.DROP, []),
        ("lamp", IfSoldOut.DROP, "lamp"),
        ("gone", IfSoldOut.REPLACE, "lamp"),
        ("gone", IfSoldOut.LEAVE_OUT, None),
    ],
)
def test_what_nobody_can_buy_is_treated_as_the_rule_says(items, if_sold_out, wanted):
    assert promoted(items, if_sold_out, SHOP.get) == wanted
