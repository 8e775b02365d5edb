"""What starts by the calendar: dates of the customer, schedules, and segments that time changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from shopflow.domain.customer import Customer
from shopflow.domain.event import Event, Facts
from shopflow.domain.ids import EventId, fraction, is_subject
from shopflow.domain.journal import Kind, Refusal
from shopflow.domain.trigger import DateTrigger, EventTrigger, ScheduleTrigger
from shopflow.domain.workflow import Workflow
from shopflow.engine import dates, entry, news, segments, traits, triggers, zones
from shopflow.engine.names import (
    Names,
    customer_names,
    event_record,
    holds,
    trigger_names,
)
from shopflow.engine.rulebook import Rulebook
from shopflow.engine.turn import Turn
from shopflow.errors import EvaluationError

#: A calendar start that is noticed later than this is let go.
MAX_LATENESS = timedelta(hours=24)
#: Local time in the project's zone at which timed segments are looked at.
SWEEP_AT = time(3)

#: After everything that a calendar has.
FAR = datetime.max.replace(tzinfo=UTC)

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One start by the calendar; no workflow means the daily look at timed segments."""

    at: datetime
    workflow: Workflow | None = None
    item: object = None
    #: Tells the items of an `each` apart where the workflow has no key.
    number: int = 0
    #: What it starts on, where that is an event about no customer.
    event: Event | None = None


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


def next_dates(turn: Turn, after: datetime) -> list[Occurrence]:
    """What starts next for this customer alone; what starts for everybody is left to sweeps."""
    return [
        each
        for workflow in turn.rulebook.date_triggers
        for each in _dated(turn, workflow, _since_live(turn.facts, workflow, after))
    ]


def next_due(turn: Turn) -> datetime | None:
    """The earliest instant at which something happens by itself."""
    due = turn.next_timer()
    after = turn.customer.calendar_at
    if after is None:
        return due
    for each in next_dates(turn, after):
        if due is None or each.at < due:
            due = each.at
    return due


def is_quiet(rulebook: Rulebook, facts: Facts, after: datetime, until: datetime) -> bool:
    """True when nothing starts for everybody after the one instant and up to the other."""
    if not rulebook.has_sweeps:
        return True
    known, since, first = rulebook.quiet_span
    # What comes first after an instant comes first after all that lie between.
    if known is not facts or not since <= after < first:
        first = next_sweep(rulebook, facts, after) or FAR
        rulebook.quiet_span = (facts, after, first)
    return until < first


def _all_next(turn: Turn, after: datetime) -> Iterable[Occurrence]:
    yield from next_dates(turn, after)
    if turn.rulebook.has_sweeps:
        yield from for_everybody(turn.rulebook, turn.facts, after)


def for_everybody(rulebook: Rulebook, facts: Facts, after: datetime) -> Iterable[Occurrence]:
    """What starts next for all customers at once, or for those of them in an audience."""
    yield from _occasions(rulebook, facts, after)
    if facts.swept_to is not None:
        after = max(after, facts.swept_to)
    for workflow in rulebook.schedule_triggers:
        at = rulebook.next_scheduled(workflow, _since_live(facts, workflow, after))
        yield Occurrence(at=at, workflow=workflow)
    if rulebook.timed_segments:
        where = zones.of_project(rulebook.ruleset)

        def next_look(moment: datetime) -> datetime:
            today = moment.astimezone(where).date()
            looks = (zones.local(today + days * _DAY, SWEEP_AT, where) for days in range(3))
            return min(look for look in looks if look > moment)

        yield Occurrence(at=rulebook.upcoming.after("", after, next_look))


def _occasions(rulebook: Rulebook, facts: Facts, after: datetime) -> Iterable[Occurrence]:
    """Events with an audience; they are few, and each is known until its sweep is long over."""
    for event in facts.occasions:
        at = event.occurred_at
        for workflow in rulebook.audience_triggers if at > after else ():
            trigger = workflow.trigger
            assert isinstance(trigger, EventTrigger)  # noqa: S101 - the rulebook sorted them
            if trigger.pattern.matches(event.type) and at > _since_live(facts, workflow, after):
                yield Occurrence(at=at, workflow=workflow, event=event)


def _since_live(facts: Facts, workflow: Workflow, after: datetime) -> datetime:
    """No occurrence from before the workflow went live counts."""
    since = facts.live_since.get(workflow.id)
    return after if since is None else max(after, since)


def _dated(turn: Turn, workflow: Workflow, after: datetime) -> Iterable[Occurrence]:
    trigger = workflow.trigger
    assert isinstance(trigger, DateTrigger)  # noqa: S101 - the rulebook sorted them
    if (told := turn.rulebook.told_date(workflow)) is not None:
        # Few customers tell a date, and all of them are looked at.
        if told in turn.customer.attributes:
            yield from _told(turn, workflow, trigger, told, after)
        return
    names = customer_names(turn, after)
    try:
        items = [None] if trigger.each is None else trigger.each.evaluate(names)
    except EvaluationError:
        # The customer has no such attribute, so no such date.
        return
    for number, item in enumerate(items if isinstance(items, list) else []):
        try:
            day = dates.as_date(trigger.date.evaluate({**names, "item": item}))
            moment = dates.next_date(turn, workflow, trigger, day, after)
        except EvaluationError:
            # There is none to read.
            continue
        if moment is not None:
            yield Occurrence(at=moment, workflow=workflow, item=item, number=number)


