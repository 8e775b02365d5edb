"""What an event costs from a partition's stream to the committed outbox, and its bars.

One worker process reads batches of 500, each followed by a tick, as a fleet's readers do: dedupe,
consent, caps, quiet hours, goals and journal included. Beside it, in turn and on customers not
touched lately: the same reads and rows by the bare drivers (the floor), the naive design, ten rules
and ten thousand, ingest, two processes. At last, how long an event waits at half load.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from statistics import median

from redis import Redis

from shopflow.bench import run_bars, run_latency, run_shop
from shopflow.bench.run_bars import Held, Part
from shopflow.bench.run_rules import with_rules
from shopflow.bench.run_shop import Bench
from shopflow.bench.run_stages import watched
from shopflow.bench.run_workers import Share, Worker, seconds, workers
from shopflow.rulebook import LoadedProject
from shopflow.runtime.memory import settled
from shopflow.runtime.queue.streams import BATCH
from shopflow.store.opening import open_store

RULES = 1_000
CUSTOMERS = 100_000
#: Numbers of rules that are held against each other.
FEW, MANY = 10, 10_000
#: Batches that each side does in a round, and events of the naive design.
BATCHES, NAIVE_EVENTS = 4, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One kind of database: medians over the rounds of one run."""

    database: str
    #: What was measured -> microseconds an event.
    costs: Mapping[str, float]
    #: Table -> rows written for each event.
    rows: Mapping[str, float]
    #: Stage -> microseconds an event, of a run of its own with stopwatches.
    profile: Mapping[str, float]
    held: tuple[Held, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All databases of one run."""

    rounds: int
    rules: int
    customers: int
    #: Processors, and how many processes wanted one at the start and at the end of the run.
    cores: int
    load: tuple[float, float]
    lines: tuple[Line, ...]

    @property
    def reached(self) -> bool:
        """Every database reaches every bar that was measured."""
        return all(held.reached for line in self.lines for held in line.held)


def steps(rounds: int, postgres: str | None) -> int:
    """How often `run` calls `done`."""
    return (1 + bool(postgres)) * (rounds + run_shop.PARTITIONS + 1)


def run(
    rounds: int = 5,
    *,
    redis: str,
    postgres: str | None = None,
    customers: int = CUSTOMERS,
    rules: int = RULES,
    parts: Collection[Part] = tuple(Part),
    lasts: float = run_latency.LASTS,
    done: Callable[[], object] = lambda: None,
) -> Report:
    """Measure SQLite, and PostgreSQL where a server is named; `done` is called after each round."""
    loaded, before = with_rules(rules), os.getloadavg()[0]
    fill = run_shop.filled(loaded, customers)
    lines, databases = [], [run_shop.sqlite(fill)]
    if postgres is not None:
        databases.insert(0, run_shop.postgres(postgres, fill))
    for opened in databases:
        with opened as urls, connected(redis) as client:
            bench = Bench(urls, client, loaded, customers)
            try:
                line = _Measuring(bench, urls[0], redis, rules, frozenset(parts))
                with settled():
                    lines.append(line.line(rounds, done, loaded, customers, lasts))
            finally:
                bench.close()
    return Report(
        rounds=rounds,
        rules=rules,
        customers=customers,
        cores=len(os.sched_getaffinity(0)),
        load=(before, os.getloadavg()[0]),
        lines=tuple(lines),
    )


class _Measuring:
    """One database, round by round."""

    def __init__(
        self, bench: Bench, url: str, redis: str, rules: int, parts: Collection[Part]
    ) -> None:
        self._bench, self._url, self._redis, self._rules = bench, url, redis, rules
        #: SQLite has one writer, whatever the number of processes.
        self._parts = set(parts) - ({Part.WORKERS} if url.startswith("sqlite") else set())
        #: What was measured -> microseconds an event, round by round.
        self._spent: dict[str, list[float]] = {}
        #: Bar -> its figure, round by round.
        self._figures: dict[run_bars.Bar, list[float]] = {}
        self._written: Counter[str] = Counter()
        self._events = 0

    def line(
        self,
        rounds: int,
        done: Callable[[], object],
        loaded: LoadedProject,
        customers: int,
        lasts: float,
    ) -> Line:
        """A partition's first tick looks at all of its customers, so that each is warmed up."""
        bench = self._bench
        with ExitStack() as running:
            sides = self._sides(running)
            for number in range(rounds + run_shop.PARTITIONS):
                if number == run_shop.PARTITIONS:
                    self._spent.clear()
                    self._figures.clear()
                product = self._product(number % run_shop.PARTITIONS)
                for side in sides:
                    side(product)
                done()
        with watched() as stages:
            last = bench.product(0, BATCHES)
        profile = {stage: spent / last.events * 1e6 for stage, spent in stages.items()}
        costs = {name: median(spent) for name, spent in self._spent.items()}
        held = [bar.held(median(figures)) for bar, figures in self._figures.items()]
        if Part.LATENCY in self._parts:
            held += self._latency(loaded, customers, lasts, 1e6 / costs["the product"] / 2)
        done()
        return Line(
            database=self._url.partition(":")[0],
            costs=costs,
            rows={name: count / self._events for name, count in sorted(self._written.items())},
            profile=profile,
            held=tuple(held),
        )

    def _product(self, partition: int) -> float:
        """Microseconds an event; what it wrote is written by the floor at once and forgotten."""
        bench = self._bench
        product = bench.product(partition, BATCHES)
        self._note("the product", product.microseconds)
        self._events += product.events
        for noted in product.noted:
            self._written.update(
                {shape.table.name: len(rows) for shape, rows in noted.rows.items()}
            )
        if Part.FLOOR in self._parts:
            floor = bench.floor(product, partition)
            self._note("the floor, bare drivers", floor.microseconds)
            self._figure(run_bars.FLOOR, floor.seconds / product.seconds)
        else:
            bench.forget(partition)
        return product.microseconds

    def _sides(self, running: ExitStack) -> list[Callable[[float], None]]:
        """What else each round measures, beside a product of so many microseconds."""
        parts = self._parts
        found: list[Callable[[float], None]] = []
        if Part.NAIVE in parts:
            found.append(self._naive())
        if Part.INGEST in parts:
            found.append(self._ingest)
        if Part.RULES in parts:
            few, many = self._workers(running, [FEW, MANY])
            found.append(lambda _: self._few_and_many(few, many))
        if Part.WORKERS in parts:
            one, other = self._workers(running, [self._rules] * 2)
            found.append(lambda _: self._one_and_two(one, other))
        return found

    def _workers(self, running: ExitStack, rules: list[int]) -> list[Worker]:
        namespace = self._bench.streams.namespace
        return running.enter_context(workers(self._url, self._redis, namespace, rules))

    def _naive(self) -> Callable[[float], None]:
        measured = self._bench.naive(NAIVE_EVENTS)

        def side(product: float) -> None:
            spent = measured()
            self._note("the naive design", spent)
            self._figure(run_bars.NAIVE, spent / product)

        return side

    def _ingest(self, product: float) -> None:
        spent = self._bench.ingest(BATCHES)
        self._note("ingest", spent)
        self._figure(run_bars.INGEST, product / spent)

    def _few_and_many(self, few: Worker, many: Worker) -> None:
        found = self._in_turns({f"{FEW:,} rules": [(few, [0])], f"{MANY:,} rules": [(many, [0])]})
        self._figure(run_bars.RULES, found[1] / found[0])

    def _one_and_two(self, one: Worker, other: Worker) -> None:
        first, second = range(run_shop.PARTITIONS)
        found = self._in_turns(
            {
                "one process": [(one, [first, second])],
                "two processes": [(one, [first]), (other, [second])],
            }
        )
        self._figure(run_bars.WORKERS, found[0] / found[1])

    def _in_turns(self, shares: Mapping[str, Share]) -> list[float]:
        """Microseconds an event of each share of the work.

        Who comes later finds customers of visits that the other has begun, so the first is another
        one in each round.
        """
        order, spent = [*shares.items()], {}
        if len(self._spent.get(order[0][0], ())) % 2:
            order.reverse()
        for name, share in order:
            partitions = {partition for _, some in share for partition in some}
            events = sum(self._bench.fill(one, BATCHES, copied=False) for one in sorted(partitions))
            spent[name] = seconds(share) / events * 1e6
            self._note(name, spent[name])
        return [spent[name] for name in shares]

    def _latency(
        self, loaded: LoadedProject, customers: int, lasts: float, rate: float
    ) -> list[Held]:
        store = open_store(self._url, partitions=run_shop.PARTITIONS)
        try:
            found = run_latency.measure(
                store,
                loaded,
                (self._redis, self._bench.streams.redis),
                self._bench.shop.now,
                rate,
                customers=customers,
                lasts=lasts,
            )
        finally:
            store.close()
        return [run_bars.MEDIAN.held(found.median), run_bars.P99.held(found.p99)]

    def _note(self, name: str, spent: float) -> None:
        self._spent.setdefault(name, []).append(spent)

    def _figure(self, bar: run_bars.Bar, figure: float) -> None:
        self._figures.setdefault(bar, []).append(figure)


@contextmanager
def connected(url: str) -> Iterator[Redis]:
    """A connection to that Redis, closed afterwards."""
    client = Redis.from_url(url, protocol=2)
    try:
        yield client
    finally:
        client.close()


def render(report: Report) -> str:
    """The report as tables for a terminal."""
    parts = []
    for line in report.lines:
        parts.append(f"{line.database}, microseconds an event, batches of {BATCH}")
        parts += [f"    {stage:<30}{spent:>11.1f}" for stage, spent in line.profile.items()]
        parts += [
            f"  {name:<32}{spent:>11.1f}{1e6 / spent:>12,.0f} a second"
            for name, spent in line.costs.items()
        ]
        rows = ", ".join(f"{name} {count:.2f}" for name, count in line.rows.items())
        parts.append(f"  rows an event: {rows}")
        parts += [f"  {held.told}" for held in line.held]
    before, after = report.load
    parts.append(
        f"median of {report.rounds} rounds; {report.rules:,} rules, {report.customers:,} customers"
    )
    parts.append(
        f"what else ran: load average {before:.1f} at the start and {after:.1f} at the end, "
        f"{report.cores} cores"
    )
    return "\n".join(parts)


def render_json(report: Report) -> str:
    """The report for programs."""
    body = asdict(report)
    for line, told in zip(report.lines, body["lines"], strict=True):
        told["held"] = [
            {**asdict(held.bar), "figure": held.figure, "reached": held.reached}
            for held in line.held
        ]
    return json.dumps({**body, "reached": report.reached}, indent=2)
