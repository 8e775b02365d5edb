"""What finding the timers that are due costs, with ten thousand armed and with a million.

The same few are due whatever the number of those that are not.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter
from uuid import uuid4

import psycopg
from sqlalchemy import create_engine, text

from shopflow.store.opening import open_store
from shopflow.store.protocol import Store
from shopflow.store.tables import micros

SIZES = (10_000, 1_000_000)
PARTITIONS = 64
#: Timers that are due, and how many are asked for.
DUE = 500
#: The most timers may cost this many times what the fewest do.
BAR = 2.0

NOW = datetime(2026, 3, 3, 10, tzinfo=UTC)
#: The first ones are due; the others within the year after.
_ARM = """
INSERT INTO customers (partition, id, next_due_at, state_version, state)
SELECT n % {partitions}, 'c-' || n,
       {now} + CASE WHEN n <= {due} THEN -n
       ELSE (CAST(n AS BIGINT) * 7919) % 31536000 * 1000000 END,
       1, '{{}}'
FROM {series}
"""
_SERIES = {
    "postgresql": "generate_series(1, {size}) AS n",
    "sqlite": "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {size}) "
    "SELECT n FROM s)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Armed timers of one kind of database: microseconds a look, medians of one run."""

    database: str
    armed: int
    #: The due ones of one partition, those of all, and none in vain.
    partition: float
    everyone: float
    nobody: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All sizes of one run."""

    rounds: int
    lines: tuple[Line, ...]

    @property
    def growth(self) -> dict[str, float]:
        """How many times more the most timers cost than the fewest, by database."""
        return {
            last.database: max(last.partition / first.partition, last.everyone / first.everyone)
            for first, last in zip(
                self.lines[:: len(SIZES)], self.lines[len(SIZES) - 1 :: len(SIZES)], strict=True
            )
        }

    @property
    def reached(self) -> bool:
        """Every database is within the bar."""
        return all(growth <= BAR for growth in self.growth.values())


def run(
    rounds: int = 9, *, postgres: str | None = None, done: Callable[[], object] = lambda: None
) -> Report:
    """Measure SQLite, and PostgreSQL where a server is named; `done` is called after each size."""
    with _sqlite(len(SIZES)) as urls:
        lines = _measured(urls, rounds, done)
    if postgres is not None:
        with _postgres(postgres, len(SIZES)) as urls:
            lines += _measured(urls, rounds, done)
    return Report(rounds=rounds, lines=tuple(lines))


def _measured(urls: Sequence[str], rounds: int, done: Callable[[], object]) -> list[Line]:
    stores = []
    for url, size in zip(urls, SIZES, strict=True):
        stores.append(open_store(url, partitions=PARTITIONS))
        _arm(url, size)
        done()
    try:
        # In turn, so that a busy moment of the machine hurts all alike.
        times = [[_looks(store) for store in stores] for _ in range(rounds + 1)][1:]
    finally:
        for store in stores:
            store.close()
    database = urls[0].partition(":")[0]
    return [
        Line(
            database=database,
            armed=size,
            partition=median(each[number][0] for each in times),
            everyone=median(each[number][1] for each in times),
            nobody=median(each[number][2] for each in times),
        )
        for number, size in enumerate(SIZES)
    ]


def _looks(store: Store) -> tuple[float, float, float]:
    with store.transaction() as batch:
        return (
            _microseconds(lambda: batch.due(NOW, limit=DUE, partition=1)),
            _microseconds(lambda: batch.due(NOW, limit=DUE)),
            _microseconds(lambda: batch.due(NOW - timedelta(days=1), limit=DUE, partition=1)),
        )


def _microseconds(look: Callable[[], object]) -> float:
    start = perf_counter()
    for _ in range(10):
        look()
    return (perf_counter() - start) * 1e5


def _arm(url: str, size: int) -> None:
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    series = _SERIES[engine.dialect.name].format(size=size)
    arm = _ARM.format(partitions=PARTITIONS, due=DUE, now=micros(NOW), series=series)
    with engine.connect() as plain:
        connection = plain.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text(arm))
        # As the server does by itself after a while.
        connection.execute(text("VACUUM" if engine.dialect.name == "sqlite" else "VACUUM ANALYZE"))
    engine.dispose()


@contextmanager
def _sqlite(count: int) -> Iterator[list[str]]:
    with tempfile.TemporaryDirectory(prefix="shopflow-bench-") as folder:
        yield [f"sqlite:///{Path(folder) / f'{number}.db'}" for number in range(count)]


@contextmanager
def _postgres(server: str, count: int) -> Iterator[list[str]]:
    names = [f"shopflow_bench_{uuid4().hex[:12]}" for _ in range(count)]
    with psycopg.connect(server, autocommit=True) as admin:
        try:
            for name in names:
                admin.execute(f"CREATE DATABASE {name}".encode())
            yield [server.rpartition("/")[0] + f"/{name}" for name in names]
        finally:
            for name in names:
                admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())


def render(report: Report) -> str:
    """The report as a table for a terminal."""
    rows = [
        f"{'database':<12}{'armed':>10}{'due of a partition':>20}{'due of all':>14}{'none':>10}  us"
    ]
    rows += [
        f"{line.database:<12}{line.armed:>10,}{line.partition:>20,.0f}{line.everyone:>14,.0f}"
        f"{line.nobody:>10,.0f}"
        for line in report.lines
    ]
    for database, growth in report.growth.items():
        verdict = "within" if growth <= BAR else "over"
        rows.append(
            f"{database}: {SIZES[-1]:,} armed cost {growth:.2f} times {SIZES[0]:,}, "
            f"{verdict} the bar of {BAR:g}"
        )
    rows.append(f"median of {report.rounds} rounds, up to {DUE} due")
    return "\n".join(rows)


def render_json(report: Report) -> str:
    """The report for programs."""
    lines = [asdict(line) for line in report.lines]
    body = {"rounds": report.rounds, "bar": BAR, "growth": report.growth, "lines": lines}
    return json.dumps(body, indent=2)