def _told(
    turn: Turn, workflow: Workflow, trigger: DateTrigger, name: str, after: datetime
) -> Iterable[Occurrence]:
    try:
        day = dates.as_date(traits.read(turn.rulebook.ruleset, turn.customer, name, after))
    except EvaluationError:
        return
    if (moment := dates.next_date(turn, workflow, trigger, day, after)) is not None:
        yield Occurrence(at=moment, workflow=workflow)


def begin(turn: Turn, occurrence: Occurrence) -> list[entry.Entered]:
    """Enrol for one occurrence; what is noticed too late is let go."""
    at, workflow = occurrence.at, occurrence.workflow
    if workflow is None:
        begun = segments.begin(turn, at)
        entered, left = segments.changes(turn, at)
        cause = EventId(f"segments@{at.isoformat()}")
        return begun + segments.started(turn, entered, left, at, cause)
    if not _concerns(turn, workflow, occurrence):
        return []
    if turn.clock(at) - at > MAX_LATENESS:
        turn.journal(Kind.REFUSED, at, workflow, reason=Refusal.STALE)
        return []
    trigger = workflow.trigger
    if occurrence.event is not None and isinstance(trigger, EventTrigger):
        names = trigger_names(turn, workflow, event_record(occurrence.event), at, None)
        return triggers.on_event(turn, workflow, trigger, occurrence.event, names)
    stamp = at.isoformat().replace("+00:00", "Z")
    default_key = stamp if isinstance(trigger, ScheduleTrigger) else str(occurrence.number or "")
    enrolment = entry.enter(
        turn,
        workflow,
        _names(turn, workflow, occurrence),
        {entry.SCHEDULED_AT: stamp},
        at,
        cause=EventId(f"{workflow.id}@{stamp}"),
        item=occurrence.item,
        number=occurrence.number,
        default_key=default_key,
    )
    if enrolment is None:
        return []
    if isinstance(trigger, ScheduleTrigger) and trigger.spread:
        # It is enrolled now, so that exits count, and takes its first step later.
        delay = trigger.spread * fraction(f"spread/{workflow.id}", turn.customer.id)
        awaits = news.awaited(turn, workflow, enrolment)
        turn.put(enrolment, due_at=at + delay, awaits=awaits)
        return []
    return [(workflow, enrolment)]


def _names(turn: Turn, workflow: Workflow, occurrence: Occurrence) -> Names:
    record: Names = {entry.SCHEDULED_AT: occurrence.at}
    if occurrence.event is not None:
        record = event_record(occurrence.event)
    names = trigger_names(turn, workflow, record, occurrence.at, None)
    names["item"] = occurrence.item
    return names


def _concerns(turn: Turn, workflow: Workflow, occurrence: Occurrence) -> bool:
    """True when the customer is in the audience; an event asks once more, for each element."""
    trigger, condition = workflow.trigger, None
    match trigger:
        case ScheduleTrigger():
            condition = trigger.audience
        case DateTrigger():
            condition = trigger.when
        case EventTrigger() if trigger.each is None:
            condition = trigger.audience
    names = _names(turn, workflow, occurrence)
    return holds(turn, condition, names, at=occurrence.at, workflow=workflow)


def next_sweep(rulebook: Rulebook, facts: Facts, after: datetime) -> datetime | None:
    """The next instant at which all customers have to be looked at."""
    if not rulebook.has_sweeps:
        return None
    return min((each.at for each in for_everybody(rulebook, facts, after)), default=None)


def is_concerned(
    rulebook: Rulebook, customer: Customer, until: datetime, *, clock: datetime, facts: Facts
) -> bool:
    """True when the customer has something to start for everybody by then; nothing is decided.

    Or when a date of the customer comes earlier than its timer says, since the rules are newer, or
    a segment is watched anew.
    What is too late to start concerns nobody.
    """
    after = customer.calendar_at or customer.watermark
    if customer.alias_of is not None or is_subject(customer.id) or after is None:
        return False
    if segments.waits_to_begin(Turn(rulebook, customer, clock, facts), until):
        return True
    turn = Turn(rulebook, customer, clock, facts)
    dates = [each.at for each in next_dates(turn, after)]
    if dates and (customer.next_due_at is None or min(dates) < customer.next_due_at):
        return True
    while rulebook.has_sweeps:
        found = [each for each in for_everybody(rulebook, facts, after) if after < each.at <= until]
        if not found:
            return False
        after = min(each.at for each in found)
        if turn.clock(after) - after > MAX_LATENESS:
            continue
        for each in found:
            if each.at == after and _would_begin(turn, each):
                return True
    return False


def _would_begin(turn: Turn, occurrence: Occurrence) -> bool:
    if occurrence.workflow is not None:
        return _concerns(turn, occurrence.workflow, occurrence)
    return any(segments.changes(turn, occurrence.at))
