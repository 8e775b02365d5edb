"""`shopflow bench recommend`: what is foretold on recorded orders, and on those of a real shop."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from click.testing import CliRunner

from shopflow.bench import recommend
from shopflow.cli.main import main

PAIRS = [("tea", "pot"), ("ink", "pen"), ("bow", "arrow"), ("salt", "pepper"), ("nut", "bolt")]


def some_orders(count, *, paired):
    """Each of somebody else; in pairs that belong together, or any two products."""
    chance = Random(1)
    every = [sku for pair in PAIRS for sku in pair]
    for number in range(count):
        skus = chance.choice(PAIRS) if paired else chance.sample(every, 2)
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=number)
        items = [{"sku": sku, "name": sku, "price": 1.0} for sku in skus]
        yield {
            "id": f"e{number}",
            "type": "order.placed",
            "customer_id": f"c{number % (count // 2)}",
            "occurred_at": at.isoformat(),
            "data": {"order_id": f"o{number}", "items": items},
        }


@pytest.fixture
def recorded(tmp_path):
    """Writes events to a file."""

    def write(events, name="events.jsonl.gz"):
        path = tmp_path / name
        opened = gzip.open if name.endswith(".gz") else open
        with opened(path, "wt", encoding="utf-8") as file:
            file.writelines(json.dumps(event) + "\n" for event in events)
        return path

    return write


def test_pairs_are_foretold_and_chance_is_not(recorded, monkeypatch):
    monkeypatch.setattr(recommend, "TEN", 1)
    report = recommend.run(recorded(some_orders(400, paired=True)))
    rates = {line.answer: line.same_order for line in report.lines}
    assert rates["bought_together"] == 1.0
    assert rates["best_sellers"] < 0.5
    assert rates["random"] < 0.5
    assert (report.orders, report.cut_at) == (400, datetime(2026, 1, 14, 8, tzinfo=UTC))


def test_what_comes_after_the_cut_is_not_learned_from(recorded):
    events = list(some_orders(400, paired=True))
    late = {"sku": "late", "name": "late"}
    for event in events[330:]:
        event["data"]["items"].append(late)
    history, _ = recommend.read(recorded(events))
    questions, _ = recommend._questions(history.orders, 320, {"tea", "pot"})
    assert all("late" not in question.wanted for question in questions)


def test_the_report_is_told_to_people_and_to_programs(recorded):
    path = str(recorded(some_orders(100, paired=True), "events.jsonl"))
    told = CliRunner().invoke(main, ["bench", "recommend", path])
    assert "bought_together" in told.output
    assert "100 orders, learned from those before 2026-01-04" in told.output
    body = json.loads(
        CliRunner().invoke(main, ["bench", "recommend", path, "--format", "json"]).output
    )
    assert {line["answer"] for line in body["lines"]} == {*recommend.ANSWERS}


def test_too_few_orders_are_no_shop(recorded):
    told = CliRunner().invoke(
        main, ["bench", "recommend", str(recorded(some_orders(2, paired=True)))]
    )
    assert told.exit_code == 2
    assert "too few orders" in told.output


@pytest.mark.slow
def test_in_a_real_shop_what_is_bought_together_beats_what_everybody_buys(shared):
    report = recommend.run(shared / "data/online_retail/events.jsonl.gz")
    assert report.orders == 18_536
    rates = {line.answer: line for line in report.lines}
    ours, best = rates["bought_together"], rates["best_sellers"]
    assert report.reached
    # It was 24 % against 2 %, and 30 % against 24 %, when this was written.
    assert ours.same_order > 0.2
    assert best.same_order < 0.05
    assert ours.next_order > max(rates[name].next_order for name in ("similar", "best_sellers"))
