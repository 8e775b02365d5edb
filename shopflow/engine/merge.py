"""One person out of two rows: an anonymous visitor turns out to be a known customer."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from shopflow.domain.customer import Customer, Enrolment, Mark, RecentEvent
from shopflow.domain.event import IDENTIFIED, Event, Merge
from shopflow.domain.ids import CustomerId, EnrolmentId
from shopflow.domain.journal import EndReason, Tell
from shopflow.engine import consent, traits
from shopflow.engine.ending import call_back, end
from shopflow.engine.exits import RECENT_EVENTS, left_already
from shopflow.engine.goals import forget_goal
from shopflow.engine.turn import Draft, Turn


def identified(turn: Turn, event: Event) -> bool:
    """Turn the visitor's row into an alias and send its value on; False for any other event."""
    # Without this an alias that is identified anew would make its customer somebody else's alias.
    is_the_visitor = (event.anonymous_id or event.data.get("anonymous_id")) == turn.customer.id
    target = event.data.get("customer_id") or event.customer_id
    if event.type != IDENTIFIED or not is_the_visitor or target == turn.customer.id:
        return False
    if not isinstance(target, str):
        return False
    to = CustomerId(target)
    value = _without_waiting(turn, event.occurred_at).freeze(None)
    turn.effects.append(Tell(to=to, input=Merge(customer=value, at=event.occurred_at)))
    turn.effects.append(Tell(to=to, input=addressed(event, to)))
    turn.customer = Draft(Customer(id=turn.customer.id, alias_of=to))
    return True


def addressed(event: Event, to: CustomerId) -> Event:
    """The event as one of the known customer's own."""
    data = {name: value for name, value in event.data.items() if name != "anonymous_id"}
    return replace(event, customer_id=to, anonymous_id=None, data=data)


def _without_waiting(turn: Turn, at: datetime) -> Draft:
    """The draft with everything called back that the outbox still holds in the old name."""
    call_back(turn, EndReason.MERGED)
    at_their_end = [e for e in turn.customer.enrolments.values() if e.due_at is None]
    for enrolment in at_their_end:
        end(turn, turn.rulebook.workflow(enrolment.digest), enrolment, EndReason.MERGED, at)
    return turn.customer


def take_in(turn: Turn, told: Merge) -> None:
    """Add the visitor's value to this customer's, as if all of it had been this one's."""
    ours, theirs = turn.customer, told.customer
    known = turn.rulebook.ruleset.traits
    ours.attributes = {**theirs.attributes, **ours.attributes}
    ours.tags = ours.tags | theirs.tags
    _merge_segments(turn, theirs)
    ours.traits = {
        name: traits.merged(known[name], ours.traits.get(name), theirs.traits.get(name))
        for name in (*ours.traits, *(n for n in theirs.traits if n not in ours.traits))
        if name in known
    }
    ours.consents = {
        key: entry
        for key in (*ours.consents, *(k for k in theirs.consents if k not in ours.consents))
        if (entry := consent.newest(ours.consents.get(key), theirs.consents.get(key))) is not None
    }
    ours.suppressions = ours.suppressions | theirs.suppressions
    ours.sent = (*ours.sent, *theirs.sent)
    ours.goals = (*ours.goals, *theirs.goals)
    ours.codes = (*ours.codes, *theirs.codes)
    ours.trials = (*ours.trials, *theirs.trials)
    ours.watermark = _later(ours.watermark, theirs.watermark)
    ours.calendar_at = _later(ours.calendar_at, theirs.calendar_at)
    _merge_marks(ours, theirs)
    _merge_enrolments(turn, theirs.enrolments, told.at)
    _leave(turn, {enrolment.id for enrolment in theirs.enrolments}, theirs.recent)
    both = sorted((*ours.recent, *theirs.recent), key=lambda event: event.occurred_at)
    ours.recent = tuple(both[-RECENT_EVENTS:])


def _merge_segments(turn: Turn, theirs: Customer) -> None:
    """What has begun for one of the two only begins anew, so that nobody enters by being merged.

    Unless that one was a member: a rule that asked for members has had its answer.
    """
    ours = turn.customer
    if turn.is_new:
        ours.begun = theirs.begun
    else:
        answered = {
            asked.mark
            for asked in turn.rulebook.beginnings.backfills.values()
            for one in (ours, theirs)
            if asked.mark in one.begun and asked.segment in one.segments
        }
        ours.begun = (ours.begun & theirs.begun) | answered
    ours.segments, ours.segments_by = ours.segments | theirs.segments, ""


def _later(ours: datetime | None, theirs: datetime | None) -> datetime | None:
    return max((moment for moment in (ours, theirs) if moment is not None), default=None)


def _merge_marks(ours: Draft, theirs: Customer) -> None:
    marks = dict(ours.marks)
    for key, mark in theirs.marks.items():
        known = marks.get(key)
        marks[key] = mark if known is None else _newer_mark(known, mark)
    ours.marks = marks


def _newer_mark(ours: Mark, theirs: Mark) -> Mark:
    return Mark(
        entered_at=max(ours.entered_at, theirs.entered_at),
        last_message_at=_later(ours.last_message_at, theirs.last_message_at),
        used_at=max(ours.used_at, theirs.used_at),
    )


def _merge_enrolments(turn: Turn, theirs: tuple[Enrolment, ...], at: datetime) -> None:
    """Of two with one key the newer trigger stays."""
    for enrolment in theirs:
        rival = next(
            (
                ours
                for ours in turn.customer.enrolments.values()
                if (ours.workflow, ours.key) == (enrolment.workflow, enrolment.key)
            ),
            None,
        )
        if rival is None:
            turn.put(enrolment)
            continue
        turn.put(enrolment)
        older = rival if rival.entered_at < enrolment.entered_at else enrolment
        end(turn, turn.rulebook.workflow(older.digest), older, EndReason.MERGED, at)
        forget_goal(turn, older)


def _leave(turn: Turn, theirs: set[EnrolmentId], their_events: tuple[RecentEvent, ...]) -> None:
    """What one of the two did ends what the other had begun before."""
    for enrolment in tuple(turn.customer.enrolments.values()):
        workflow = turn.rulebook.workflow(enrolment.digest)
        seen = turn.customer.recent if enrolment.id in theirs else their_events
        if workflow is not None:
            left_already(turn, workflow, enrolment, seen)
