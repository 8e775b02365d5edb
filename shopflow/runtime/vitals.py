"""Reading how an installation is; a part that is away is a finding, not an error."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Protocol

from shopflow.errors import StoreError
from shopflow.report.vitals import Part, Vitals
from shopflow.runtime.meter import TICK, Meter
from shopflow.store.protocol import Store
from shopflow.store.records import StatRow
from shopflow.store.tally import day_of
from shopflow.store.vitals import StoreVitals, summed

#: Days at the end of the statistics that are read at every look.
RECENT = timedelta(days=2)
#: All days are read again, for what is decided about the past, once this many times as long has
#: gone by as it took: so it never takes more than a fiftieth of the time, however old the shop is.
ANEW = 50
#: Seconds after which a loop that did not come round is stuck.
STUCK = 60.0
#: Seconds that a look is good for, however many ask.
GOOD = 1.0


class VitalsReader(Protocol):
    """Looks at an installation."""

    def read(self) -> Vitals:
        """How it is now; never raises for a part that is away."""


class StoreLooks:
    """Looks at one store; the sums of days long past are kept between looks."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._first = 0
        self._past: list[StatRow] = []
        self._again_at = 0.0

    def read(self) -> tuple[StoreVitals, tuple[StatRow, ...]]:
        """What waits and what is wrong, and the sums of everything there ever was.

        Raises:
            StoreError: The store is away.
        """
        views = self._store.views
        if (began := time.monotonic()) >= self._again_at:
            first = day_of(datetime.now(UTC) - RECENT)
            self._past, self._first = views.sums(before=first), first
            now = time.monotonic()
            self._again_at = now + ANEW * (now - began)
        return views.vitals(), tuple(summed([*self._past, *views.sums(since=self._first)]))


@dataclass(frozen=True, slots=True)
class EmbeddedVitals:
    """Looks at the installation that runs in this one process."""

    looks: StoreLooks
    meter: Meter
    #: Why what was deployed last does not run here; empty when nothing went wrong.
    failure: Callable[[], str] = str

    def can_take(self) -> bool:
        """True when what is brought now would be kept: the clock is that of the same loop."""
        tick = self.meter.marks.get((TICK,))
        return tick is None or datetime.now(UTC).timestamp() - tick < STUCK

    def read(self) -> Vitals:
        """See `VitalsReader`."""
        now = datetime.now(UTC)
        counted, marks = self.meter.sums, self.meter.marks
        try:
            store, sums = self.looks.read()
        except StoreError:
            return Vitals(at=now, up={Part.DATABASE: False}, counted=counted, marks=marks)
        return Vitals(
            at=now,
            up={Part.DATABASE: True},
            store=store,
            sums=sums,
            failure=self.failure(),
            counted=counted,
            marks=marks,
        )


class Shared:
    """One look for all who ask at the same time; safe to call from any thread."""

    def __init__(self, read: Callable[[], Vitals]) -> None:
        self._read = read
        self._lock = Lock()
        self._last: Vitals | None = None
        self._read_at = -GOOD

    def read(self) -> Vitals:
        """See `VitalsReader`."""
        with self._lock:
            if self._last is None or time.monotonic() - self._read_at >= GOOD:
                self._last = self._read()
                self._read_at = time.monotonic()
            return self._last
