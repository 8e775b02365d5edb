"""What rankings say of a small past: counted by hand, and the same every time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shopflow.domain.recommendation import Strategy
from shopflow.recommend import History, compute, words_of

NOW = datetime(2026, 3, 3, 10, tzinfo=UTC)
DAY = timedelta(days=1)


def bought(*orders):
    """A history of orders, each by somebody else unless it says who."""
    history = History()
    for number, (skus, *at) in enumerate(orders):
        items = [{"sku": sku} for sku in skus.split()]
        history.add("order.placed", f"c{number}", at[0] if at else NOW, {"items": items})
    return history


def ranked(strategy, key="", history=None, catalogue=None):
    """The skus of a ranking, best first."""
    found = {
        (each.strategy, each.key): list(each.scores)
        for each in compute(history or History(), catalogue or {})
    }
    return found.get((strategy, key), [])


def test_what_is_bought_together_most_often_comes_first():
    history = bought(("lamp bulb",), ("lamp bulb",), ("lamp rug",), ("rug vase",), ("vase",))
    assert ranked(Strategy.BOUGHT_TOGETHER, "lamp", history) == ["bulb", "rug"]


def test_what_everybody_buys_goes_with_nothing_in_particular():
    everywhere = [(f"bag thing{number}",) for number in range(50)]
    history = bought(*everywhere, *[("lamp bulb bag",)] * 5)
    assert ranked(Strategy.BOUGHT_TOGETHER, "lamp", history) == ["bulb", "bag"]


def test_an_order_of_many_products_says_less_of_each_pair():
    crowd = " ".join(f"x{number}" for number in range(100))
    history = bought((f"lamp rug {crowd}",), (f"lamp rug {crowd}",), ("lamp bulb",), ("lamp bulb",))
    assert ranked(Strategy.BOUGHT_TOGETHER, "lamp", history)[0] == "bulb"


def test_an_order_of_one_product_and_its_repetition_make_no_pair():
    assert ranked(Strategy.BOUGHT_TOGETHER, "lamp", bought(("lamp",), ("lamp lamp",))) == []


def test_what_sold_last_month_outsells_what_sold_more_last_year():
    history = bought(*[("old", NOW - 365 * DAY)] * 20, ("new",), ("new",))
    assert ranked(Strategy.BEST_SELLERS, history=history) == ["new", "old"]


def test_each_category_has_best_sellers_of_its_own():
    catalogue = {"lamp": {"category": "Light"}, "bulb": {"category": "Light"}, "rug": {}}
    history = bought(("rug",), ("rug",), ("bulb",), ("bulb lamp",))
    assert ranked(Strategy.BEST_SELLERS, "Light", history, catalogue) == ["bulb", "lamp"]
    assert ranked(Strategy.BEST_SELLERS, "", history, catalogue) == ["bulb", "rug", "lamp"]


def test_the_newest_arrivals_come_first_and_those_without_a_date_not_at_all():
    catalogue = {
        "old": {"published_at": "2025-01-01"},
        "new": {"published_at": "2026-03-01T08:00:00Z"},
        "undated": {},
        "odd": {"published_at": "soon"},
    }
    assert ranked(Strategy.NEW_ARRIVALS, catalogue=catalogue) == ["new", "old"]


def test_products_are_alike_by_rare_words_more_than_by_common_ones():
    catalogue = {
        "a": {"name": "Lampe de bureau en laiton"},
        "b": {"name": "Lampe de chevet en laiton"},
        "c": {"name": "Lampe de jardin"},
        **{f"x{number}": {"name": f"Lampe {number}a"} for number in range(10)},
    }
    assert ranked(Strategy.SIMILAR, "a", catalogue=catalogue)[0] == "b"


def test_products_are_alike_when_the_same_people_look_at_both():
    history = History()
    for who in ("anna", "bea", "carl"):
        for sku in ("lamp", "vase"):
            history.add("product.viewed", who, NOW, {"sku": sku})
    history.add("product.viewed", "dora", NOW, {"sku": "rug"})
    catalogue = {"lamp": {"name": "Aube"}, "vase": {"name": "Brume"}, "rug": {"name": "Cendre"}}
    assert ranked(Strategy.SIMILAR, "lamp", history, catalogue) == ["vase"]


def test_the_premium_line_is_dearer_and_never_reduced():
    catalogue = {
        "plain": {"category": "Light", "price": 20, "brand": "Nord"},
        "cheaper": {"category": "Light", "price": 10},
        "same": {"category": "Light", "price": 21},
        "fine": {"category": "Light", "price": 30},
        "branded": {"category": "Light", "price": 45, "brand": "Nord"},
        "reduced": {"category": "Light", "price": 30, "previous_price": 60},
        "palatial": {"category": "Light", "price": 900, "brand": "Nord"},
        "elsewhere": {"category": "Rugs", "price": 30},
    }
    assert ranked(Strategy.PREMIUM_LINE, "plain", catalogue=catalogue) == ["branded", "fine"]


def test_compatible_products_are_so_in_both_directions_and_the_best_seller_first():
    catalogue = {
        "cup": {"compatible_with": ["machine"]},
        "pad": {"compatible_with": ["machine", "pad"]},
        "machine": {},
    }
    history = bought(("pad",))
    assert ranked(Strategy.COMPATIBLE, "machine", history, catalogue) == ["pad", "cup"]
    assert ranked(Strategy.COMPATIBLE, "cup", history, catalogue) == ["machine"]


def test_a_search_leads_where_the_word_stands_and_where_earlier_searches_led():
    history = History()
    for who in ("anna", "bea", "carl"):
        history.add("search.performed", who, NOW, {"query": "Veilleuses"})
        history.add("product.viewed", who, NOW + timedelta(minutes=2), {"sku": "moon"})
        history.add("product.viewed", who, NOW + timedelta(hours=2), {"sku": "rug"})
    catalogue = {
        "moon": {"name": "Petite lune", "category": "Veilleuse"},
        "star": {"name": "Veilleuse étoile"},
        "rug": {"name": "Tapis"},
    }
    assert ranked(Strategy.SEARCH_RELATED, "veilleuse", history, catalogue) == ["moon", "star"]


def test_the_order_in_which_things_are_told_changes_nothing():
    orders = [("lamp bulb",), ("lamp rug",), ("rug bulb vase",), ("vase lamp",)]
    catalogue = {sku: {"name": f"le {sku}"} for sku in ("lamp", "bulb", "rug", "vase")}
    once = list(compute(bought(*orders), catalogue))
    again = list(compute(bought(*reversed(orders)), dict(reversed(catalogue.items()))))
    assert sorted(once, key=repr) == sorted(again, key=repr)
    assert [list(each.scores) for each in sorted(once, key=repr)] == [
        list(each.scores) for each in sorted(again, key=repr)
    ]


def test_nothing_follows_from_nothing():
    assert list(compute(History(), {})) == []


@pytest.mark.parametrize(
    ("event_type", "data"),
    [
        ("order.placed", {}),
        ("order.placed", {"items": None}),
        ("order.placed", {"items": [{"name": "no sku"}, 7]}),
        ("product.viewed", {"sku": 7}),
        ("search.performed", {"query": None}),
        ("cart.updated", {"items": [{"sku": "lamp"}]}),
    ],
)
def test_events_that_say_nothing_of_products_are_passed_over(event_type, data):
    history = History()
    history.add(event_type, "anna", NOW, data)
    assert history == History()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Lampes de chevet", ["lampe", "chevet"]),
        ("ÉTOILES  étoile", ["etoile"]),
        ("lunch boxes with dishes", ["lunch", "box", "dish"]),
        ("verre / glass / gaz", ["verre", "glass", "gaz"]),
        ("les châteaux 3 x", ["chateau", "3"]),
        ("l'été d'hier, bijoux", ["ete", "hier", "bijou"]),
        ("...", []),
    ],
)
def test_words_are_looked_up_by_their_one_form(text, words):
    assert words_of(text) == words
