"""Instants of calendars, remembered: what comes next stays next until it has come."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import UTC, datetime
from typing import TypeVar

Found = TypeVar("Found", datetime, datetime | None)

#: From a moment on, and up to the instant that comes first after it.
_Span = tuple[datetime, datetime]
_BEGINNING = datetime.min.replace(tzinfo=UTC)
_NONE = ((_BEGINNING, _BEGINNING),) * 2

#: So many are remembered; then all are forgotten, and worked out anew as they are asked for.
MOST = 50_000


class Upcoming:
    """For each key, the first instant after a moment; safe to share, as it may be lost any time.

    Two spans of a key are known: who looks at everybody asks for each customer what comes after
    the last look, and then what comes after that.
    """

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[_Span, _Span]] = {}

    def after(
        self, key: Hashable, moment: datetime, work_out: Callable[[datetime], Found]
    ) -> Found:
        """The first instant strictly after the moment; the same key always means the same ones."""
        known = self._known.get(key, _NONE)
        for since, first in known:
            if since <= moment < first:
                return first
        found = work_out(moment)
        if found is not None:
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[key] = ((moment, found), known[0])
        return found
