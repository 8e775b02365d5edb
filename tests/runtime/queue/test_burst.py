"""A burst ends when nothing is left, and not before."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from shopflow.runtime.queue.bells import Bell, Kind
from shopflow.runtime.queue.burst import Burst
from shopflow.runtime.simulate import Until

DELIVER = Bell(Kind.DELIVER, "log")


def look(number):
    data = {"sku": f"A{number}", "price": 600.0}
    event = {"id": f"e{number}", "type": "product.viewed", "customer_id": "c1", "data": data}
    return json.dumps(event | {"occurred_at": "2026-03-01T10:00:00Z"})


def drive(fleet):
    """One worker, as RQ would drive it; what others took up stays with them."""
    burst = Burst(fleet, Until.END)
    redis, namespace = fleet.streams.redis, fleet.streams.namespace
    while burst.find_more():
        for bell in fleet.every_bell:
            if redis.lrem(f"rq:queue:{namespace}-{bell.kind}", 1, f"{namespace}-{bell}"):
                fleet.answer(bell)
                redis.delete(f"rq:job:{namespace}-{bell}")
                fleet.answered()


def test_it_waits_until_what_a_dead_worker_was_delivering_can_be_taken_back(house, monkeypatch):
    monkeypatch.setattr("shopflow.runtime.queue.burst.STUCK", 2)
    monkeypatch.setattr("shopflow.runtime.queue.bells.GRACE", 1.0)
    fleet = house.worker()
    house.add([look(number) for number in range(3)])
    for bell in [Bell(Kind.INGEST), *map(fleet.partition_bell, range(fleet.streams.partitions))]:
        fleet.answer(bell)
        fleet.answered()
    # It took up the bell and the messages, and died; its lease has run out.
    fleet.bells.ring([DELIVER])
    assert house.redis.lpop(f"rq:queue:{house.namespace}-deliver")
    taken = house.store.outbox.lease(
        "log", limit=9, now=datetime.now(UTC), owner="turn-0:log", lease_for=timedelta(minutes=15)
    )
    assert taken
    drive(fleet)
    assert set(house.store.views.status().messages) == {"sent"}
