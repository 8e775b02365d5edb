"""What starts by the calendar: dates of the customer, schedules, and segments that time changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from shopflow.domain.expression import Expression
from shopflow.domain.ids import EventId, fraction
from shopflow.domain.journal import Kind, Refusal
from shopflow.domain.trigger import DateTrigger, ScheduleTrigger, SegmentTrigger
from shopflow.domain.workflow import Workflow
from shopflow.engine import entry, zones
from shopflow.engine.names import Names, customer_names, holds, trigger_names, truth_of
from shopflow.engine.turn import Turn
from shopflow.errors import EvaluationError

#: A calendar start that is noticed later than this is let go.
MAX_LATENESS = timedelta(hours=24)
#: Local time in the project's zone at which timed segments are looked at.
SWEEP_AT = time(3)

_DAY = timedelta(days=1)
_LEAP_DAY = (2, 29)


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One start by the calendar; no workflow means the daily look at timed segments."""

    at: datetime
    workflow: Workflow | None = None
    item: object = None
    #: Tells the items of an `each` apart where the workflow has no key.
    number: int = 0
    #: The instant of the schedule itself, before it was spread.
    scheduled_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What starts next, worked out once in a decision and used again while it holds."""

    after: datetime
    attributes: Mapping[str, object]
    found: list[Occurrence]

    def holds(self, turn: Turn, after: datetime) -> bool:
        """True when nothing has changed that the next starts depend on."""
        return (
            self.after <= after
            and (not self.found or after < self.found[0].at)
            and (turn.customer.attributes is self.attributes and turn.rulebook.dates_are_told)
        )


def next_occurrences(turn: Turn, after: datetime) -> list[Occurrence]:
    """All that start at the earliest instant strictly after this one."""
    if not turn.rulebook.has_calendar:
        return []
    if turn.plan is None or not turn.plan.holds(turn, after):
        found = [each for each in _all_next(turn, after) if each.at > after]
        first = min((each.at for each in found), default=None)
        found = [each for each in found if each.at == first]
        turn.plan = Plan(after=after, attributes=turn.customer.attributes, found=found)
    return turn.plan.found


def _all_next(turn: Turn, after: datetime) -> Iterable[Occurrence]:
    rulebook = turn.rulebook
    for workflow in rulebook.schedule_triggers:
        yield _scheduled(turn, workflow, after)
    for workflow in rulebook.date_triggers:
        yield from _dated(turn, workflow, _since_live(turn, workflow, after))
    if rulebook.timed_segments:
        where = zones.of_project(rulebook.ruleset)
        today = after.astimezone(where).date()
        moments = (zones.local(today + days * _DAY, SWEEP_AT, where) for days in range(3))
        yield Occurrence(at=min(moment for moment in moments if moment > after))


def _since_live(turn: Turn, workflow: Workflow, after: datetime) -> datetime:
    """No occurrence from before the workflow went live counts."""
    since = turn.facts.live_since.get(workflow.id)
    return after if since is None else max(after, since)


def _scheduled(turn: Turn, workflow: Workflow, after: datetime) -> Occurrence:
    trigger = workflow.trigger
    assert isinstance(trigger, ScheduleTrigger)  # noqa: S101 - the rulebook sorted them
    delay = trigger.spread
    if delay:
        delay *= fraction(f"spread/{workflow.id}", turn.customer.id)
    scheduled = trigger.recurrence.next_after(_since_live(turn, workflow, after - delay))
    return Occurrence(at=scheduled + delay, workflow=workflow, scheduled_at=scheduled)


def _dated(turn: Turn, workflow: Workflow, after: datetime) -> Iterable[Occurrence]:
    trigger = workflow.trigger
    assert isinstance(trigger, DateTrigger)  # noqa: S101 - the rulebook sorted them
    if _is_untold(turn, trigger.each or trigger.date):
        return
    names = customer_names(turn, after)
    try:
        items = [None] if trigger.each is None else trigger.each.evaluate(names)
    except EvaluationError:
        # The customer has no such attribute, so no such date.
        return
    for number, item in enumerate(items if isinstance(items, list) else []):
        try:
            day = _date(trigger.date.evaluate({**names, "item": item}))
            moment = _next_date(turn, trigger, day, after) if day is not None else None
        except (EvaluationError, OverflowError):
            # No such date: there is none to read, or it is past the end of every calendar.
            continue
        if moment is not None:
            yield Occurrence(at=moment, workflow=workflow, item=item, number=number)


def _is_untold(turn: Turn, source: Expression) -> bool:
    """True when it is an attribute and nothing else, and the customer has not told it.

    Few customers tell a date, and all of them are looked at: working it out is for those who did.
    """
    if len(source.reads) != 1:
        return False
    (path,) = source.reads
    return (
        source.source == ".".join(path)
        and path[0] == "customer"
        and path[-1] in turn.rulebook.ruleset.attributes
        and path[-1] not in turn.customer.attributes
    )


def _next_date(turn: Turn, trigger: DateTrigger, day: date, after: datetime) -> datetime | None:
    where = zones.of_customer(turn.rulebook.ruleset, turn.customer)
    year = after.astimezone(where).year
    days = [_in_year(day, year + offset) for offset in (-1, 0, 1, 2)] if trigger.yearly else [day]
    moments = (zones.local(each + trigger.offset, trigger.at, where) for each in days)
    return min((moment for moment in moments if moment > after), default=None)


def _in_year(day: date, year: int) -> date:
    """The day in that year; 29 February falls on the 28th where there is none."""
    if (day.month, day.day) == _LEAP_DAY:
        return date(year, 3, 1) - _DAY
    return day.replace(year=year)


def _date(value: object) -> date | None:
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


def begin(turn: Turn, occurrence: Occurrence) -> list[entry.Entered]:
    """Enrol for one occurrence; what is noticed too late is let go."""
    at, workflow = occurrence.at, occurrence.workflow
    if workflow is None:
        entered, left = segment_changes(turn, at)
        return from_segments(turn, entered, left, at, EventId(f"segments@{at.isoformat()}"))
    if turn.clock(at) - at > MAX_LATENESS:
        turn.journal(Kind.REFUSED, at, workflow, reason=Refusal.STALE)
        return []
    scheduled = occurrence.scheduled_at or at
    record: Names = {entry.SCHEDULED_AT: scheduled}
    names = trigger_names(turn, workflow, record, at, None)
    names["item"] = occurrence.item
    trigger = workflow.trigger
    condition = trigger.audience if isinstance(trigger, ScheduleTrigger) else None
    if isinstance(trigger, DateTrigger):
        condition = trigger.when
    if not holds(turn, condition, names, at=at, workflow=workflow):
        return []
    stamp = scheduled.isoformat().replace("+00:00", "Z")
    default_key = stamp if isinstance(trigger, ScheduleTrigger) else str(occurrence.number or "")
    enrolment = entry.enter(
        turn,
        workflow,
        names,
        {entry.SCHEDULED_AT: stamp},
        at,
        cause=EventId(f"{workflow.id}@{stamp}"),
        item=occurrence.item,
        number=occurrence.number,
        default_key=default_key,
    )
    return [(workflow, enrolment)] if enrolment is not None else []


def segment_changes(turn: Turn, at: datetime) -> tuple[frozenset[str], frozenset[str]]:
    """The watched segments that the customer has just entered, and those just left."""
    watched = turn.rulebook.watched_segments
    if not watched:
        return frozenset(), frozenset()
    names = customer_names(turn, at)
    inside = set()
    for segment in watched:
        try:
            if truth_of(segment.when, names):
                inside.add(segment.name)
        except EvaluationError:
            # A trait that is not there yet: not a member.
            continue
    before = turn.customer.segments
    after = frozenset(inside)
    if after != before:
        turn.customer.segments = after
    return after - before, before - after


def from_segments(
    turn: Turn,
    entered: frozenset[str],
    left: frozenset[str],
    at: datetime,
    cause: EventId,
) -> list[entry.Entered]:
    """Enrol where a workflow starts on entering or leaving a segment."""
    found: list[entry.Entered] = []
    if not entered and not left:
        return found
    for workflow in turn.rulebook.segment_triggers:
        trigger = workflow.trigger
        assert isinstance(trigger, SegmentTrigger)  # noqa: S101 - the rulebook sorted them
        if trigger.segment not in (entered if trigger.enters else left):
            continue
        bound = trigger_names(turn, workflow, {}, at, None)
        if not holds(turn, trigger.when, bound, at=at, workflow=workflow):
            continue
        enrolment = entry.enter(turn, workflow, bound, {}, at, cause=cause)
        if enrolment is not None:
            found.append((workflow, enrolment))
    return found
