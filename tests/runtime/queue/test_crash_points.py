"""Killed before or after any single word to Redis or SQL: nothing is lost, nothing counts twice."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis
from redis.client import Pipeline
from support.production import lose
from support.servers import redis_url

from shopflow.errors import StoreError
from shopflow.runtime.queue.burst import Burst
from shopflow.runtime.simulate import Until

BEGIN = datetime(2026, 3, 1, 10, tzinfo=UTC)


class Killed(BaseException):
    """Nothing catches it, as nothing catches kill -9."""


class Fuse:
    """Counts every word to the outside; blows at the one it is set to, said or not yet said."""

    def __init__(self):
        self.count = 0
        self.at = None
        self.said = False
        self.dead = False

    @contextmanager
    def word(self):
        if self.dead:
            raise Killed
        self.count += 1
        self.dead = self.count == self.at
        if self.dead and not self.said:
            raise Killed
        yield
        if self.count == self.at:
            raise Killed


class FusedPipeline(Pipeline):
    def execute(self, raise_on_error=True):  # noqa: FBT002 - as it is called
        with self.fuse.word():
            return super().execute(raise_on_error)


class FusedRedis(Redis):
    def execute_command(self, *args, **options):
        with self.fuse.word():
            return super().execute_command(*args, **options)

    def pipeline(self, transaction=True, shard_hint=None):  # noqa: FBT002 - as it is called
        pipe = FusedPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        pipe.fuse = self.fuse
        return pipe


class FusedStore:
    """The store, with a fuse around each of its transactions."""

    def __init__(self, store, fuse):
        self._store = store
        self._fuse = fuse
        self.outbox = _FusedOutbox(store.outbox, fuse)

    def __getattr__(self, name):
        return getattr(self._store, name)

    @contextmanager
    def transaction(self, *stream):
        with self._fuse.word(), self._store.transaction(*stream) as batch:
            yield batch

    def take_over(self, stream):
        with self._fuse.word():
            return self._store.take_over(stream)


class _FusedOutbox:
    def __init__(self, outbox, fuse):
        self._outbox = outbox
        self._fuse = fuse

    def __getattr__(self, name):
        call = getattr(self._outbox, name)

        def fused(*args, **options):
            # Lanes are many tasks: the first of them to die tells the others so.
            try:
                with self._fuse.word():
                    return call(*args, **options)
            except Killed as e:
                raise StoreError("killed") from e

        return fused


def stream():
    """A few customers who look and buy, twice the same, and garbage."""
    lines = []
    for number in range(12):
        kind = "order.placed" if number % 4 == 3 else "product.viewed"
        item = {"sku": "A1", "price": 700.0}
        data = {"order_id": f"o{number}", "total": 700.0, "items": []}
        event = {
            "id": f"e{number}",
            "type": kind,
            "occurred_at": (BEGIN + timedelta(minutes=7 * number)).isoformat(),
            "customer_id": f"c{number % 3}",
            "data": data if kind == "order.placed" else item,
        }
        lines.append(json.dumps(event))
    return [*lines[:5], "garbage", *lines[3:], "{}"]


EVENTS = {"accepted": 12, "duplicate": 2, "dead_letter": 2}


def drive(fleet):
    """One worker, as RQ would drive it, until nothing is left."""
    burst = Burst(fleet, Until.DRAIN)
    while burst.find_more():
        rung = fleet.streams.redis.smembers(f"{fleet.streams.namespace}:rung")
        for bell in fleet.every_bell:
            if str(bell).encode() in rung:
                fleet.answer(bell)
                fleet.answered()


@pytest.fixture
def quick(monkeypatch):
    """Small batches, so that there are many points; no waiting."""
    monkeypatch.setattr("shopflow.runtime.queue.burst.LOOK", 0)
    monkeypatch.setattr("shopflow.runtime.queue.burst.STUCK", 2)
    monkeypatch.setattr("shopflow.runtime.queue.streams.BATCH", 4)


def fused(house, fuse):
    """A worker of the house that the fuse can kill."""
    redis = FusedRedis.from_url(redis_url(), protocol=2)
    redis.fuse = fuse
    app = type(house.app)(
        loaded=house.loaded, store=FusedStore(house.store, fuse), event_clock=True
    )
    return house.worker(redis, app)


def undisturbed(houses):
    house, fuse = houses("calm"), Fuse()
    house.add(stream())
    drive(fused(house, fuse))
    assert house.events == EVENTS
    return house.sends(), fuse.count


#: One point in so many is tried; a few such rows always, the rest of them by `make soak`.
STEP = 31
ALWAYS = (11, 27)
REST = [pytest.param(n, marks=pytest.mark.soak) for n in range(STEP) if n not in ALWAYS]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("share", [*ALWAYS, *REST])
def test_killed_at_any_point_the_next_worker_completes_the_work(houses, share):
    expected, points = undisturbed(houses)
    assert len(expected) > 10
    for number, at in enumerate(range(1 + share, points, STEP)):
        house, fuse = houses(f"kill{number}"), Fuse()
        fuse.at, fuse.said = at, number % 2 == 0
        house.add(stream())
        # A worker may find its way with fewer words, and then has nothing left to do.
        with suppress(Killed, StoreError, BaseExceptionGroup):
            drive(fused(house, fuse))
        house.forget_leases()
        drive(house.worker())
        assert house.events == EVENTS, f"killed at word {at}, said: {fuse.said}"
        assert house.sends() == expected
        assert set(house.store.views.status().messages) == {"sent"}
        lose(house.redis, house.namespace)
