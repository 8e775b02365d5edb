"""What starts by the calendar: dates of the customer, schedules, and segments that time changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import merge
from itertools import groupby
from operator import attrgetter

from shopflow.domain.customer import Customer
from shopflow.domain.event import Facts
from shopflow.domain.ids import EventId, fraction, is_subject
from shopflow.domain.journal import Kind, Refusal
from shopflow.domain.trigger import DateTrigger, EventTrigger, ScheduleTrigger
from shopflow.domain.workflow import Workflow
from shopflow.engine import audiences, dates, entry, news, segments, traits, triggers
from shopflow.engine.agenda import FAR, Occurrence, Start
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

_AT = attrgetter("at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dates:
    """A customer's own next starts, used again within a decision while they hold."""

    after: datetime
    first: datetime
    attributes: Mapping[str, object]
    traits: Mapping[str, object]
    found: list[Occurrence]

    def holds(self, turn: Turn, after: datetime) -> bool:
        """True when nothing has changed that the next dates hang on."""
        customer = turn.customer
        return (
            self.after <= after < self.first
            and customer.attributes is self.attributes
            and customer.traits is self.traits
            and turn.rulebook.dates_are_kept
        )


def next_occurrences(turn: Turn, after: datetime, until: datetime) -> list[Occurrence]:
    """All that start at the earliest instant after the one and up to the other.

    Instants at which nothing can start for the customer pass on the way.
    """
    if not turn.rulebook.has_calendar:
        return []
    dated = [each for each in next_dates(turn, after) if each.at <= until]
    first = min((each.at for each in dated), default=None)
    for at, occurrences in sweeps(turn.rulebook, turn.facts, after, first or until):
        found = [each for each in occurrences if not _passes(turn, each)]
        if found or at == first:
            return [*(each for each in dated if each.at == at), *found]
        turn.customer.calendar_at = at
        turn.mark_time(at)
    return [each for each in dated if each.at == first]


def _passes(turn: Turn, occurrence: Occurrence) -> bool:
    """True when the occurrence is nothing to the customer, and none of its dates moves by it."""
    workflow = occurrence.workflow
    if workflow is None or occurrence.event is not None or not turn.rulebook.dates_are_kept:
        return False
    return audiences.is_out_of_reach(turn, workflow)


def next_dates(turn: Turn, after: datetime) -> list[Occurrence]:
    """What starts next for this customer alone; what starts for everybody is left to sweeps."""
    if not turn.rulebook.date_triggers:
        return []
    if turn.dates is None or not turn.dates.holds(turn, after):
        found = [
            each
            for workflow in turn.rulebook.date_triggers
            for each in _dated(turn, workflow, _since_live(turn.facts, workflow, after))
        ]
        turn.dates = Dates(
            after=after,
            first=min((each.at for each in found), default=FAR),
            attributes=turn.customer.attributes,
            traits=turn.customer.traits,
            found=found,
        )
    return turn.dates.found


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
    return next(sweeps(rulebook, facts, after, until), None) is None


def sweeps(
    rulebook: Rulebook, facts: Facts, after: datetime, until: datetime = FAR
) -> Iterator[Start]:
    """What starts for all customers at once, or for those of them in an audience, in order.

    It starts after the one instant, and up to the other.
    """
    known = rulebook.agenda.after(after if facts.swept_to is None else max(after, facts.swept_to))
    if occasions := _occasions(rulebook, facts, after):
        known = _merged(occasions, known)
    for at, occurrences in known:
        if at > until:
            return
        found = [each for each in occurrences if _is_live(facts, each)]
        if found:
            yield Start(at, found)


def _merged(ours: Iterable[Start], theirs: Iterable[Start]) -> Iterator[Start]:
    """Both in order of time; of one instant, ours come first."""
    both = merge(ours, theirs, key=_AT)
    for at, starts in groupby(both, key=_AT):
        yield Start(at, [each for start in starts for each in start.occurrences])


def _occasions(rulebook: Rulebook, facts: Facts, after: datetime) -> list[Start]:
    """Events with an audience; they are few, and each is known until its sweep is long over."""
    found = []
    for event in facts.occasions:
        at = event.occurred_at
        for workflow in rulebook.audience_triggers if at > after else ():
            trigger = workflow.trigger
            assert isinstance(trigger, EventTrigger)  # noqa: S101 - the rulebook sorted them
            if trigger.pattern.matches(event.type):
                found.append(Start(at, [Occurrence(at=at, workflow=workflow, event=event)]))
    return sorted(found, key=_AT)


def _since_live(facts: Facts, workflow: Workflow, after: datetime) -> datetime:
    """No occurrence from before the workflow went live counts."""
    since = facts.live_since.get(workflow.id)
    return after if since is None else max(after, since)


def _is_live(facts: Facts, each: Occurrence) -> bool:
    since = None if each.workflow is None else facts.live_since.get(each.workflow.id)
    return since is None or each.at > since


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
    return next((at for at, _ in sweeps(rulebook, facts, after)), None)


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
    return any(
        _would_begin(turn, each)
        for at, occurrences in sweeps(rulebook, facts, after, until)
        if turn.clock(at) - at <= MAX_LATENESS
        for each in occurrences
    )


def _would_begin(turn: Turn, occurrence: Occurrence) -> bool:
    if occurrence.workflow is not None:
        return _concerns(turn, occurrence.workflow, occurrence)
    return any(segments.changes(turn, occurrence.at))
