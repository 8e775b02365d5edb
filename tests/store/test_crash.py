"""A process that is killed while it writes leaves whole batches behind, and nothing else."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from shopflow.store.opening import open_store

#: Each batch writes its number into every table.
WRITER = """
import sys
from datetime import UTC, datetime, timedelta
from shopflow.domain.customer import Customer
from shopflow.domain.event import Event, Tick
from shopflow.domain.journal import JournalEntry, Kind
from shopflow.store.opening import open_store
from shopflow.store.records import Arrival

NOW = datetime(2026, 3, 3, tzinfo=UTC)
store = open_store(sys.argv[1])
cursor = store.take_over("orders")
number = int(cursor.position or 0)
while True:
    number += 1
    with store.transaction("orders", cursor.epoch) as batch:
        batch.take_inbox(limit=99)
        batch.accept_events(
            [
                Arrival(0, Event(id=f"{number}-{part}", type="x", occurred_at=NOW, data={}), b"{}")
                for part in range(20)
            ]
        )
        batch.save(
            Customer(id=f"customer-{part}", traits={"batch": number}) for part in range(50)
        )
        batch.journal(
            [
                JournalEntry(at=NOW, customer_id=f"customer-{part}", kind=Kind.STEP)
                for part in range(10)
            ]
        )
        for part in range(5):
            batch.tell(f"customer-{part}", Tick(at=NOW + timedelta(seconds=number)))
        batch.advance(str(number))
    print(number, flush=True)
"""


@pytest.mark.parametrize("seed", range(6))
def test_a_kill_in_the_middle_of_writing_leaves_whole_batches(tmp_path, seed):
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    chance = random.Random(seed)
    for _ in range(3):
        told = _write_until_killed(url, chance)
        store = open_store(url)
        _check_whole(store, at_least=told)
        store.close()


def _write_until_killed(url, chance):
    """The last batch that the writer said it had committed."""
    writer = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), url], stdout=subprocess.PIPE, text=True
    )
    told = int(writer.stdout.readline())
    time.sleep(chance.uniform(0.0, 0.08))
    writer.send_signal(signal.SIGKILL)
    told = max([told, *map(int, writer.stdout.read().split())])
    writer.stdout.close()
    assert writer.wait(30) == -signal.SIGKILL
    return told


def _check_whole(store, *, at_least):
    status = store.views.status()
    number = int(status.cursors[0].position)
    # A kill between the commit and the word about it is fine; the other way round is not.
    assert at_least <= number <= at_least + 1
    assert status.events == {"accepted": 20 * number}
    assert store.views.event(f"{number}-19") is not None
    assert store.views.event(f"{number + 1}-0") is None
    customers = store.views.customers(f"customer-{part}" for part in range(50))
    assert {one.traits["batch"] for one in customers.values()} == {number}
    assert len(customers) == 50
    assert len(store.views.timeline("customer-9").journal) == number
    assert status.inbox == 5
    with pytest.raises(ZeroDivisionError), store.transaction() as batch:  # noqa: PT012 - a look
        assert len({what.at for _, what in batch.take_inbox(limit=99)}) == 1
        raise ZeroDivisionError
