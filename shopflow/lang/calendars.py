"""Cron schedules and public holidays, by croniter and the holidays package.

Both are loaded when the first is asked for: many rules have neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_FIELDS = 5
_DAY = timedelta(days=1)


def zone(name: str) -> ZoneInfo | None:
    """The time zone of an IANA name; None when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


@dataclass(frozen=True, slots=True)
class CronSchedule:
    """A cron schedule in a time zone.

    A local time that the clocks skip happens right after the gap, and one that comes twice happens
    at its first.
    """

    cron: str
    timezone: str

    @property
    def source(self) -> str:
        """The schedule and its time zone as written."""
        return f"{self.cron} {self.timezone}"

    def next_after(self, moment: datetime) -> datetime:
        """The first occurrence strictly after the moment, in UTC."""
        # Every customer asks for the same few instants, and working one out is slow: what comes
        # next after the day that has begun, or the hour, comes next after every moment up to then.
        hour = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        for begun in (hour.replace(hour=0), hour):
            found = _remembered(self, begun)
            if found > moment:
                return found
        return _next_after(self, moment)


@lru_cache(maxsize=8192)
def _remembered(schedule: CronSchedule, begun: datetime) -> datetime:
    return _next_after(schedule, begun)


def _next_after(schedule: CronSchedule, moment: datetime) -> datetime:
    from croniter import croniter  # noqa: PLC0415 - see above

    where = ZoneInfo(schedule.timezone)
    local = moment.astimezone(where)
    # After a change of the clocks, local times of before it may still lie ahead.
    changed = local.utcoffset() != (moment - _DAY).astimezone(where).utcoffset()
    start = local.replace(tzinfo=None) - (_DAY if changed else timedelta())
    # Among plain local times there are no gaps; the zone is applied to each.
    occurrences = croniter(schedule.cron, start)
    while True:
        naive: datetime = occurrences.get_next(datetime)
        found = naive.replace(tzinfo=where).astimezone(UTC)
        if found > moment:
            return found


def cron_schedule(cron: str, timezone: str) -> CronSchedule | str:
    """The schedule, or what is wrong with the cron expression."""
    if len(cron.split()) != _FIELDS:
        return f"expected five fields, found {len(cron.split())}"
    try:
        schedule = CronSchedule(cron, timezone)
        schedule.next_after(datetime(2024, 1, 1, tzinfo=UTC))
    except ValueError as e:
        return str(e)
    return schedule


@dataclass(frozen=True, slots=True)
class PublicHolidays:
    """The public holidays of a country, or of a part of it."""

    code: str

    def is_holiday(self, day: date) -> bool:
        """True when the day is a public holiday there."""
        return day in _holidays_of(self.code, day.year)


def public_holidays(code: str) -> PublicHolidays | None:
    """The holidays of a country (FR) or a part of it (FR-57); None when it is not known."""
    return PublicHolidays(code) if _is_known(code) else None


def _is_known(code: str) -> bool:
    # The package's lists of countries leave out names that it takes, such as FR-Alsace-Moselle,
    # so only asking it tells. NotImplementedError is its word for a country, or a part of one,
    # that it does not know; nothing is left unfinished here.
    try:
        _holidays_of(code, 2024)
    except NotImplementedError:
        return False
    return True


@cache
def _holidays_of(code: str, year: int) -> frozenset[date]:
    import holidays  # noqa: PLC0415 - see above

    country, _, part = code.partition("-")
    return frozenset(holidays.country_holidays(country, subdiv=part or None, years=year))
