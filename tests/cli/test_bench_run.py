"""`shopflow bench run`: the product and its floor write the same rows, and the report tells all."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from click.testing import CliRunner
from support.servers import postgres_url, redis_url

from shopflow.bench import run, run_bars, run_events, run_people, run_rules, run_shop
from shopflow.bench import store as store_bench
from shopflow.bench.run_bars import Part
from shopflow.cli.bench import bench
from shopflow.runtime.ingest import Accepted, Ingest
from shopflow.runtime.queue.streams import START
from shopflow.store.opening import open_store


@pytest.fixture
def small(monkeypatch):
    for module in (run, run_shop):
        monkeypatch.setattr(module, "BATCH", 30)
    monkeypatch.setattr(run_people, "LIVED", 20)


@pytest.mark.usefixtures("small")
def test_the_product_and_the_floor_write_the_same_rows():
    loaded = run_rules.with_rules(20)
    with run_shop.sqlite(run_shop.filled(loaded, 40)) as urls, run.connected(redis_url()) as redis:
        measured = run_shop.Bench(urls, redis, loaded, 40)
        try:
            product = measured.product(0, 2)
            measured.floor(product, 0)
        finally:
            measured.close()
        ours, theirs = (_kept(url) for url in urls)
    assert product.events == 60
    assert ours == theirs
    assert ours["events"] == 60
    assert ours["journal"] > 0


@pytest.mark.usefixtures("small")
def test_nothing_is_due_before_the_events_that_are_measured():
    loaded = run_rules.with_rules(20)
    with run_shop.sqlite(run_shop.filled(loaded, 40)) as urls, run.connected(redis_url()) as redis:
        measured = run_shop.Bench(urls, redis, loaded, 40)
        try:
            before = measured.store.views.next_due_at(0)
            # A day and a half of the shop passes with another part of the measurement.
            measured.ingest(400)
            measured.fill(0, 2)
            due = measured.store.views.next_due_at(0)
            [first] = measured.streams.read(measured.streams.of(0), START, 1)
        finally:
            measured.close()
    assert before < first.received_at < due


def _kept(url):
    """What the database holds, but for cursors, which each side has its own of."""
    store = open_store(url)
    views = store.views
    found = {
        "events": sum(row.count for row in views.stats() if row.key.result == "accepted"),
        "journal": sum(row.count for row in views.stats() if row.key.workflow),
        "customers": sorted(
            map(repr, views.customers(run_events.customer_id(n) for n in range(40)).values())
        ),
    }
    store.close()
    return found


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_the_report_holds_every_part_against_its_bar(monkeypatch):
    monkeypatch.setattr(run, "MANY", 20)
    monkeypatch.setattr(run, "NAIVE_EVENTS", 2)
    settings = {"redis": redis_url(), "postgres": postgres_url(), "customers": 200, "rules": 20}
    report = run.run(1, **settings, lasts=2.0)
    postgresql, sqlite = report.lines
    assert (postgresql.database, sqlite.database) == ("postgresql", "sqlite")
    assert {held.bar.part for held in postgresql.held} == set(Part)
    assert {held.bar.part for held in sqlite.held} == set(Part) - {Part.WORKERS}
    for line in report.lines:
        assert all(held.figure > 0 for held in line.held)
        assert line.profile["decide"] > 0
        assert line.rows["events"] == 1
    told = json.loads(run.render_json(report))
    assert told["reached"] is report.reached
    assert told["lines"][0]["held"][0]["name"] in run.render(report)


@pytest.mark.usefixtures("small")
def test_parts_that_are_left_out_are_not_measured():
    asked = ["run", "--rounds", "1", "--redis", redis_url(), "--customers", "1000"]
    ran = CliRunner().invoke(bench, [*asked, "--parts", "ingest", "--format", "json"])
    (line,) = json.loads(ran.stdout)["lines"]
    assert [held["part"] for held in line["held"]] == ["ingest"]
    assert set(line["costs"]) == {"the product", "ingest"}


def test_a_part_that_nobody_knows_is_refused_with_those_there_are():
    ran = CliRunner().invoke(bench, ["run", "--parts", "floor,flour"])
    assert ran.exit_code == 2
    assert "flour" in ran.stderr
    assert "latency" in ran.stderr


@pytest.mark.parametrize(
    ("bar", "good", "bad"), [(run_bars.NAIVE, 1_000, 999), (run_bars.P99, 500, 501)]
)
def test_a_bar_is_reached_on_its_own_side_of_the_limit(bar, good, bad):
    assert bar.held(good).reached
    assert not bar.held(bad).reached
    assert bar.held(good).told.endswith("reached)")
    assert bar.held(bad).told.endswith("MISSED)")


def test_every_event_of_the_workload_passes_its_schema():
    start = datetime(2026, 3, 3, tzinfo=UTC)
    shop = run_events.Shop(Random(3), 100, start, pace=timedelta(seconds=1))
    ingest = Ingest(run_rules.project().events.schemas)
    for sent in shop.events(500):
        read = ingest.read(sent.raw, received_at=sent.event.occurred_at)
        assert isinstance(read, Accepted)
        assert read.event == sent.event


def test_further_rules_start_on_what_nobody_looks_at():
    first, more = (run_rules.with_rules(count).ruleset.workflows for count in (10, 40))
    assert len(more) == 40
    assert first.items() <= more.items()
    copies = [one for name, one in more.items() if name not in first]
    assert all("other-" in one.trigger.when.source for one in copies)


def test_a_bar_that_is_missed_fails_the_command(monkeypatch):
    line = store_bench.Line(database="x", store=3, rows=2, floors={"bare": 1}, profile={})
    report = store_bench.Report(rounds=1, lines=(line,))
    monkeypatch.setattr(store_bench, "run", lambda **_: report)
    ran = CliRunner().invoke(bench, ["store"])
    assert ran.exit_code == 1
    assert "over the bar of 1.35" in ran.stdout
