"""Local time of a customer: zones by name, and local midnights that are right across DST."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shopflow.domain.policy import CalendarWindow
from shopflow.domain.ruleset import Ruleset

if TYPE_CHECKING:
    from shopflow.engine.turn import Draft

_DAY = timedelta(days=1)
_DECEMBER = 12


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo | None:
    """The zone of that IANA name; None when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def of_customer(ruleset: Ruleset, customer: Draft) -> ZoneInfo:
    """The customer's own zone, or the project's where none (or a wrong one) is known."""
    own = customer.attributes.get("timezone")
    found = zone(own) if isinstance(own, str) else None
    return found or of_project(ruleset)


def of_project(ruleset: Ruleset) -> ZoneInfo:
    """The project's zone; UTC where the settings name none that exists."""
    return zone(ruleset.timezone) or ZoneInfo("UTC")


def local(day: date, at: time, where: ZoneInfo) -> datetime:
    """The instant of a local time, as UTC.

    A time that the spring change skips is taken with the offset before the change, so it comes as
    much later by the clock; one that the autumn change repeats is its first occurrence.
    """
    return datetime.combine(day, at, tzinfo=where).astimezone(UTC)


def window_start(window: CalendarWindow, moment: datetime, where: ZoneInfo) -> datetime:
    """The local midnight that the day, the week (on Monday) or the month began with."""
    today = moment.astimezone(where).date()
    return local(_first_day(window, today), time(), where)


def window_end(window: CalendarWindow, moment: datetime, where: ZoneInfo) -> datetime:
    """The local midnight at which the next window begins."""
    first = _first_day(window, moment.astimezone(where).date())
    match window:
        case CalendarWindow.DAY:
            following = first + _DAY
        case CalendarWindow.WEEK:
            following = first + 7 * _DAY
        case CalendarWindow.MONTH:
            wraps = first.month == _DECEMBER
            following = date(first.year + wraps, 1 if wraps else first.month + 1, 1)
    return local(following, time(), where)


def _first_day(window: CalendarWindow, day: date) -> date:
    match window:
        case CalendarWindow.DAY:
            return day
        case CalendarWindow.WEEK:
            return day - day.weekday() * _DAY
        case CalendarWindow.MONTH:
            return day.replace(day=1)
