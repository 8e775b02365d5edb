"""How long a job works before others get their turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from shopflow.runtime.queue.bells import RENEWAL, Bell, Bells, Kind

#: Seconds that a job works at most, and at least when other bells wait.
SLICE, SHORT_SLICE = 20.0, 1.0


class Slice:
    """A job's share of the worker's time."""

    def __init__(
        self, bells: Bells, bell: Bell, kinds: Collection[Kind], has_moved: Callable[[], bool]
    ) -> None:
        self._bells = bells
        #: Other rules wait to be taken up, which is done between two jobs.
        self._has_moved = has_moved
        self._bell = bell
        self._kinds = kinds
        self._began = self._renewed = self._looked = time.monotonic()
        self._cut = False

    def cut(self) -> None:
        """It is over after the batch at hand."""
        self._cut = True

    def is_over(self) -> bool:
        """True when the job is to end; keeps the bell's lease meanwhile."""
        now = time.monotonic()
        if now - self._renewed > RENEWAL:
            self._renewed = now
            self._cut = self._cut or not self._bells.renew(self._bell)
        if not self._cut and now - max(self._began, self._looked) > SHORT_SLICE:
            self._looked = now
            self._cut = self._bells.wait(self._kinds)
        self._cut = self._cut or self._has_moved()
        return self._cut or now - self._began > SLICE
