"""One decision: timers that are due, then the input, in the order that is policy."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import assert_never

from shopflow.domain.codec_making import maker
from shopflow.domain.customer import Customer
from shopflow.domain.event import DeliveryReport, Event, Facts, Input, Merge, News, Tick
from shopflow.domain.ids import EnrolmentId, is_subject
from shopflow.domain.journal import DeadLetter, Decision, Tell
from shopflow.domain.workflow import Workflow
from shopflow.engine import (
    calendar,
    consent,
    coupons,
    delivery,
    entry,
    exits,
    goals,
    merge,
    passing,
    preferences,
    profile,
    segments,
    traits,
    trials,
    triggers,
    walk,
)
from shopflow.engine.agenda import Occurrence
from shopflow.engine.jobs import Job, carry_out, rank
from shopflow.engine.meetings import exits_and_waits
from shopflow.engine.names import event_record, note_failure
from shopflow.engine.news import JUST_BEFORE
from shopflow.engine.rulebook import Rulebook
from shopflow.engine.turn import Turn
from shopflow.errors import EvaluationError

_decision = maker(Decision)

#: The emit that is refused: a loop of rules, not a shop's need.
MAX_HOPS = 8
#: More timers than this in one decision are a loop, not a customer.
MAX_TIMERS = 10_000


def decide(
    rulebook: Rulebook,
    customer: Customer,
    input: Input,  # noqa: A002 - the word of the contract
    *,
    at: datetime,
    clock: datetime,
    facts: Facts,
) -> Decision:
    """What the input makes of the customer, and what has to happen; asks nobody for the time.

    `at` is the time of the input, `clock` the wall clock; both aware UTC.
    """
    if isinstance(input, Event):
        after = passing.counted(rulebook, customer, input, facts)
        if after is not None:
            return _decision(customer=after, effects=())
    if isinstance(input, Merge) and input.customer.id == customer.id:
        # A ring of identifications has led the value back here: this row stays a real one.
        turn = Turn(rulebook, input.customer, clock, facts)
        return turn.decision(calendar.next_due(turn))
    return _decided(Turn(rulebook, customer, clock, facts), customer, input, at)


def _decided(turn: Turn, customer: Customer, told: Input, at: datetime) -> Decision:
    if customer.alias_of is not None:
        _forward(turn, told, customer)
        return turn.decision(None)
    if (
        turn.customer.calendar_at is None
        and turn.rulebook.has_calendar
        and not is_subject(turn.customer.id)
    ):
        turn.customer.calendar_at = customer.watermark or at - JUST_BEFORE
    match told:
        case Tick():
            _fire_until(turn, at, inclusive=True, timers_only=told.timers_only)
            if not (told.timers_only or turn.is_new or _is_late(turn, at)):
                _begin_segments(turn, at)
        case Event() if is_subject(customer.id):
            _begin_for_subject(turn, told, at)
        case Event():
            _decide_event(turn, told, at)
        case DeliveryReport():
            delivery.report(turn, told)
            _drain(turn)
        case Merge():
            _fire_until(turn, at, inclusive=False)
            merge.take_in(turn, told)
        case News():
            _hear(turn, told, at)
        case _:
            assert_never(told)
    entry.forget(turn, at, unread=not isinstance(told, Event))
    return turn.decision(calendar.next_due(turn))


def _decide_event(turn: Turn, event: Event, at: datetime) -> None:
    late = _is_late(turn, at)
    if not (late or event.ahead):
        _fire_until(turn, at, inclusive=False)
    if merge.identified(turn, event):
        return
    turn.pending.append(event)
    _drain(turn)
    if late and turn.customer.watermark is not None:
        # What it started may be due already; the next event must not find it undecided.
        _fire_until(turn, turn.customer.watermark, inclusive=False)


def _begin_for_subject(turn: Turn, event: Event, at: datetime) -> None:
    """Enrol a row that is nobody's: it has no traits, no segments and no consents."""
    _fire_until(turn, at, inclusive=False)
    now = turn.mark_time(at)
    carry_out(_starts(turn, triggers.triggered(turn, event)))
    _drain(turn)
    _fire_until(turn, now, inclusive=False)


def _begin_segments(turn: Turn, at: datetime) -> None:
    """Somebody who was known before it is told by a sweep what is watched anew."""
    if new := segments.begin(turn, at):
        carry_out(_starts(turn, new))
        _drain(turn)
        _fire_until(turn, turn.mark_time(at), inclusive=True)


def _hear(turn: Turn, news: News, at: datetime) -> None:
    """What an event about no customer brings to enrolments that were there before it."""
    if not _is_late(turn, at):
        _fire_until(turn, at, inclusive=False)
    found = (turn.customer.enrolments.get(each) for each in news.enrolments)
    waiting = [enrolment for enrolment in found if enrolment is not None]
    now = turn.mark_time(at)
    carry_out(exits_and_waits(turn, news.event, waiting, earlier=True))
    _drain(turn)
    _fire_until(turn, now, inclusive=False)


def _forward(turn: Turn, told: Input, customer: Customer) -> None:
    """Hand what comes for a visitor to the customer that it turned out to be."""
    if customer.alias_of is None or isinstance(told, Tick):
        return
    if isinstance(told, Event):
        told = merge.addressed(told, customer.alias_of)
    turn.effects.append(Tell(to=customer.alias_of, input=told))


