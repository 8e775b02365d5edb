"""What the domain asks of a calendar; `lang` answers with croniter and the holidays package."""

from __future__ import annotations

from datetime import date, datetime
from typing import Protocol


class Recurrence(Protocol):
    """The occurrences of a schedule, all aware UTC."""

    @property
    def source(self) -> str:
        """The cron expression and time zone as written."""

    def next_after(self, moment: datetime) -> datetime:
        """The first occurrence strictly after the moment."""


class HolidayCalendar(Protocol):
    """The public holidays of a country or a part of it."""

    @property
    def code(self) -> str:
        """The code as written, such as `FR` or `FR-57`."""

    def is_holiday(self, day: date) -> bool:
        """True when the day is a public holiday there."""
