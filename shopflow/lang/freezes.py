"""Freezes: times in which nothing is deployed, of every week or of some days of a year."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shopflow.lang.document import Document
from shopflow.lang.lengths import DAY_NAMES, parse_time_of_day
from shopflow.lang.tree import Node
from shopflow.problem import Problem

#: A time of every week: the weekday, Monday is 0, and the time of day.
WeekTime = tuple[int, time]
_DAY = timedelta(days=1)
_WEEK = timedelta(weeks=1)
_TWO_WAYS = "write both as a weekday and a time (fri 16:00), or both as a day (2026-11-27)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """A time in which nothing is deployed; begins and ends at times of a week, or on days."""

    start: WeekTime | date
    #: A day is in it as a whole.
    end: WeekTime | date
    #: An IANA name.
    timezone: str
    #: Begin and end as written.
    source: str
    reason: str = ""

    def ends_at(self, moment: datetime) -> datetime | None:
        """When it ends, in UTC, if it holds at that moment; None if it does not.

        A local time that the clocks skip comes as much later, one that comes twice is its first.
        """
        where = ZoneInfo(self.timezone)
        for start, end in self._spans(moment.astimezone(where).date()):
            began, ends = (each.replace(tzinfo=where).astimezone(UTC) for each in (start, end))
            if began <= moment < ends:
                return ends
        return None

    def _spans(self, today: date) -> Iterator[tuple[datetime, datetime]]:
        """Begin and end by the clock: the only ones, or those that may hold on that day."""
        if isinstance(self.start, date) and isinstance(self.end, date):
            yield datetime.combine(self.start, time()), datetime.combine(self.end + _DAY, time())
        elif isinstance(self.start, tuple) and isinstance(self.end, tuple):
            monday = today - today.weekday() * _DAY
            for week in (monday - _WEEK, monday):
                start, end = _in_week(week, self.start), _in_week(week, self.end)
                yield start, end if start < end else end + _WEEK


def _in_week(monday: date, moment: WeekTime) -> datetime:
    weekday, at = moment
    return datetime.combine(monday + weekday * _DAY, at)


def freezes_of(items: object, timezone: str) -> tuple[Freeze, ...]:
    """The freezes of settings, but for those in which `check_freezes` finds a problem."""
    given = items if isinstance(items, list) else []
    found = (_freeze(each, timezone) for each in given if isinstance(each, Mapping))
    return tuple(each for each in found if each is not None)


def check_freezes(document: Document) -> list[Problem]:
    """What the schema cannot say of the freezes in a file of settings."""
    root = document.root
    if root is None or "freeze" not in root:
        return []
    flaws = (_flaw(each["from"], each["to"]) for each in root["freeze"].items)
    return [
        document.problem("SF009", node, message, hint=hint)
        for node, message, hint in filter(None, flaws)
    ]


def _freeze(given: Mapping[str, object], timezone: str) -> Freeze | None:
    begins, ends = str(given.get("from")), str(given.get("to"))
    start, end = _moment(begins), _moment(ends)
    if start is None or end is None or _contradiction(start, end) is not None:
        return None
    return Freeze(
        start=start,
        end=end,
        timezone=timezone,
        source=f"{begins} to {ends}",
        reason=str(given.get("reason", "")),
    )


def _flaw(begins: Node, ends: Node) -> tuple[Node, str, str] | None:
    start, end = _moment(begins.text), _moment(ends.text)
    if start is None or end is None:
        node = begins if start is None else ends
        return node, f"there is no day '{node.text}'", "look at the month's last day"
    contradiction = _contradiction(start, end)
    return None if contradiction is None else (ends, *contradiction)


def _contradiction(start: WeekTime | date, end: WeekTime | date) -> tuple[str, str] | None:
    """Why nothing can begin and end so, and what to do."""
    if isinstance(start, date) != isinstance(end, date):
        return "the freeze begins and ends in two ways of telling time", _TWO_WAYS
    if start == end and not isinstance(start, date):
        return "the freeze would never end", "let it end before it begins anew"
    if isinstance(start, date) and isinstance(end, date) and end < start:
        return "the freeze ends before it begins", "let it end on its first day or later"
    return None


def _moment(text: str) -> WeekTime | date | None:
    day, _, at = text.partition(" ")
    try:
        return (DAY_NAMES.index(day), parse_time_of_day(at)) if at else date.fromisoformat(day)
    except ValueError:
        return None