def _is_late(turn: Turn, at: datetime) -> bool:
    watermark = turn.customer.watermark
    return watermark is not None and at < watermark


def _fire_until(turn: Turn, limit: datetime, *, inclusive: bool, timers_only: bool = False) -> None:
    """Fire what is due before the limit, in order of time."""
    # The limit itself is still to come where events at the same instant go first.
    last = limit if inclusive else limit - JUST_BEFORE
    quiet_until, turn.quiet_until = turn.quiet_until, None
    after = turn.customer.calendar_at
    if (
        quiet_until is not None
        and last < quiet_until
        and (after is None or calendar.is_quiet(turn.rulebook, turn.facts, after, last))
    ):
        if after is not None and not timers_only:
            turn.customer.calendar_at = max(after, last)
        return
    for _ in range(MAX_TIMERS):
        planned: list[Occurrence] = []
        after = turn.customer.calendar_at
        due = turn.next_timer()
        if after is not None and not timers_only:
            until = last if due is None else min(due, last)
            planned = calendar.next_occurrences(turn, after, until)
        starts = planned[0].at if planned else None
        moment = due if starts is None else starts
        if moment is None or moment > last:
            break
        new: list[entry.Entered] = []
        if starts == moment:
            turn.customer.calendar_at = moment
            new = [entered for each in planned for entered in calendar.begin(turn, each)]
        carry_out([*_due(turn, moment), *_starts(turn, new)])
        turn.mark_time(moment)
        _drain(turn)
    else:
        raise RuntimeError("the timers of one customer do not come to an end")
    if after is not None and not timers_only:
        turn.customer.calendar_at = max(after, last)


def _due(turn: Turn, moment: datetime) -> Iterable[Job]:
    """The timers of this instant: held messages, then enrolments."""
    for record in turn.customer.sent:
        if record.due_at == moment and record.message is not None:
            yield Job(record.message.priority, partial(delivery.release, turn, record, moment))
    due = [e for e in turn.customer.enrolments.values() if e.due_at == moment]
    for enrolment in sorted(due, key=lambda each: rank(turn, each)):
        yield Job(-rank(turn, enrolment)[0], partial(_resume, turn, enrolment.id, moment))


def _resume(turn: Turn, enrolment_id: EnrolmentId, moment: datetime) -> None:
    enrolment = turn.customer.enrolments.get(enrolment_id)
    if enrolment is None or enrolment.due_at != moment:
        return
    settled = walk.settle_version(turn, enrolment, moment)
    workflow = walk.workflow_of(turn, settled) if settled is not None else None
    if settled is None or workflow is None:
        return
    if not exits.on_condition(turn, workflow, settled, moment):
        walk.resume(turn, workflow, settled, moment)


def _starts(turn: Turn, new: Iterable[entry.Entered]) -> Iterable[Job]:
    """The new enrolments, each to its first wait."""
    for workflow, enrolment in new:
        yield Job(workflow.priority, partial(_start, turn, workflow, enrolment.id))


def _start(turn: Turn, workflow: Workflow, enrolment_id: EnrolmentId) -> None:
    enrolment = turn.customer.enrolments.get(enrolment_id)
    if enrolment is not None:
        walk.start(turn, workflow, enrolment)


def _drain(turn: Turn) -> None:
    """Decide what is pending: the event, then what that made us emit to this same customer."""
    # What is decided now may start something that is due at once.
    turn.quiet_until = None
    while turn.pending:
        event = turn.pending.popleft()
        if event.hops > MAX_HOPS:
            turn.effects.append(DeadLetter(event=event, reason="emit_loop"))
            continue
        turn.hops = event.hops
        _apply(turn, event)
    turn.hops = 0


def _apply(turn: Turn, event: Event) -> None:
    """Traits and segments, exits, waits, triggers; then every moved enrolment walks on."""
    late = _is_late(turn, event.occurred_at)
    now = turn.mark_time(event.occurred_at)
    # Before the event: what it changes is entered and left, what was there is not.
    begun = segments.begin(turn, now)
    suppressed = profile.absorb(turn, event, late=late)
    consents_changed = consent.absorb(turn, event)
    consents_changed = preferences.absorb(turn, event, late=late) or consents_changed
    coupons.absorb(turn, event)
    trials.absorb(turn, event)
    _fold(turn, event)
    entered, left = segments.changes(turn, now)
    goals.credit(turn, event)
    everyone = turn.customer.enrolments.values()
    met = exits_and_waits(turn, event, everyone, consents_changed=consents_changed)
    if consents_changed or suppressed:
        consent.call_back(turn, now)
    exits.remember(turn, event)
    new = begun + triggers.triggered(turn, event)
    new += segments.started(turn, entered, left, now, event.id)
    if met or new:
        carry_out([*met, *_starts(turn, new)])


def _fold(turn: Turn, event: Event) -> None:
    definitions = turn.rulebook.interest(event.type).traits
    if not definitions:
        return

    def failed(_: object, error: EvaluationError) -> None:
        note_failure(turn, None, error, at=event.occurred_at, workflow=None)

    turn.customer.traits = traits.fold(
        turn.customer.traits,
        definitions,
        event,
        event_record(event),
        turn.rulebook.ruleset.currency,
        failed,
    )
