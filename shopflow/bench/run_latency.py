"""How long an event waits for its committed decision while the process has half its work.

A process of its own adds events at the door at an even pace; this one routes and decides them as
they come, with a tick a second. The doorbells of RQ are left out. Time is that of the measured
customers, who live in another month, and goes as fast as ours.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
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
from shopflow.runtime.queue.partition import Reader
from shopflow.runtime.queue.streams import EVENT, TICK, Streams
from shopflow.store.protocol import Store

#: How long events come, in seconds; those of the first second only warm up.
LASTS = 10.0
_WARM = 1.0
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
        #: When each was over, in seconds of the clock, and how long it took.
        self.spans: list[tuple[datetime, timedelta]] = []

    def took(self, name: str, *labels: str, since: Sequence[datetime], until: datetime) -> None:
        """See `Meter`."""
        del name, labels
        self.spans += [(until, until - one) for one in since]


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
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    arguments = (theirs, url, streams.door, rate, lasts, (customers, now))
    sender = context.Process(target=_send, args=arguments, daemon=True)
    sender.start()
    meter = _Spans()
    try:
        # The shift between its time and ours, once it has made its events.
        shift: timedelta = ours.recv()
        deciding = deciders(store, loaded, clock=lambda: datetime.now(UTC) + shift, meter=meter)
        readers = [Reader(deciding, streams, number) for number in range(PARTITIONS)]
        intake = Intake(store, streams)
        while True:
            is_over = ours.poll()
            touched: set[int] = set()
            intake.work(touched.update, lambda: False)
            for partition in sorted(touched):
                readers[partition].work(lambda: False)
            if is_over and not touched:
                break
            if not touched:
                streams.listen(streams.ingest_cursor(), 50)
    finally:
        sender.kill()
        sender.join()
        client.delete(streams.door, streams.cursor, *map(streams.of, range(PARTITIONS)))
    since = meter.spans[0][0] + timedelta(seconds=_WARM)
    found = [span / timedelta(milliseconds=1) for until, span in meter.spans if until >= since]
    cuts = quantiles(found, n=100)
    return Latency(median=cuts[49], p99=cuts[98], rate=rate)


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
        began = time.time()
        ours.send(start - datetime.fromtimestamp(began, UTC))
        done, ticks = 0, 0
        while done < len(raws):
            passed = time.time() - began
            due = min(int(passed * rate), len(raws))
            place = f"{int((start.timestamp() + passed) * 1000)}-*"
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
