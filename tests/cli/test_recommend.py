"""`shopflow recommend`: rankings computed from what came in, and a look at them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from support.small_project import TRAITS, project_files

from shopflow.cli.main import main
from shopflow.store.opening import open_store

SKUS = {
    "bought_skus": {"event": "order.placed", "collect": "event.items.map(i, i.sku)"},
    "cart_skus": {"event": "cart.updated", "last": "event.items.map(i, i.sku)"},
    "viewed_skus": {"event": "product.viewed", "collect": "event.sku"},
}
FILES = {"rules/traits.yaml": {**TRAITS, "traits": {**TRAITS["traits"], **SKUS}}}


def an_event(number, event_type, who, **data):
    return json.dumps(
        {
            "id": f"e{number}",
            "type": event_type,
            "occurred_at": f"2026-03-03T10:{number:02}:00Z",
            "customer_id": who,
            "data": data,
        }
    )


@pytest.fixture
def shop(folder, tmp_path):
    """A project whose shop has sold a little, and the command on it."""
    root = folder(project_files(**FILES))
    (root / "shopflow.yaml").write_text(
        (root / "shopflow.yaml").read_text(encoding="utf-8") + "database: sqlite:///shop.db\n",
        encoding="utf-8",
    )
    orders = [("anna", "lamp bulb"), ("bea", "lamp bulb"), ("carl", "lamp rug")]
    lines = [
        an_event(n, "order.placed", who, order_id=f"o{n}", items=[{"sku": s} for s in skus.split()])
        for n, (who, skus) in enumerate(orders)
    ]
    lines.append(an_event(9, "product.viewed", "carl", sku="bulb"))
    events = tmp_path / "events.jsonl"
    events.write_text("\n".join(lines), encoding="utf-8")

    def run(*words):
        return CliRunner().invoke(main, [*words, "--project", str(root)])

    assert run("run", str(events), "--clock", "event").exit_code == 0
    store = open_store(f"sqlite:///{root / 'shop.db'}", partitions=64)
    with store.transaction() as batch:
        known = {sku: {"name": sku.title()} for sku in ("lamp", "bulb", "rug")}
        batch.save_products(known, datetime(2026, 3, 3, tzinfo=UTC))
    store.close()
    return run


def test_build_tells_what_it_computed_and_show_shows_it(shop):
    built = shop("recommend", "build")
    assert built.exit_code == 0
    assert "3 orders, 1 views, 0 searches, 3 products" in built.output
    assert "bought_together" in built.output
    shown = shop("recommend", "show", "bought_together", "--sku", "lamp")
    assert [line.split()[1:] for line in shown.output.splitlines()] == [
        ["bulb", "Bulb"],
        ["rug", "Rug"],
    ]


def test_show_leaves_out_what_the_customer_has(shop):
    shop("recommend", "build")
    shown = shop("recommend", "show", "best_sellers", "--customer", "anna", "--format", "json")
    assert [one["sku"] for one in json.loads(shown.output)["products"]] == ["rug"]
    seen = shop("recommend", "show", "recently_viewed", "--customer", "carl", "--format", "json")
    assert [one["sku"] for one in json.loads(seen.output)["products"]] == ["bulb"]


def test_show_says_why_there_is_nothing(shop):
    assert "shopflow recommend build" in shop("recommend", "show", "best_sellers").output
    shop("recommend", "build")
    assert shop("recommend", "show", "new_arrivals").output == "nothing to recommend\n"


def test_build_for_programs(shop):
    told = json.loads(shop("recommend", "build", "--format", "json").output)
    assert (told["orders"], told["views"], told["products"]) == (3, 1, 3)
    assert told["rankings"]["bought_together"] == 3


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["bought_together"], "bought_together starts from a product: --sku SKU"),
        (["search_related"], "starts from a search: --query TEXT"),
        (["recently_viewed"], "is about somebody: --customer ID"),
        (["similar", "--sku", "lamp", "--category", "x"], "similar takes no --category"),
        (["best_sellers", "--limit", "21"], "21"),
        (["bestsellers"], "best_sellers"),
        (["best_sellers", "--customer", "nobody"], "no customer 'nobody' in this database"),
    ],
)
def test_a_wrong_question_is_the_callers_to_mend(shop, words, told):
    answer = shop("recommend", "show", *words)
    assert answer.exit_code == 2
    assert told in " ".join(answer.output.split())
