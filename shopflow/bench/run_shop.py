"""One database of `bench run`, its twin for the floor, and the streams that both read."""

from __future__ import annotations

import gc
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any
from uuid import uuid4

import psycopg
from redis import Redis

from shopflow.bench.run_events import SHARES, Sent, Shop
from shopflow.bench.run_floor import (
    Noted,
    NotingStore,
    PostgresRun,
    RunFloor,
    SqliteRun,
    read_stream,
)
from shopflow.bench.run_naive import Naive, microseconds
from shopflow.bench.run_people import NOW, pace, people
from shopflow.domain.event import Facts
from shopflow.engine import Rulebook
from shopflow.rulebook import LoadedProject
from shopflow.runtime.ingest import Ingest
from shopflow.runtime.meter import Meter
from shopflow.runtime.process import Processor
from shopflow.runtime.queue.intake import Intake
from shopflow.runtime.queue.partition import Deciders, Reader
from shopflow.runtime.queue.streams import AT, BATCH, EVENT, TICK, EntryId, StreamEntry, Streams
from shopflow.runtime.sweep import Sweeps
from shopflow.runtime.timers import Timers
from shopflow.runtime.workset import Rules
from shopflow.store.opening import dialect_of, open_store
from shopflow.store.protocol import Store
from shopflow.store.tally import partition_of

