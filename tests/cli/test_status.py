"""`shopflow status` of a fleet, on a real Redis, and as people read it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from support.production import a_shop, generated, wait_for
from support.running import a_project

from shopflow.cli.main import main
from shopflow.report import fleet
from shopflow.report.vitals import Lag, Part, Vitals, WorkerSeen
from shopflow.runtime.meter import TICK
from shopflow.store.records import DeliveryState, Pause
from shopflow.store.vitals import OutboxDepth, Revision, StoreVitals

NOW = datetime(2026, 3, 3, 10, tzinfo=UTC)
DIGEST = "0123456789abcdef0123456789abcdef"


def ago(**length):
    return NOW - timedelta(**length)


def a_worker(number, **fields):
    given = {
        "name": f"w{number}", "host": "shop-worker-01.internal", "pid": 4_000_000 + number,
        "version": "1.0", "digest": DIGEST, "queues": ("process", "deliver"),
        "started_at": ago(days=12), "seen_at": NOW, "resident": 98_000_000,
    }  # fmt: skip
    return WorkerSeen(**given | fields)


def a_busy_fleet(**fields):
    outbox = [("email", DeliveryState.QUEUED, 1_234_567), ("email", DeliveryState.UNCERTAIN, 3)]
    store = StoreVitals(
        outbox=tuple(
            OutboxDepth(channel=channel, state=state, count=count, oldest_at=ago(hours=30))
            for channel, state, count in outbox
        ),
        next_due_at=ago(seconds=40),
        pauses=(Pause(scope="workflow:abandoned-cart", reason="a mistake", at=ago(hours=1)),),
        revision=Revision(digest="f" * 32, deployed_at=ago(days=3)),
    )
    given = {
        "at": NOW,
        "up": {Part.DATABASE: True, Part.REDIS: True},
        "store": store,
        "lags": tuple(Lag(stream=str(n), entries=n * 1000, seconds=n * 60.0) for n in range(20)),
        "workers": tuple(map(a_worker, range(12))),
        "marks": {(TICK,): ago(seconds=300).timestamp()},
    }
    return Vitals(**given | fields)


def told(vitals):
    return "\n".join(fleet.as_text(vitals))


def test_what_is_wrong_is_seen_at_a_glance():
    text = told(a_busy_fleet())
    assert "clock: SILENT, last tick 5 min ago, next timer 40 s overdue" in text
    assert "PAUSED: workflow:abandoned-cart" in text
    assert "12 of them do not run the rules deployed last" in text
    assert "lag: 190,000 entries in 19 of 20 streams, 19 min" in text
    assert "workers: NONE" in told(a_busy_fleet(workers=()))
    assert "redis: DOES NOT ANSWER" in told(a_busy_fleet(up={Part.REDIS: False}))


def test_it_fits_into_80_columns():
    lines = told(a_busy_fleet()).splitlines()
    three = told(
        a_busy_fleet(workers=(a_worker(1, queues=("clock", "ingest", "process", "deliver")),))
    )
    for line in [*lines, *three.splitlines()]:
        assert len(line) <= 80, line


def test_the_outbox_is_a_table_by_channel_and_state():
    head, row = (line.split() for line in told(a_busy_fleet()).splitlines() if "outbox" in line
                 or line.startswith("  email"))  # fmt: skip
    assert head == ["outbox", "queued", "leased", "attempted", "uncertain", "oldest"]
    assert row == ["email", "1,234,567", "0", "0", "3", "30", "h"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (172_800, "2 d")],
)
def test_lengths_are_told_in_one_unit(seconds, text):
    assert fleet.length(seconds) == text


def test_a_quiet_shop_says_so():
    quiet = Vitals(
        at=NOW, up={Part.DATABASE: True, Part.REDIS: True}, store=StoreVitals(),
        workers=(a_worker(1),), marks={(TICK,): NOW.timestamp()},
        lags=(Lag(stream="door", entries=0, seconds=0.0),),
    )  # fmt: skip
    text = told(quiet)
    assert "lag: none" in text
    assert "clock: last tick 0 s ago" in text
    assert "outbox: empty" in text


@pytest.mark.slow
def test_the_status_of_a_fleet_that_works(tmp_path):
    with a_shop(tmp_path) as shop:
        lines = generated(200)
        shop.add(lines)
        before = json.loads(shop.run("status", "--format", "json").stdout)
        assert (before["workers"], before["lag"]["door"]["entries"]) == ([], 200)
        shop.start()

        def found():
            return json.loads(shop.run("status", "--format", "json").stdout)

        wait_for(lambda: found()["events"]["accepted"] == 200)
        wait_for(lambda: found()["workers"])
        wait_for(lambda: found()["clock"]["last_tick_seconds"] is not None)
        now = found()
        assert now["up"] == {"database": True, "redis": True}
        assert now["workers"][0]["rules"] == now["rules"]["digest"]
        text = shop.run("status").stdout
        assert "200 events in: 200 accepted" in text
        assert "workers: 1" in text


@pytest.mark.slow
def test_without_redis_the_rest_is_told(tmp_path):
    with a_shop(tmp_path) as shop:
        shop.run("db", "upgrade")
        settings = tmp_path / "shopflow.yaml"
        settings.write_text(settings.read_text().replace("127.0.0.1:6379", "127.0.0.1:1"))
        ran = CliRunner().invoke(main, ["status", "--project", str(tmp_path)])
        assert ran.exit_code == 0
        assert "redis: DOES NOT ANSWER" in ran.stdout
        assert "0 events in" in ran.stdout


def test_a_redis_that_is_no_address_is_told_as_such(tmp_path, monkeypatch):
    monkeypatch.delenv("SHOPFLOW_TEST_REDIS", raising=False)
    a_project(tmp_path, 1025)
    CliRunner().invoke(main, ["db", "upgrade", "--project", str(tmp_path)])
    with (tmp_path / "shopflow.yaml").open("a", encoding="utf-8") as settings:
        settings.write("redis: ${SHOPFLOW_TEST_REDIS}\n")
    result = CliRunner().invoke(main, ["status", "--project", str(tmp_path)])
    assert result.exit_code == 2
    assert "`redis` in shopflow.yaml is no address of a server" in result.output
