"""What a batch adds to the statistics: counted in memory, written once at its end.

The results are `accepted`, `duplicate` and `dead_letter` of events (no workflow); of a journal
entry its kind, with the reason where there is one (`dropped:capped`); of a delivery its outcome
(`delivery:accepted`); of a trial what a branch, told as the variant, has one more of
(`trial:clicked`).
"""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from functools import lru_cache

from shopflow.domain.journal import JournalEntry, Kind
from shopflow.domain.trial import CountResult
from shopflow.store.records import Settled, StatKey, StatRow

ACCEPTED = "accepted"
DUPLICATE = "duplicate"
DEAD_LETTER = "dead_letter"

#: Money is kept as whole millionths, so that sums stay exact in every database.
MILLIONTHS = 1_000_000

_ZERO = Decimal(0)


@lru_cache(maxsize=1 << 16)
def partition_of(subject: str, partitions: int) -> int:
    """The partition of an id; the same on every machine and for ever."""
    return zlib.crc32(subject.encode("utf-8", "surrogatepass")) % partitions


def day_of(at: datetime) -> int:
    """The UTC day of an instant as a number that people can read: 20260303."""
    return at.year * 10_000 + at.month * 100 + at.day


class Tally:
    """Sums by key: [count, value, cost]."""

    __slots__ = ("_partition_of", "sums")

    def __init__(self, partition_of: Callable[[str], int]) -> None:
        self._partition_of = partition_of
        self.sums: dict[StatKey, list[int]] = {}

    def add(self, key: StatKey, count: int = 1, value: int = 0, cost: int = 0) -> None:
        """The sums of the key are higher by this; money in millionths."""
        sums = self.sums.get(key)
        if sums is None:
            self.sums[key] = [count, value, cost]
        else:
            sums[0] += count
            sums[1] += value
            sums[2] += cost

    def add_rows(self, rows: Iterable[StatRow]) -> None:
        """The sums are higher by these rows."""
        for row in rows:
            self.add(row.key, row.count, _millionths(row.value), _millionths(row.cost))

    def add_events(self, events: Iterable[tuple[int, int, bool]]) -> None:
        """Each event that came in, by day and partition, counts once: as new or as duplicate."""
        for (day, partition, new), count in Counter(events).items():
            self.add(StatKey(day, partition, result=ACCEPTED if new else DUPLICATE), count)

    def add_dead_letter(self, at: datetime, subject: str | None) -> None:
        """An input that was put aside counts once."""
        self.add(StatKey(day_of(at), self._partition_of(subject or ""), result=DEAD_LETTER))

    def add_entry(self, entry: JournalEntry) -> None:
        """A journal entry counts once; one about a delivery is counted by its receipt.

        One of no customer, such as of a kill switch, is no decision.
        """
        if entry.kind is Kind.DELIVERY or not entry.customer_id:
            return
        result = f"{entry.kind.value}:{entry.reason}" if entry.reason else entry.kind.value
        self.add(
            StatKey(
                day_of(entry.at),
                self._partition_of(entry.customer_id),
                entry.workflow or "",
                entry.version or 0,
                entry.step or "",
                entry.channel or "",
                "",
                result,
            )
        )

    def add_settled(self, settled: Settled) -> None:
        """A receipt counts once, with what it cost."""
        report = settled.report
        message = report.message
        self.add(
            StatKey(
                day_of(report.at),
                self._partition_of(message.customer_id),
                message.workflow,
                message.version,
                message.step,
                message.channel,
                "",
                f"delivery:{report.outcome.value}",
            ),
            cost=_millionths(settled.cost),
        )

    def add_result(self, counted: CountResult) -> None:
        """A result of a trial counts once, for its branch."""
        watch = counted.watch
        self.add(
            StatKey(
                day_of(counted.at),
                self._partition_of(counted.customer_id),
                watch.workflow,
                watch.version,
                watch.step,
                "",
                watch.branch,
                f"trial:{counted.result.value}",
            )
        )


def stat_row(key: StatKey, sums: Iterable[int]) -> StatRow:
    """The sums of a key with money as decimals."""
    count, value, cost = sums
    return StatRow(
        key=key, count=count, value=Decimal(value) / MILLIONTHS, cost=Decimal(cost) / MILLIONTHS
    )


def _millionths(amount: Decimal) -> int:
    return int((amount * MILLIONTHS).to_integral_value()) if amount != _ZERO else 0


def results_by_workflow(
    rows: Iterable[StatRow],
) -> tuple[dict[str, int], dict[str, dict[str, int]]]:
    """Counts by result: of events that came in, and of each workflow ("" is of none)."""
    events: Counter[str] = Counter()
    workflows: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        workflow, result = row.key.workflow, row.key.result
        of_events = not workflow and result in {ACCEPTED, DUPLICATE, DEAD_LETTER}
        (events if of_events else workflows[workflow])[result] += row.count
    return dict(events), {name: dict(counts) for name, counts in sorted(workflows.items())}