PARTITIONS = 2
SEED = 20260303
#: Days that there is room for before anything is measured.
_ROOM = timedelta(days=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One measurement: how long so many events took, and what was written."""

    seconds: float
    events: int
    noted: tuple[Noted, ...]

    @property
    def microseconds(self) -> float:
        """Of one event."""
        return self.seconds / self.events * 1e6


@dataclass(frozen=True, slots=True)
class Clocked(Streams):
    """Streams whose entries are the clock: it is the time of the latest that was read."""

    def read(self, stream: str, after: EntryId, limit: int = BATCH) -> list[StreamEntry]:
        """See `Streams`."""
        entries = Streams.read(self, stream, after, limit)
        if entries:
            _NOW[0] = entries[-1].received_at
        return entries


_NOW = [NOW]


def deciders(
    store: Store,
    loaded: LoadedProject,
    *,
    clock: Callable[[], datetime] = lambda: _NOW[0],
    meter: Meter | None = None,
) -> Deciders:
    """What decides by this project's rules; the clock is that of `Clocked` streams unless told."""
    ingest = Ingest(loaded.events.schemas)
    rules = Rules(rulebook=Rulebook(loaded.ruleset), facts=Facts(), secrets=ingest.secrets)
    return Deciders(
        store=store,
        processor=Processor(store, rules, ingest),
        timers=Timers(store, rules),
        sweeps=Sweeps(store, rules),
        clock=clock,
        meter=meter or Meter(),
    )


class Bench:
    """The product and its floor, each on a database of its own with the same customers."""

    def __init__(
        self,
        urls: tuple[str, str],
        redis: Redis,
        loaded: LoadedProject,
        customers: int,
    ) -> None:
        ours, theirs = urls
        self.store = NotingStore(dialect_of(ours), PARTITIONS)
        postgres = ours.startswith("postgresql")
        self._floor: RunFloor = PostgresRun(theirs) if postgres else SqliteRun(theirs)
        namespace = f"shopflow-bench-{uuid4().hex[:12]}"
        self.streams = Clocked(redis, namespace, PARTITIONS)
        self._copies = Streams(redis, f"{namespace}-floor", PARTITIONS)
        self._loaded = loaded
        self._deciders = deciders(self.store, loaded)
        chance = Random(SEED)  # noqa: S311 - the same events in every run
        # A shop that is too small would be measured for months.
        self.shop = Shop(chance, customers, NOW, pace=pace(max(customers, 20_000)))
        self._waiting: dict[int, list[Sent]] = {number: [] for number in range(PARTITIONS)}

    def fill(self, partition: int, batches: int, *, copied: bool = True) -> int:
        """So many batches, each followed by a tick, wait in the partition; returns the events.

        What was due before them has fired, so that none has to make up for the time that other
        parts took. Copied ones wait for the floor, too.
        """
        ready = self._waiting[partition]
        while len(ready) < batches * BATCH:
            for sent in self.shop.events(BATCH):
                key = sent.event.concerns or sent.event.id
                self._waiting[partition_of(key, PARTITIONS)].append(sent)
        some, self._waiting[partition] = ready[: batches * BATCH], ready[batches * BATCH :]
        self._settle(partition, some[0].event.occurred_at, copied=copied)
        entries = list(_entries(some))
        for streams in (self.streams, *((self._copies,) if copied else ())):
            with streams.redis.pipeline(transaction=False) as pipe:
                for fields in entries:
                    pipe.xadd(streams.of(partition), fields)
                pipe.execute()
        return len(some)

    def _settle(self, partition: int, at: datetime, *, copied: bool) -> None:
        fields: dict[Any, Any] = {TICK: at.isoformat(), AT: _place(at)}
        self.streams.redis.xadd(self.streams.of(partition), fields)
        self.store.taken()
        Reader(self._deciders, self.streams, partition).work(lambda: False)
        for noted in self.store.taken() if copied else ():
            self._floor.write(noted)

    def product(self, partition: int, batches: int) -> Measured:
        """The events of the batches, from the stream to the committed outbox."""
        events = self.fill(partition, batches)
        reader = Reader(self._deciders, self.streams, partition)
        self.store.taken()
        gc.collect()
        start = perf_counter()
        reader.work(lambda: False)
        seconds = perf_counter() - start
        return Measured(seconds=seconds, events=events, noted=tuple(self.store.taken()))

    def floor(self, like: Measured, partition: int) -> Measured:
        """The same entries read, and the same rows, by the bare drivers."""
        redis, stream, place = self._copies.redis, self._copies.of(partition), "0"
        gc.collect()
        start = perf_counter()
        while (last := read_stream(redis, stream, place, BATCH)) is not None:
            place = last
        for noted in like.noted:
            self._floor.write(noted)
        seconds = perf_counter() - start
        return Measured(seconds=seconds, events=like.events, noted=())

    def forget(self, partition: int) -> None:
        """What waits for the floor is gone."""
        self._copies.redis.delete(self._copies.of(partition))

    def naive(self, events: int) -> Callable[[], float]:
        """Microseconds an event of the naive design, on new events at each call."""
        naive = Naive(self.store, self._loaded, SHARES)

        def measured() -> float:
            some = list(self.shop.events(events))
            gc.collect()
            spent = microseconds(self.streams.redis, naive, some)
            self.store.taken()
            return spent

        return measured

    def ingest(self, batches: int) -> float:
        """Microseconds an event: routed from the door to its partition, read and validated."""
        some = list(self.shop.events(batches * BATCH))
        door = Streams(self.streams.redis, f"{self.streams.namespace}-door", PARTITIONS)
        door.add(sent.raw for sent in some)
        intake, ingest = Intake(self.store, door), Ingest(self._loaded.events.schemas)
        gc.collect()
        start = perf_counter()
        intake.work(lambda _: None, lambda: False)
        for sent in some:
            ingest.read(sent.raw, received_at=sent.event.occurred_at)
        spent = perf_counter() - start
        door.redis.delete(door.door, door.cursor, *map(door.of, range(PARTITIONS)))
        return spent / len(some) * 1e6

    def close(self) -> None:
        """Connections and streams are gone."""
        for streams in (self.streams, self._copies):
            streams.redis.delete(*map(streams.of, range(PARTITIONS)))
        self._floor.close()
        self.store.close()


def _entries(some: Iterable[Sent]) -> Iterator[dict[Any, Any]]:
    for number, sent in enumerate(some, 1):
        at = sent.event.occurred_at
        yield {EVENT: sent.raw, AT: _place(at)}
        if number % BATCH == 0:
            yield {TICK: at.isoformat(), AT: _place(at)}


def _place(at: datetime) -> str:
    return f"{round(at.timestamp() * 1000) + 1}-0"


#: Fills a database, given by its URL.
_Fill = Callable[[str], None]


def filled(loaded: LoadedProject, customers: int) -> _Fill:
    """Fills a database with so many customers."""

    def fill(url: str) -> None:
        store = open_store(url, partitions=PARTITIONS)
        dialect = dialect_of(url)
        if dialect.days is not None:
            dialect.days.make_room(NOW + _ROOM, since=NOW)
        dialect.engine.dispose()
        everyone = people(Rulebook(loaded.ruleset), Random(SEED), customers)  # noqa: S311 - as above
        part = []
        for customer in everyone:
            part.append(customer)
            if len(part) == 1_000:  # noqa: PLR2004 - a transaction of a fair size
                _save(store, part)
        _save(store, part)
        store.close()

    return fill


def _save(store: Any, part: list[Any]) -> None:
    with store.transaction() as batch:
        batch.save(part)
    part.clear()


@contextmanager
def sqlite(fill: _Fill) -> Iterator[tuple[str, str]]:
    """Two equal SQLite databases, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="shopflow-bench-") as folder:
        ours, theirs = (Path(folder) / name for name in ("ours.db", "floor.db"))
        fill(f"sqlite:///{ours}")
        shutil.copyfile(ours, theirs)
        yield f"sqlite:///{ours}", f"sqlite:///{theirs}"


@contextmanager
def postgres(server: str, fill: _Fill) -> Iterator[tuple[str, str]]:
    """Two equal PostgreSQL databases, gone afterwards."""
    names = [f"shopflow_bench_{uuid4().hex[:12]}" for _ in range(2)]
    base = server.rpartition("/")[0]
    with psycopg.connect(server, autocommit=True) as admin:
        try:
            admin.execute(f"CREATE DATABASE {names[0]}".encode())
            fill(f"{base}/{names[0]}")
            with psycopg.connect(f"{base}/{names[0]}", autocommit=True) as filled:
                filled.execute("VACUUM ANALYZE")
            admin.execute(f"CREATE DATABASE {names[1]} TEMPLATE {names[0]}".encode())
            admin.execute("CHECKPOINT")
            yield f"{base}/{names[0]}", f"{base}/{names[1]}"
        finally:
            for name in names:
                admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
