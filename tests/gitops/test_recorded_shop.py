"""Tests made of recorded customers whose messages hang on the shop around them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from support.production import scratch_database

from shopflow.cli.main import main

WHO = "zenobie-7731"
ANNA = {
    "email": "zenobie.lefebvre@mail.example",
    "first_name": "Zénobie",
    "consents": [{"channel": "email", "purpose": "marketing"}],
}
LAMP = {"sku": "ZENOBIE-LAMP", "name": "Lamp of Zénobie", "price": 90.0, "quantity": 1}
CART = {
    "cart_id": "c1",
    "cart_url": "https://boutique.example/r/zenobie",
    "total": 90.0,
    "currency": "EUR",
    "items": [LAMP],
}


@pytest.fixture(params=["sqlite", "postgres"])
def database(request, tmp_path):
    """The URL of a database of the test's own."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/shop.db"
        return
    with scratch_database() as url:
        yield url


@pytest.fixture
def shop(repo, tmp_path, database, monkeypatch):
    """The shipped rules in a folder, and the commands run there."""
    monkeypatch.setenv("SHOPFLOW_DATABASE_URL", database)
    root = tmp_path / "shop"
    shutil.copytree(repo / "rules", root / "rules", ignore=_others)
    shutil.copy(repo / "shopflow.yaml", root)
    shutil.copytree(repo / "environments", root / "environments")
    return Shop(root)


#: What of the shipped rules is about carts, prices and stock.
AREAS = {
    "tests": set(),
    "workflows": {"cart", "price", "stock"},
    "templates": {"cart", "checkout", "price", "stock"},
}


def _others(folder, names):
    kept = AREAS.get(Path(folder).name)
    return [] if kept is None else {n for n in names if n not in kept and n[0] not in "._"}


class Shop:
    def __init__(self, root):
        self.root = root
        self._number = 0

    def call(self, *words, code=0):
        ran = CliRunner().invoke(main, [*map(str, words), "--project", str(self.root)])
        assert ran.exit_code == code, ran.output
        return ran.output

    def file(self, name, lines):
        path = self.root / name
        path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
        return path

    def live(self, *events):
        """These events, as (day and time, type, data), have happened to the shop."""
        path = self.file("events.jsonl", map(self._event, events))
        self.call("run", path, "--clock", "event", "--until", "drain")

    def _event(self, told):
        at, kind, data = told
        self._number += 1
        nobody = kind in {
            "product.price_dropped",
            "product.restocked",
            "product.sold_out",
            "product.updated",
            "product.published",
        }
        about = {} if nobody else {"customer_id": WHO}
        return {
            "id": f"secret-{self._number}",
            "type": kind,
            "occurred_at": f"2026-03-{at}:00Z",
            "data": data,
            **about,
        }

    def made(self, workflow):
        """The test made for the workflow, which passes."""
        path = self.root / f"rules/tests/made/{workflow}.test.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        words = ["--from-customer", WHO, "--workflow", workflow, "--output-file", path]
        self.call("test", *words)
        assert self.call("test", path) == "1 passed\n"
        text = path.read_text(encoding="utf-8")
        for word in ("zenobie", "ZENOBIE", "Zénobie", "Lefebvre", "secret-"):
            assert word not in text
        return Made(text)


class Made:
    """A test file that was made."""

    def __init__(self, text):
        self.comments = [line for line in text.splitlines() if line.startswith("#")][1:]
        (self.test,) = yaml.safe_load(text)["tests"]
        self.types = [each["type"] for each in self.test["events"]]
        self.products = self.test.get("mocks", {}).get("products", {})
        expect = self.test["expect"]
        self.sends = [each["step"] for each in expect["sends"]]
        self.drops = [(each["step"], each["reason"]) for each in expect.get("drops", ())]


YES = {"channel": "email", "purpose": "marketing"}
BEGIN = (
    ("01T08:00", "customer.registered", ANNA),
    ("01T08:30", "consent.confirmed", YES),
)


REGISTERED = ["customer.registered", "consent.confirmed"]


def test_news_of_the_product_comes_as_it_came_then(shop):
    sku = LAMP["sku"]
    shop.live(
        *BEGIN,
        ("01T09:00", "product.sold_out", {"sku": sku}),
        ("02T09:00", "stock_alert.requested", {"sku": sku, "name": LAMP["name"]}),
        ("03T09:00", "product.restocked", {"sku": "SOMETHING-ELSE"}),
        ("04T09:00", "product.restocked", {"sku": sku}),
    )
    made = shop.made("back-in-stock")
    # Of the other product nobody had heard.
    assert made.types == [
        *REGISTERED,
        "product.sold_out",
        "stock_alert.requested",
        "product.restocked",
    ]
    assert made.sends == ["back"]
    assert made.comments == []


