"""What a process counts by itself, because no table knows it: how long things took, when they were.

Counting costs one addition for a batch or a delivery. The process that runs alone shows its sums
as they are; a worker hands them on every few seconds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from threading import Lock

from shopflow.report.vitals import Series

#: Upper ends of the classes that lengths of time are counted in, in seconds.
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)

#: Lengths of time: from an event's arrival to its committed decision; from the decision of a
#: message to its acceptance, by channel and class.
DECISION, ACCEPTANCE = "decision", "acceptance"
#: Seconds spent on doorbells, by queue.
BUSY = "busy"
#: Attempts that did not end in acceptance, by channel and reason.
REFUSED = "refused"
#: Answers of the HTTP door, by status.
ANSWERED = "answered"
#: Instants: the last tick; the last acceptance of a workflow.
TICK, SENT = "tick", "sent"

_SECOND = timedelta(seconds=1)


class Meter:
    """Sums and instants of one process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._sums: dict[Series, float] = {}
        self._marks: dict[Series, float] = {}

    def add(self, name: str, *labels: str, amount: float = 1.0) -> None:
        """The sum is higher by this."""
        with self._lock:
            self._add((name, *labels), amount)

    def mark(self, name: str, *labels: str, at: datetime) -> None:
        """It happened then, unless a later time is known."""
        series, stamp = (name, *labels), at.timestamp()
        with self._lock:
            self._marks[series] = max(stamp, self._marks.get(series, stamp))

    def took(self, name: str, *labels: str, since: Sequence[datetime], until: datetime) -> None:
        """Each of these was under way until then; they are in order or nearly so."""
        if not since:
            return
        longest = max((until - since[0]) / _SECOND, 0.0)
        shortest = max((until - since[-1]) / _SECOND, 0.0)
        with self._lock:
            if _class_of(longest) == _class_of(shortest):
                # A batch is usually of one class; then its size and its middle say all.
                count = float(len(since))
                self._class(name, labels, longest, count, count * (longest + shortest) / 2)
                return
            for one in since:
                seconds = max((until - one) / _SECOND, 0.0)
                self._class(name, labels, seconds, 1.0, seconds)

    def accepted(self, workflow: str, *labels: str, decided_at: datetime, at: datetime) -> None:
        """A message of the workflow was accepted."""
        self.took(ACCEPTANCE, *labels, since=(decided_at,), until=at)
        self.mark(SENT, workflow, at=at)

    @property
    def sums(self) -> dict[Series, float]:
        """All sums so far."""
        with self._lock:
            return dict(self._sums)

    @property
    def marks(self) -> dict[Series, float]:
        """All instants so far, in seconds since 1970."""
        with self._lock:
            return dict(self._marks)

    def totals(self) -> dict[str, float]:
        """In a few words, what was done since sums were last taken."""
        found: dict[str, float] = {}
        with self._lock:
            for series, amount in self._sums.items():
                name = f"{series[0]}_seconds" if series[0] == BUSY else series[0]
                if series[-1] != "sum":
                    found[name] = round(found.get(name, 0.0) + amount, 3)
        return found

    def take(self) -> tuple[dict[Series, float], dict[Series, float]]:
        """Sums and instants since the last time; they are no longer here."""
        with self._lock:
            taken = self._sums, self._marks
            self._sums, self._marks = {}, {}
        return taken

    def give_back(self, sums: Mapping[Series, float], marks: Mapping[Series, float]) -> None:
        """What was taken could not be handed on."""
        with self._lock:
            for series, amount in sums.items():
                self._add(series, amount)
            for series, stamp in marks.items():
                self._marks[series] = max(stamp, self._marks.get(series, stamp))

    def _class(
        self, name: str, labels: Sequence[str], seconds: float, count: float, total: float
    ) -> None:
        self._add((name, *labels, _class_of(seconds)), count)
        self._add((name, *labels, "sum"), total)

    def _add(self, series: Series, amount: float) -> None:
        self._sums[series] = self._sums.get(series, 0.0) + amount


def _class_of(seconds: float) -> str:
    """The upper end of the class that a length is in, as it is written in metrics."""
    place = bisect_left(BOUNDS, seconds)
    return str(BOUNDS[place]) if place < len(BOUNDS) else "+Inf"
