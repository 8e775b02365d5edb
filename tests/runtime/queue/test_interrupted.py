"""A job that lasts too long is interrupted wherever it stands: nothing of it goes on by itself."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace

import pytest
from rq.timeouts import JobTimeoutException
from support.production import wait_for

from shopflow.channel import OnUncertain
from shopflow.errors import StoreError
from shopflow.lang.project import Delivery, DeliveryMode
from shopflow.runtime.carrier import Carrier
from shopflow.runtime.queue.bells import Bell, Kind
from shopflow.runtime.queue.delivery import Deliveries
from shopflow.testing.recording import RecordingChannel

CUSTOMERS = [f"c{number}" for number in range(9)]


class Slow(RecordingChannel):
    """Keeps what it is given, and answers once it may."""

    def __init__(self):
        super().__init__()
        self.may = asyncio.Event()
        self.begun = 0
        self.answered = 0

    async def send(self, messages):
        self.begun += 1
        await self.may.wait()
        self.answered += 1
        async for answer in super().send(messages):
            yield answer


@pytest.fixture
def shop(house):
    """A house with a message for each customer in its outbox."""
    fleet = house.worker()
    item = {"sku": "A1", "price": 600.0}
    house.add(
        json.dumps(
            {
                "id": f"e-{customer}",
                "type": "product.viewed",
                "occurred_at": "2026-03-01T10:00:00Z",
                "customer_id": customer,
                "data": item,
            }
        )
        for customer in CUSTOMERS
    )
    for bell in [Bell(Kind.INGEST), *map(fleet.partition_bell, range(fleet.streams.partitions))]:
        fleet.answer(bell)
        fleet.answered()
    assert states(house) == {"queued": len(CUSTOMERS)}
    # So that messages reach the channel.
    delivery = Delivery(mode=DeliveryMode.ALLOWLIST, allowlist=("*",))
    project = replace(house.loaded.project, delivery=delivery)
    house.app = replace(house.app, loaded=replace(house.loaded, project=project))
    return house


def states(house):
    return {str(state): count for state, count in house.store.views.status().messages.items()}


@contextmanager
def deliveries_on(house, channel):
    carrier = Carrier(name="log", channel=channel, on_uncertain=OnUncertain.RESEND, slots=2)
    deliveries = Deliveries(house.store, {"log": carrier})
    try:
        yield deliveries
    finally:
        deliveries.close()


def interrupt(deliveries, monkeypatch, when):
    """RQ's alarm goes off while the loop waits, as soon as the condition holds."""
    selector = deliveries._loop.get_loop()._selector
    select, done = selector.select, []

    def selected(timeout=None):
        if when() and not done:
            done.append(True)
            raise JobTimeoutException("Task exceeded maximum timeout value (300 seconds)")
        return select(timeout)

    monkeypatch.setattr(selector, "select", selected)


def never():
    return False


def test_an_interrupted_turn_leaves_no_task_and_takes_back_its_messages(shop, monkeypatch):
    channel = Slow()
    with deliveries_on(shop, channel) as deliveries:
        interrupt(deliveries, monkeypatch, lambda: channel.begun == 2)
        with pytest.raises(JobTimeoutException):
            deliveries.work(shop.app, "log", never, lambda: None)
        assert not asyncio.all_tasks(deliveries._loop.get_loop())
        assert channel.answered == 0
        # What had begun may have left; the others have not, and wait as before.
        assert states(shop) == {"queued": len(CUSTOMERS)}
        assert not shop.store.outbox.in_hand()
        assert len([one for one in shop.store.views.messages() if one.uncertain]) == 2
        # The same worker's next job delivers all of it, each once.
        channel.may.set()
        deliveries.work(shop.app, "log", never, lambda: None)
    all_left_once(shop, channel)


def test_a_turn_that_is_interrupted_in_its_own_code_ends_in_order(shop):
    channel = Slow()

    def alarm():
        if channel.begun == 2 and not channel.may.is_set():
            channel.may.set()
            raise JobTimeoutException
        return False

    with deliveries_on(shop, channel) as deliveries:
        with pytest.raises(JobTimeoutException):
            deliveries.work(shop.app, "log", alarm, lambda: None)
        assert not asyncio.all_tasks(deliveries._loop.get_loop())
        assert not shop.store.outbox.in_hand()
        deliveries.work(shop.app, "log", never, lambda: None)
    all_left_once(shop, channel)


def test_a_lease_that_outlives_its_turn_leaves_nothing_in_dead_hands(shop, monkeypatch):
    """The store is called by a thread, which goes on while the turn ends with an error."""
    channel, outbox = RecordingChannel(), shop.store.outbox
    record, lease = outbox.record, outbox.lease
    refused, late = threading.Event(), threading.Event()

    def recorded(**words):
        if not refused.is_set():
            wait_for(lambda: deliveries._write._executor._work_queue.qsize() > 0)
            refused.set()
            raise StoreError("the disk is full")
        return record(**words)

    def leased(*words, **more):
        if refused.is_set() and not late.is_set():
            assert late.wait(60)
            # Whichever sender's it is, there is something for it.
            more["classes"] = None
        return lease(*words, **more)

    monkeypatch.setattr(outbox, "record", recorded)
    monkeypatch.setattr(outbox, "lease", leased)
    with deliveries_on(shop, channel) as deliveries, deliveries_on(shop, channel) as other:
        with pytest.raises(StoreError, match="the disk is full"):
            deliveries.work(shop.app, "log", never, lambda: None)
        # Another worker's turn takes back what the dead one held, and only then that leases more.
        other.work(shop.app, "log", lambda: True, lambda: None)
        late.set()
        deliveries._write.close()
        other.work(shop.app, "log", never, lambda: None)
    all_left_once(shop, channel)


def all_left_once(shop, channel):
    assert states(shop) == {"sent": len(CUSTOMERS)}
    assert set(Counter(message.id for message in channel.messages).values()) == {1}
