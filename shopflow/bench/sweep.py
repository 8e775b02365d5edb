"""What it costs to look at every customer for a schedule, beside reading their rows and no more.

Few of them are in the audience; all of them are read.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import psycopg
from sqlalchemy import create_engine, text

from shopflow.bench import run_shop
from shopflow.bench.run_people import LIVED, NOW
from shopflow.bench.run_rules import project_with
from shopflow.bench.run_shop import PARTITIONS
from shopflow.domain.event import Facts
from shopflow.engine import Rulebook
from shopflow.rulebook import LoadedProject
from shopflow.runtime.ingest import Ingest
from shopflow.runtime.sweep import PAGE, Sweeps
from shopflow.runtime.workset import Rules
from shopflow.store.opening import open_store
from shopflow.store.sweeps import Sweep

#: When the newsletter starts: the customers' own lives end at `NOW`.
_OCCURS = NOW + timedelta(minutes=30)
_NEWSLETTER: dict[str, object] = {
    "purpose": "marketing",
    "trigger": {
        "schedule": {"cron": "30 11 3 3 *", "timezone": "Europe/Paris"},
        "audience": "customer.views_30d >= 16",
        "spread": "4h",
    },
    "steps": [{"id": "letter", "send": "email", "template": "shop/word", "with": {
        "first_name": "vars.first_name", "items": "[]"}}],
    "let": {"first_name": 'has(customer.first_name) ? customer.first_name : ""'},
}  # fmt: skip
#: Each of those who really lived stands for so many.
_COPY = """
INSERT INTO customers (partition, id, next_due_at, state_version, state)
SELECT partition, id || '-' || n, next_due_at, state_version, state
FROM customers CROSS JOIN {series}
"""
_SERIES = {
    "postgresql": "generate_series(1, {copies}) AS n",
    "sqlite": "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {copies}) "
    "SELECT n FROM s)",
}
_PAGE_OF = (
    "SELECT id, next_due_at, state_version, state FROM customers "
    "WHERE partition = {mark} AND id > {mark} ORDER BY id LIMIT {mark}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One kind of database: microseconds a customer, medians of the rounds."""

    database: str
    customers: int
    #: Those in the audience.
    told: int
    sweep: float
    floor: float

    @property
    def share(self) -> float:
        """How much of the sweep is reading the rows with the bare driver."""
        return self.floor / self.sweep


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One run."""

    rounds: int
    lines: tuple[Line, ...]
    #: A sweep has no bar; it is told beside its floor.
    reached: bool = True


def run(
    rounds: int = 3,
    *,
    customers: int = 1_000_000,
    postgres: str | None = None,
    done: Callable[[], object] = lambda: None,
) -> Report:
    """Measure SQLite, and PostgreSQL where a server is named; `done` is called after each round."""
    loaded = project_with({"newsletter": _NEWSLETTER})
    fill = _crowd(loaded, customers)
    with run_shop.sqlite(fill) as urls:
        lines = [_measured(loaded, urls, rounds, done)]
    if postgres is not None:
        with run_shop.postgres(postgres, fill) as urls:
            lines.append(_measured(loaded, urls, rounds, done))
    return Report(rounds=rounds, lines=tuple(lines))


def _crowd(loaded: LoadedProject, customers: int) -> Callable[[str], None]:
    lived = min(customers, LIVED)

    def fill(url: str) -> None:
        run_shop.filled(loaded, lived)(url)
        engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
        copies = customers // lived - 1
        series = _SERIES[engine.dialect.name].format(copies=copies)
        with engine.begin() as connection:
            if copies:
                connection.execute(text(_COPY.format(series=series)))
        engine.dispose()

    return fill


def _measured(
    loaded: LoadedProject, urls: tuple[str, str], rounds: int, done: Callable[[], object]
) -> Line:
    ours, theirs = urls
    store = open_store(ours, partitions=PARTITIONS)
    rules = Rules(
        rulebook=Rulebook(loaded.ruleset),
        facts=Facts(),
        secrets=Ingest(loaded.events.schemas).secrets,
    )
    sweeps = Sweeps(store, rules)
    times: list[tuple[float, float]] = []
    looked = told = 0
    try:
        for number in range(rounds):
            # A sweep is known by its instant, so each round has one of its own.
            at = _OCCURS + timedelta(microseconds=number)
            clock = partial(_same, at)
            with store.transaction() as batch:
                for partition in range(PARTITIONS):
                    batch.begin_sweep(Sweep(partition=partition, at=at))
            start = perf_counter()
            ended = [_last(sweeps.work(partition, clock)) for partition in range(PARTITIONS)]
            spent = perf_counter() - start
            looked, told = sum(one.looked for one in ended), sum(one.told for one in ended)
            times.append((spent / looked * 1e6, _floor(theirs, looked)))
            done()
    finally:
        store.close()
    return Line(
        database=ours.partition(":")[0],
        customers=looked,
        told=told,
        sweep=median(one[0] for one in times),
        floor=median(one[1] for one in times),
    )


def _same(at: datetime) -> datetime:
    return at


def _last(pages: Iterator[Sweep]) -> Sweep:
    *_, last = pages
    return last


def _floor(url: str, customers: int) -> float:
    """Microseconds a customer: the same pages by the bare driver, their JSON read."""
    start = perf_counter()
    with _connected(url) as connection:
        mark = "?" if isinstance(connection, sqlite3.Connection) else "%s"
        page_of = _PAGE_OF.format(mark=mark)
        for partition in range(PARTITIONS):
            after, size = "", PAGE
            while size == PAGE:
                page = connection.execute(page_of, (partition, after, PAGE)).fetchall()
                for row in page:
                    json.loads(row[3])
                size = len(page)
                after = page[-1][0] if page else after
    return (perf_counter() - start) / customers * 1e6


def _connected(url: str) -> AbstractContextManager[Any]:
    if url.startswith("sqlite"):
        return closing(sqlite3.connect(url.removeprefix("sqlite:///")))
    return psycopg.connect(url)


def render(report: Report) -> str:
    """The report as a table for a terminal."""
    rows = [
        f"{'database':<12}{'customers':>11}{'in audience':>13}{'sweep':>9}{'floor':>9}  us each"
    ]
    rows += [
        f"{line.database:<12}{line.customers:>11,}{line.told:>13,}{line.sweep:>9,.1f}"
        f"{line.floor:>9,.1f}  the floor is {line.share:.0%} of it; "
        f"{1e6 / line.sweep:,.0f} customers/s by one process"
        for line in report.lines
    ]
    rows.append(f"median of {report.rounds} rounds; floor: the same pages read, and their JSON")
    return "\n".join(rows)


def render_json(report: Report) -> str:
    """The report for programs."""
    lines = [{**asdict(line), "share": line.share} for line in report.lines]
    return json.dumps({"rounds": report.rounds, "lines": lines}, indent=2)
