"""Instants of calendars, remembered: what comes next stays next until it has come."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import datetime
from typing import TypeVar

Found = TypeVar("Found", datetime, datetime | None)

#: So many are remembered; then all are forgotten, and worked out anew as they are asked for.
MOST = 50_000


class Upcoming:
    """For each key, the first instant after a moment; safe to share, as it may be lost any time."""

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[datetime, datetime]] = {}

    def after(
        self, key: Hashable, moment: datetime, work_out: Callable[[datetime], Found]
    ) -> Found:
        """The first instant strictly after the moment; the same key always means the same ones."""
        known = self._known.get(key)
        if known is not None and known[0] <= moment < known[1]:
            return known[1]
        found = work_out(moment)
        if found is not None:
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[key] = (moment, found)
        return found