def test_a_product_that_was_gone_again_is_gone_in_the_test(shop):
    sku = LAMP["sku"]
    shop.live(
        *BEGIN,
        ("02T09:00", "stock_alert.requested", {"sku": sku}),
        ("04T09:00", "product.updated", {"sku": sku, "stock": 3, "in_stock": False}),
        ("04T09:00", "product.restocked", {"sku": sku}),
        ("05T09:00", "product.sold_out", {"sku": sku}),
    )
    assert shop.made("back-in-stock").sends == ["back"]


def test_a_lower_price_is_heard_of_and_told_in_the_evening(shop):
    sku = LAMP["sku"]
    shop.live(
        *BEGIN,
        ("02T09:00", "wishlist.added", {"sku": sku, "name": LAMP["name"]}),
        ("03T09:00", "product.price_dropped", {"sku": sku, "price": 89.9, "previous_price": 90}),
        ("04T09:00", "product.price_dropped", {"sku": sku, "price": 60.0, "previous_price": 90}),
    )
    watched = shop.made("price-watch")
    assert watched.test["expect"]["end"]["outcome"] == "completed"
    assert watched.types.count("product.price_dropped") == 2
    told = shop.made("price-drop")
    assert (told.sends, told.comments) == (["tell"], [])
    # Nobody keeps what rules emit: it comes of what is kept.
    (found,) = [each for each in told.test["events"] if each["type"] == "price.found"]
    assert (found["data"]["price"], found["data"]["previous_price"]) == (60.0, 90)


def test_a_cart_is_as_full_as_the_shop_was_then(shop):
    shelf = [
        {"sku": LAMP["sku"], "name": "Lamp", "in_stock": False, "substitutes": ["OTHER-LAMP"]},
        {"sku": "OTHER-LAMP", "name": "Other lamp", "price": 80.0, "currency": "EUR"},
        {"sku": "NOBODYS", "name": "Not looked at", "price": 80.0},
    ]
    shop.call("catalog", "import", shop.file("catalogue.jsonl", shelf))
    shop.live(
        *BEGIN,
        ("02T09:00", "cart.updated", CART),
    )
    made = shop.made("abandoned-cart")
    # Sold out, so no reminder; the offer shows the substitute.
    assert (made.sends, made.drops) == (["offer"], [("reminder", "guard")])
    assert made.comments == []
    assert made.products == {
        "sku-1": {"in_stock": False, "name": "name-3", "substitutes": ["sku-2"]},
        "sku-2": {"price": 80.0, "currency": "EUR", "name": "name-2"},
    }


def test_what_was_sold_out_afterwards_was_there_before(shop):
    shop.live(
        *BEGIN,
        ("02T09:00", "cart.updated", CART),
        ("03T09:00", "product.updated", {"sku": LAMP["sku"], "name": "Lamp", "stock": 0}),
        ("05T09:00", "product.restocked", {"sku": LAMP["sku"]}),
    )
    made = shop.made("abandoned-cart")
    # The offer came when it was sold out, and the mail that went before did not wait for that.
    assert (made.sends, made.drops) == (["reminder"], [("offer", "guard")])
    assert made.types == [*REGISTERED, "cart.updated", "product.updated", "product.restocked"]
    assert made.comments == []


def test_what_was_recommended_is_among_the_test_s_products(shop):
    shelf = [
        {"sku": LAMP["sku"], "name": "Lamp", "category": "lamps", "price": 90.0},
        {"sku": "BRIGHT", "name": "Bright lamp", "category": "lamps", "price": 80.0},
    ]
    shop.call("catalog", "import", shop.file("catalogue.jsonl", shelf))
    shop.call("recommend", "build")
    shop.live(
        *BEGIN,
        ("02T09:00", "stock_alert.requested", {"sku": LAMP["sku"], "name": "Lamp"}),
    )
    made = shop.made("back-in-stock")
    assert made.sends == ["alternatives", "sorry"]
    assert made.test["mocks"]["recommendations"]["similar"] == {"sku-1": ["sku-2"]}
    assert made.comments == []
