"""Several deliverers, each a process of its own, never hold the same message, and never wait."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest
from support.production import administer, wait_for

from shopflow.store.opening import open_store
from shopflow.store.records import Fence, Pace

MESSAGES = 240
DELIVERER = """
import sys
from datetime import UTC, datetime, timedelta
from shopflow.store.opening import open_store
from shopflow.store.records import Begun

url, owner = sys.argv[1:]
store = open_store(url)
now = datetime(2026, 3, 3, 10, tzinfo=UTC)
print("ready", flush=True)
sys.stdin.readline()
while leased := store.outbox.lease(
    "email", limit=7, now=now, owner=owner, lease_for=timedelta(minutes=5)
):
    ids = [one.message.id for one in leased]
    begun = store.outbox.record(owner=owner, begun=[Begun(key, now) for key in ids])
    assert begun == set(ids), (begun, ids)
    print(*ids, flush=True)
"""


@pytest.fixture
def shop(postgres_shop, make):
    store = open_store(postgres_shop, partitions=4)
    with store.transaction() as batch:
        batch.queue([make.message() for _ in range(MESSAGES)])
    yield store
    store.close()


def test_processes_share_the_messages_without_any_twice(shop, postgres_shop):
    running = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(DELIVERER), postgres_shop, f"owner-{number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    for process in running:
        assert process.stdout.readline() == "ready\n"
    for process in running:
        process.stdin.write("\n")
        process.stdin.flush()
    taken = [process.communicate(timeout=60)[0].split() for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    every = [key for keys in taken for key in keys]
    assert len(every) == len(set(every)) == MESSAGES
    assert sum(bool(keys) for keys in taken) > 1, "more than one of them had something to do"
    assert shop.views.status().messages == {"attempted": MESSAGES}


def test_what_another_one_looks_at_is_left_to_it(shop, postgres_shop, now):
    """With its rows locked by an open transaction, the next lease takes those behind them."""
    with psycopg.connect(postgres_shop) as other:
        locked = other.execute("SELECT id FROM messages ORDER BY id LIMIT 5 FOR UPDATE").fetchall()
        leased = shop.outbox.lease(
            "email", limit=5, now=now, owner="me", lease_for=timedelta(minutes=1)
        )
    assert len(leased) == 5
    assert not {key for (key,) in locked} & {one.message.id for one in leased}


def test_whoever_takes_a_seat_over_waits_for_the_lease_under_way(shop, postgres_shop, now):
    """Else its look for what was left in other hands would miss that lease."""
    fence = Fence("deliver:email", shop.take_over("deliver:email").epoch)
    pace = Pace("email/all", timedelta(seconds=1), timedelta(seconds=9))
    shop.outbox.take_turns(pace, count=1, now=now)
    given = {"limit": 5, "now": now, "owner": "one", "lease_for": timedelta(minutes=1)}
    with ThreadPoolExecutor() as threads, psycopg.connect(postgres_shop) as other:
        other.execute("SELECT 1 FROM paces FOR UPDATE")
        leasing = threads.submit(shop.outbox.lease, "email", **given, pace=pace, fence=fence)
        wait_for(lambda: waiting(postgres_shop) == 1)
        taking = threads.submit(shop.take_over, "deliver:email")
        wait_for(lambda: waiting(postgres_shop) == 2)
        other.rollback()
        assert taking.result().epoch == fence.epoch + 1
        assert leasing.done()
    recovered = shop.outbox.recover(now=now, resend=[], owner="one")
    assert recovered.requeued == len(leasing.result()) == 5


def waiting(url):
    """How many of the database's sessions wait for a lock."""
    count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    [(found,)] = administer(url, f"{count} AND wait_event_type = 'Lock'")
    return found
