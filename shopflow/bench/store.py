"""What keeping a batch costs, by statement, beside the same rows written with the bare driver.

The batch is what a worker writes for 500 events of a shop. Deciding is left out: what it would
give is there beforehand. Each batch takes customers that were not touched lately, the store and
the bare drivers in turn.
"""

from __future__ import annotations

import gc
import json
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter
from uuid import uuid4

import psycopg
from sqlalchemy import update

from shopflow.bench import batches
from shopflow.bench.batches import PARTITIONS, Work
from shopflow.bench.floor import (
    AFTER_READING,
    BatchRows,
    Floor,
    PostgresJson,
    PostgresMany,
    SqliteFloor,
)
from shopflow.store import tables
from shopflow.store.opening import dialect_of, open_store
from shopflow.store.protocol import Store
from shopflow.store.sql import rows, shapes
from shopflow.store.sql.batch import PART
from shopflow.store.sql.database import Database
from shopflow.store.tally import Tally, partition_of

#: Events of one batch.
BATCH = 500
#: Batches that each side writes in a round.
BATCHES = 3
CUSTOMERS = 20_000
#: The store may cost this many times the best bare driver.
BAR = 1.35
SEED = 20260303

STREAM = "bench"
DECIDED = "(deciding, not counted)"
ROWS = "the store's statements"
VALUES = "the store"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One kind of database: microseconds an event, medians over the rounds of one run."""

    database: str
    #: With the domain's values in and out.
    store: float
    #: The same transactions and statements with rows in and out.
    rows: float
    floors: Mapping[str, float]
    #: Statement -> what the caller waited for it, in the order of the batch.
    profile: Mapping[str, float]

    @property
    def floor(self) -> float:
        """The best bare driver."""
        return min(self.floors.values())

    @property
    def ratio(self) -> float:
        """How many times the floor the store costs, rows in and rows out."""
        return self.rows / self.floor

    @property
    def whole(self) -> float:
        """How many times the floor it costs with the domain's values in and out."""
        return self.store / self.floor


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All databases of one run."""

    rounds: int
    lines: tuple[Line, ...]

    @property
    def reached(self) -> bool:
        """Every database is within the bar."""
        return all(line.ratio <= BAR for line in self.lines)


def run(
    rounds: int = 7,
    *,
    postgres: str | None = None,
    customers: int = CUSTOMERS,
    done: Callable[[], object] = lambda: None,
) -> Report:
    """Measure SQLite in a folder of its own, and PostgreSQL where a server is named.

    The server gets a database that is gone afterwards. `done` is called after each round.
    """
    lines = []
    with _sqlite() as (url, floors):
        lines.append(_Sides(url, floors, customers).measure(rounds, done))
    if postgres is not None:
        with _postgres(postgres) as (url, floors):
            lines.append(_Sides(url, floors, customers).measure(rounds, done))
    return Report(rounds=rounds, lines=tuple(lines))


#: Opens the floors of a database, once it has its tables.
_Floors = Callable[[], list[Floor]]


@contextmanager
def _sqlite() -> Iterator[tuple[str, _Floors]]:
    with tempfile.TemporaryDirectory(prefix="shopflow-bench-") as folder:
        path = Path(folder) / "shop.db"
        yield f"sqlite:///{path}", lambda: [SqliteFloor(str(path))]


@contextmanager
def _postgres(server: str) -> Iterator[tuple[str, _Floors]]:
    name = f"shopflow_bench_{uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
        try:
            url = server.rpartition("/")[0] + f"/{name}"
            yield url, lambda: [PostgresJson(url), PostgresMany(url)]
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


class _Sides:
    """The store and the bare drivers on one database, each batch on rows of its own."""

    def __init__(self, url: str, floors: _Floors, customers: int) -> None:
        self._database = url.partition(":")[0]
        self._url, self._open_floors, self._customers = url, floors, customers
        self._chance = Random(SEED)  # noqa: S311 - the same batches in every run
        self._numbers = count(1)
        self._laps: defaultdict[str, list[float]] = defaultdict(list)

    def measure(self, rounds: int, done: Callable[[], object]) -> Line:
        """The first round only warms up."""
        store = open_store(self._url, partitions=PARTITIONS)
        self._fill(store)
        floors = [_Statements(self._url, store.take_over(ROWS).epoch), *self._open_floors()]
        times: defaultdict[str, list[float]] = defaultdict(list)
        try:
            epoch = store.take_over(STREAM).epoch
            for _ in range(rounds + 1):
                self._round(store, epoch, floors, times)
                done()
        finally:
            for floor in floors:
                floor.close()
            store.close()
        middle = {name: median(each[1:]) for name, each in times.items()}
        laps = {name: median(each[BATCHES:]) for name, each in self._laps.items()}
        return Line(
            database=self._database,
            store=middle.pop(VALUES),
            rows=middle.pop(ROWS),
            floors=middle,
            profile={name: lap for name, lap in laps.items() if name != DECIDED},
        )

    def _round(
        self, store: Store, epoch: int, floors: list[Floor], times: defaultdict[str, list[float]]
    ) -> None:
        spent: defaultdict[str, float] = defaultdict(float)
        for _ in range(BATCHES):
            # In another order each time: one commit in a few also tidies up after the others.
            for floor in self._chance.sample([None, *floors], 1 + len(floors)):
                work = self._next()
                if floor is None:
                    spent[VALUES] += self._store(store, epoch, work)
                    continue
                rows_of = self._rows(store, work)
                with _quiet():
                    start = perf_counter()
                    floor.write(rows_of)
                    spent[floor.name] += perf_counter() - start
        for name, seconds in spent.items():
            times[name].append(seconds / BATCHES / BATCH * 1e6)

    def _next(self) -> Work:
        return batches.some_work(
            self._chance,
            BATCH,
            number=next(self._numbers),
            customers=self._customers,
            prefix=uuid4().hex[:8],
        )

    def _fill(self, store: Store) -> None:
        for start in range(0, self._customers, 1_000):
            with store.transaction() as batch:
                batch.save(
                    batches.a_customer(self._chance, number)
                    for number in range(start, start + 1000)
                )

    def _store(self, store: Store, epoch: int, work: Work) -> float:
        """Seconds of one batch through the store, without those of deciding."""
        with _quiet():
            laps = _Laps()
            with store.transaction(STREAM, epoch) as batch:
                laps.lap("begin, fence")
                batch.accept_events(work.arrivals)
                laps.lap("events")
                loaded = batch.load(work.ids)
                laps.lap("customers read")
                decided = work.decided(loaded)
                laps.lap(DECIDED)
                batch.save(decided)
                laps.lap("customers written")
                batch.journal(work.entries)
                laps.lap("journal")
                batch.queue(work.messages)
                laps.lap("messages")
                batch.advance(work.position, work.read_to)
            laps.lap("stats, cursor, commit")
        for name, seconds in laps.seconds.items():
            self._laps[name].append(seconds / BATCH * 1e6)
        return sum(laps.seconds.values()) - laps.seconds[DECIDED]

    @staticmethod
    def _rows(store: Store, work: Work) -> BatchRows:
        """The rows that the store writes for this batch."""
        loaded = store.views.customers(work.ids)
        tally = Tally(store.partition_of)
        events = [rows.event_row(arrival) for arrival in work.arrivals]
        tally.add_events((row[0], row[1], True) for row in events)
        for entry in work.entries:
            tally.add_entry(entry)
        return BatchRows(
            position=work.position,
            keys=sorted((partition_of(key, PARTITIONS), key) for key in work.ids),
            events=events,
            customers=sorted(
                rows.customer_row(customer, partition_of(customer.id, PARTITIONS))
                for customer in work.decided(loaded)
            ),
            journal=[rows.journal_row(entry) for entry in work.entries],
            messages=sorted(rows.message_row(message) for message in work.messages),
            stats=[(*key, *sums) for key, sums in sorted(tally.sums.items())],
        )


class _Statements:
    """The store without values: its connections and statements, on ready-made rows."""

    name = ROWS

    def __init__(self, url: str, epoch: int) -> None:
        self._dialect = dialect_of(url)
        self._database = Database(self._dialect, PARTITIONS)
        self._epoch = epoch

    def write(self, given: BatchRows) -> None:
        """See `Floor`."""
        dialect, cursors = self._dialect, tables.cursors
        mine = update(cursors).where(cursors.c.stream == ROWS)
        with self._database.writing() as connection:
            fence = mine.where(cursors.c.epoch == self._epoch).values(epoch=self._epoch)
            connection.execute(fence)
            dialect.insert_new(connection, shapes.EVENTS, given.events)
            list(dialect.customers(connection, given.keys, to_write=True))
            for start in range(0, len(given.customers), PART):
                part = given.customers[start : start + PART]
                dialect.insert(connection, shapes.CUSTOMERS, part)
            for name, shape in AFTER_READING[1:]:
                dialect.insert(connection, shape, getattr(given, name))
            connection.execute(mine.values(position=given.position))

    def close(self) -> None:
        """See `Floor`."""
        self._dialect.engine.dispose()


class _Laps:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = perf_counter()

    def lap(self, name: str) -> None:
        """What passed since the lap before was spent on this."""
        now = perf_counter()
        self.seconds[name] = now - self._last
        self._last = now


@contextmanager
def _quiet() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def render(report: Report) -> str:
    """The report as tables for a terminal."""
    parts = []
    for line in report.lines:
        parts.append(f"{line.database}, microseconds an event, batches of {BATCH}")
        parts += [f"  {name:<34}{spent:>8.1f}" for name, spent in line.profile.items()]
        parts.append(f"  {'the store, values in and out':<34}{line.store:>8.1f}")
        parts.append(f"  {'its statements, rows in and out':<34}{line.rows:>8.1f}")
        parts += [f"  {f'bare {name}':<34}{spent:>8.1f}" for name, spent in line.floors.items()]
        verdict = "within" if line.ratio <= BAR else "over"
        parts.append(
            f"  rows in and out cost {line.ratio:.2f} times the best bare driver, {verdict} the "
            f"bar of {BAR:g}; with the values {line.whole:.2f} times"
        )
    parts.append(f"median of {report.rounds} rounds")
    return "\n".join(parts)


def render_json(report: Report) -> str:
    """The report for programs."""
    lines = [
        {**asdict(line), "floor": line.floor, "ratio": line.ratio, "whole": line.whole}
        for line in report.lines
    ]
    return json.dumps({"rounds": report.rounds, "bar": BAR, "lines": lines}, indent=2)
