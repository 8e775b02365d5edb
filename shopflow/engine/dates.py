"""Dates of customers: reading them, and when they come round next in the customer's zone."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from shopflow.domain.trigger import DateTrigger
from shopflow.domain.workflow import Workflow
from shopflow.engine import zones
from shopflow.engine.turn import Turn

_DAY = timedelta(days=1)
_LEAP_DAY = (2, 29)


def next_date(
    turn: Turn, workflow: Workflow, trigger: DateTrigger, day: date | None, after: datetime
) -> datetime | None:
    """None where there is no such date, or none is left before the end of every calendar."""
    if day is None:
        return None
    where = zones.of_customer(turn.rulebook.ruleset, turn.customer)

    def work_out(moment: datetime) -> datetime | None:
        year = moment.astimezone(where).year
        days = [_in_year(day, year + n) for n in (-1, 0, 1, 2)] if trigger.yearly else [day]
        moments = (zones.local(each + trigger.offset, trigger.at, where) for each in days)
        return min((found for found in moments if found > moment), default=None)

    key = (workflow.id, day, where.key)
    try:
        return turn.rulebook.upcoming.after(key, after, work_out)
    except OverflowError:
        return None


def _in_year(day: date, year: int) -> date:
    """The day in that year; 29 February falls on the 28th where there is none."""
    if (day.month, day.day) == _LEAP_DAY:
        return date(year, 3, 1) - _DAY
    return day.replace(year=year)


def as_date(value: object) -> date | None:
    """A date from a timestamp, from text, or from a record with month and day."""
    match value:
        case datetime():
            return value.date()
        case str():
            try:
                return date.fromisoformat(value[:10])
            except ValueError:
                return None
        case {"month": int(month), "day": int(day)}:
            # A leap year, so that 29 February can be said without a year.
            try:
                return date(2000, month, day)
            except ValueError:
                return None
        case _:
            return None
