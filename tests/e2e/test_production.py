"""Redis Streams, RQ workers and PostgreSQL send what `simulate` says, to the last message."""

from __future__ import annotations

import gzip
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.faults import Workers
from support.production import (
    FACTS,
    a_shop,
    generated,
    wait_for,
    write_lines,
)

SHARED = Path(__file__).resolve().parents[3] / "shared"
#: Events of the real stream in the quick run.
SOME = 1500


@pytest.fixture
def shop(tmp_path):
    with a_shop(tmp_path) as shop:
        yield shop


def recorded(shared, count=None, stream="rees46"):
    path = shared / "data" / stream / "events.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [line.rstrip("\n") for line, _ in zip(file, range(count or 10**9), strict=False)]


def check(shop, lines):
    """Two workers, to the end of the events and then on until no timer is left."""
    path = write_lines(shop.folder, lines)
    sent = shop.run("events", "send", str(path))
    assert f"{len(lines):,} events sent" in sent.stdout
    for until in ("end", "drain"):
        shop.finish(until)
        assert shop.sends() == shop.simulated(path, until)
    status = shop.status()
    assert status.events == {"accepted": len(lines)}
    assert set(status.messages) == {"sent"}
    assert status.inbox == 0
    assert shop.waiting() == 0


def test_two_workers_send_what_simulate_says(shop):
    check(shop, recorded(SHARED, SOME) if SHARED.is_dir() else generated(500))


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(stream, marks=[pytest.mark.soak, pytest.mark.timeout(0)])
        for stream in ("otto", "snowplow_demo", "rees46", "online_retail")
    ],
)
def test_a_whole_stream_with_kills_sends_what_simulate_says(shared, tmp_path, stream):
    shutil.copytree(FACTS.parent / stream, tmp_path, dirs_exist_ok=True)
    lines = recorded(shared, stream=stream)
    path = write_lines(tmp_path, lines)
    with a_shop(tmp_path) as shop:
        with Workers(shop, seed=len(lines)) as workers:
            shop.add(lines)
            workers.kill_along(4, len(lines) // 4)
            workers.work_until(workers.is_done)
        for until in ("end", "drain"):
            shop.finish(until)
            assert shop.sends() == shop.simulated(path, until)
        status = shop.status()
        assert workers.kills
        assert status.events == {"accepted": len(lines)}
        assert set(status.messages) == {"sent"}
        assert status.inbox == shop.waiting() == 0


def an_event(number, at="2026-03-01T10:00:00Z", customer="c1", **fields):
    return {
        "id": f"e{number}",
        "type": "product.viewed",
        "occurred_at": at,
        "customer_id": customer,
        "data": {"sku": "A1", "price": 9.5},
        **fields,
    }


def test_every_piece_of_garbage_is_counted_once_and_the_rest_goes_on(shop):
    good = [json.dumps(an_event(number, customer=f"c{number % 5}")) for number in range(20)]
    bad = [b"\xff\xfe", b"", b"[]", b"{", b"null", b'{"id": 1}', b'"\\u0000"', b"[" * 100_000]
    bad += [json.dumps(an_event(99, type="no.such")).encode(), b"x" * 300_000]
    shop.add(good[:10] + bad + good)
    shop.redis.xadd(shop.door, {"nothing": "known", "to": b"\xff"})
    shop.redis.xadd(shop.door, {"tick": "the day after tomorrow"})
    shop.redis.xadd(shop.door, {"tick": "", "event": json.dumps(an_event(100))})
    shop.finish()
    status = shop.status()
    assert status.events == {"accepted": 21, "duplicate": 10, "dead_letter": len(bad) + 2}
    assert sum(status.dead_letters.values()) == len(bad) + 2
    assert "decide_failed" not in status.dead_letters
    assert shop.waiting() == 0


def test_a_worker_on_the_wall_clock_fires_timers_and_stops_in_order(shop):
    """Somebody looked 29 minutes and 58 seconds ago; in two seconds 30 minutes are over."""
    at = datetime.now(UTC) - timedelta(minutes=30) + timedelta(seconds=2)
    worker = shop.start()
    try:
        shop.add([json.dumps(an_event(1, at=at.isoformat()))])
        wait_for(lambda: shop.sends() != [], seconds=90)
        worker.terminate()
        out, err = worker.communicate(timeout=30)
    finally:
        worker.kill()
    assert worker.returncode == 0, out + err
    assert [send[2] for send in shop.sends()] == ["browse-abandoned-30min"]
