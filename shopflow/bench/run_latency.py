"""How long an event waits for its committed decision while the process has half its work.

A process of its own adds events at the door at an even pace; this one routes and decides them as
they come, with a tick a second. What is due before the first event has fired, as in a shop that was
open all along. The doorbells of RQ are left out. Time is that of the measured customers, who live
in another month, and goes as fast as ours.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection
from random import Random
from statistics import quantiles
from typing import NamedTuple
from uuid import uuid4

from redis import Redis

from shopflow.bench.run_events import Shop
from shopflow.bench.run_shop import PARTITIONS, SEED, deciders
from shopflow.rulebook import LoadedProject
from shopflow.runtime.meter import Meter
from shopflow.runtime.queue.intake import Intake
from shopflow.runtime.queue.partition import Deciders, Reader
from shopflow.runtime.queue.streams import EVENT, TICK, Streams
from shopflow.store.protocol import Store

#: How long events come, in seconds; those of the first second only warm up.
LASTS = 10.0
_WARM = 1.0
_MILLISECOND = timedelta(milliseconds=1)
#: Entries that come together: a shop's server does not send them one by one at this rate.
_STEP = 0.005


class Latency(NamedTuple):
    """Milliseconds, and at how many events a second."""

    median: float
    p99: float
    rate: float


class _Spans(Meter):
    """Keeps every length of time instead of their sums."""

    def __init__(self) -> None:
        super().__init__()
        #: When each began, by the clock, and how long it took.
        self.spans: list[tuple[datetime, timedelta]] = []

    def took(self, name: str, *labels: str, since: Sequence[datetime], until: datetime) -> None:
        """See `Meter`."""
        del name, labels
        self.spans += [(one, until - one) for one in since]


class _Working:
    """Routes and decides what has come."""

    def __init__(self, streams: Streams, deciding: Deciders) -> None:
        self._intake = Intake(deciding.store, streams)
        self._readers = [Reader(deciding, streams, number) for number in range(PARTITIONS)]

    def work(self) -> bool:
        """False when nothing was at the door, and nothing left."""
        touched = {number for number, reader in enumerate(self._readers) if reader.gave_way}
        self._intake.work(touched.update, lambda: False)
        for partition in sorted(touched):
            self._readers[partition].work(lambda: False)
        return bool(touched)


def measure(
    store: Store,
    loaded: LoadedProject,
    redis: tuple[str, Redis],
    now: datetime,
    rate: float,
    *,
    customers: int,
    lasts: float = LASTS,
) -> Latency:
    """Events come at this rate for so many seconds; for the customers it is `now` at the start."""
    url, client = redis
    streams = Streams(client, f"shopflow-bench-{uuid4().hex[:12]}", PARTITIONS)
    meter = _Spans()
    #: Real time when the first event comes; the customers' time stands still until then.
    began: float | None = None

    def clock() -> datetime:
        return now if began is None else now + timedelta(seconds=time.time() - began)

    working = _Working(streams, deciders(store, loaded, clock=clock, meter=meter))
    try:
        client.xadd(streams.door, {TICK: b""}, id=_place(now))
        while working.work():
            continue
        with _sender(url, streams.door, rate, lasts, (customers, now)) as sender:
            began = time.time()
            sender.send(began)
            while True:
                is_over = sender.poll()
                if working.work():
                    continue
                if is_over:
                    break
                streams.listen(streams.ingest_cursor(), 50)
    finally:
        client.delete(streams.door, streams.cursor, *map(streams.of, range(PARTITIONS)))
    start = now + timedelta(seconds=_WARM)
    cuts = quantiles([span / _MILLISECOND for at, span in meter.spans if at >= start], n=100)
    return Latency(median=cuts[49], p99=cuts[98], rate=rate)


@contextmanager
def _sender(*arguments: object) -> Iterator[Connection]:
    """A process that sends once it is told when it begins; tells when all is sent."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_send, args=(theirs, *arguments), daemon=True)
    process.start()
    # With our copy open, a sender that died would be waited for.
    theirs.close()
    try:
        # Its events are made.
        ours.recv()
        yield ours
    finally:
        process.kill()
        process.join()


def _send(
    ours: Connection,
    url: str,
    door: str,
    rate: float,
    lasts: float,
    world: tuple[int, datetime],
) -> None:
    """The process that sends: an event's place in the door says when it came, in shop time."""
    customers, start = world
    chance = Random(SEED + 1)  # noqa: S311 - the same events in every run
    pace = timedelta(seconds=1 / rate)
    shop = Shop(chance, customers, start, pace=pace, name=f"l-{uuid4().hex[:6]}")
    raws = [sent.raw for sent in shop.events(int(rate * lasts))]
    with Redis.from_url(url, protocol=2) as client:
        ours.send(None)
        began = ours.recv()
        done, ticks = 0, 0
        while done < len(raws):
            passed = time.time() - began
            due = min(int(passed * rate), len(raws))
            place = _place(start + timedelta(seconds=passed))
            with client.pipeline(transaction=False) as pipe:
                for raw in raws[done:due]:
                    pipe.xadd(door, {EVENT: raw}, id=place)
                if passed >= ticks:
                    pipe.xadd(door, {TICK: b""}, id=place)
                    ticks += 1
                pipe.execute()
            done = due
            time.sleep(_STEP)
    ours.send(None)
    # Its end would take time from what is still measured; it is killed afterwards.
    ours.poll(None)


def _place(at: datetime) -> str:
    return f"{int(at.timestamp() * 1000)}-*"
