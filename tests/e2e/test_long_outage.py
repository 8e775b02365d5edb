"""A mail server that is down for an hour: the outbox keeps all, and each mail leaves once."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
from support.running import MailSink
from support.servers import free_port

from shopflow import plugins
from shopflow.bench.mail import _envelopes
from shopflow.bench.mail_shop import a_message, written
from shopflow.channel import OnUncertain
from shopflow.domain.customer import Customer
from shopflow.rulebook import load_project
from shopflow.runtime.carrier import Carrier, Delivery
from shopflow.runtime.deliver import Deliverer
from shopflow.runtime.embedded import StoreThread
from shopflow.store.opening import open_store
from shopflow.store.records import DeliveryState

COUNT = 40
HOUR = timedelta(hours=1)
#: So much faster than the wall runs the clock of these deliverers.
SPEED = 1000


@pytest.mark.slow
def test_after_an_hour_without_a_server_every_mail_leaves_once(tmp_path):
    loaded, port = load_project(written(tmp_path)).require(), free_port()
    url, begun, zero = f"sqlite:///{tmp_path / 'shop.db'}", time.monotonic(), datetime.now(UTC)

    def clock():
        return zero + SPEED * timedelta(seconds=time.monotonic() - begun)

    def deliver(until):
        """One process's life: until the condition holds of its store."""

        async def run():
            running = asyncio.create_task(deliverer.run())
            while not until(store) and not running.done():  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.02)
            deliverer.stop()
            await running

        store, write = open_store(url, partitions=4), StoreThread()
        channel = plugins.build(
            "email", {"host": "127.0.0.1", "port": port, "from": "shop@shop.example"}
        )
        carrier = Carrier(name="email", channel=channel, on_uncertain=OnUncertain.RESEND)
        delivery = Delivery(
            store=store, envelopes=_envelopes(loaded), write=write, clock=clock, owner="one"
        )
        deliverer = Deliverer({"email": carrier}, delivery)
        asyncio.run(run())
        messages = store.views.messages(limit=COUNT)
        write.close()
        store.close()
        return messages

    store = open_store(url, partitions=4)
    with store.transaction() as batch:
        batch.save([Customer(id="anna")])
        batch.queue([a_message(number) for number in range(COUNT)])
    store.close()

    waiting = deliver(lambda _: clock() > zero + HOUR)
    assert {one.state for one in waiting} == {DeliveryState.QUEUED}
    assert max(one.attempts for one in waiting) > 1, "it was tried, and tried again"
    assert not any(one.uncertain for one in waiting)

    sink = MailSink()
    with sink.listening(port):
        sent = deliver(lambda store: not store.outbox.pending())
    assert {one.state for one in sent} == {DeliveryState.SENT}
    assert set(sink.counts.values()) == {1}
    assert len(sink.counts) == COUNT
