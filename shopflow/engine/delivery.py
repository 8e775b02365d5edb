"""Word from the deliverer: slots that are settled or freed, and the next channel to try."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from shopflow.domain.customer import SentRecord, SlotState
from shopflow.domain.event import DeliveryReport, Outcome
from shopflow.domain.ids import message_id
from shopflow.domain.journal import Cancel, Kind, Queue, Reason, Requeue, Stopped
from shopflow.domain.message import Message
from shopflow.domain.step import Send
from shopflow.domain.workflow import Workflow
from shopflow.engine import caps, consent, coupons, exits, gates, profile, trials, walk
from shopflow.engine.outgoing import AS_IF_SENT, keep_held, note_sent, take_slot
from shopflow.engine.sending import send_by
from shopflow.engine.turn import Turn

#: The channel's word for an address that does not exist.
BAD_ADDRESS = "bad_address"


def report(turn: Turn, told: DeliveryReport) -> None:
    """Take in what became of a message; one that was called back meanwhile is no news."""
    message = told.message
    record = _record(turn, message)
    unknown = record is None and not turn.facts.event_clock
    if unknown or (record is not None and record.state is SlotState.CALLED):
        _called_back(turn, told)
        return
    match told.outcome:
        case Outcome.ACCEPTED:
            _accept(turn, record, told.at)
            trials.note_sent(turn, message.id, told.at)
            coupons.issue(turn, message.codes, told.at)
        case Outcome.UNCERTAIN:
            # It may have arrived, so it counts.
            _accept(turn, record, told.at)
            trials.note_sent(turn, message.id, told.at)
            coupons.issue(turn, message.codes, told.at)
            _note(turn, message, Kind.DELIVERY, told.outcome, told.at)
        case Outcome.DROPPED:
            _free(turn, message)
            _give_back(turn, message, told.at)
            _note(turn, message, Kind.DROPPED, told.reason, told.at)
        case Outcome.FAILED:
            _free(turn, message)
            _note(turn, message, Kind.DELIVERY, told.reason or told.outcome, told.at)
            if told.reason == BAD_ADDRESS:
                gone = message.address
                profile.suppress(turn, message.channel, Stopped.HARD_BOUNCE, told.at, gone)
            _try_channels(turn, message, message.fallbacks, told.at, queued=False)
        case Outcome.RETURNED:
            _free(turn, message)
            channels = (message.channel, *message.fallbacks)
            _try_channels(turn, message, channels, told.at, queued=True)


def release(turn: Turn, record: SentRecord, due: datetime) -> None:
    """The hold of a message that had left its step is over: it passes the gates again."""
    message = record.message
    if message is None or record not in turn.customer.sent:
        return
    turn.customer.sent = tuple(r for r in turn.customer.sent if r is not record)
    moved = replace(message, cursor_at=due)
    channels = (moved.channel, *moved.fallbacks)
    _try_channels(turn, moved, channels, due, queued=record.queued)
    enrolment = turn.customer.enrolments.get(message.enrolment_id)
    workflow = _workflow(turn, message)
    if enrolment is not None and workflow is not None:
        walk.complete(turn, workflow, enrolment, due)


def _called_back(turn: Turn, told: DeliveryReport) -> None:
    """Word of a message that was called back: if it has left all the same, it counts."""
    message = told.message
    if told.outcome in {Outcome.ACCEPTED, Outcome.UNCERTAIN}:
        if _record(turn, message) is None:
            take_slot(turn, message)
        _accept(turn, _record(turn, message), told.at)
        coupons.issue(turn, message.codes, told.at)
        _note(turn, message, Kind.DELIVERY, told.outcome, told.at)
        return
    _free(turn, message)
    if told.outcome is Outcome.RETURNED:
        turn.effects.append(_cancel(turn, message, Reason.EXITED))
    else:
        # It did not leave, which is what calling it back was for.
        _give_back(turn, message, told.at)


def _record(turn: Turn, message: Message) -> SentRecord | None:
    return next((r for r in turn.customer.sent if r.message_id == message.id), None)


def _accept(turn: Turn, record: SentRecord | None, at: datetime) -> None:
    if record is None or (record.accepted_at is not None and turn.facts.event_clock):
        return
    counted = caps.counts_for_caps(turn, record.message_class)
    settled = replace(record, state=SlotState.ACCEPTED, accepted_at=at)
    others = tuple(r for r in turn.customer.sent if r is not record)
    turn.customer.sent = (*others, settled) if counted else others


def _free(turn: Turn, message: Message) -> None:
    turn.customer.sent = tuple(r for r in turn.customer.sent if r.message_id != message.id)


def _try_channels(
    turn: Turn, message: Message, channels: tuple[str, ...], at: datetime, *, queued: bool
) -> None:
    """Let the message go over the first of these channels whose gates allow it.

    `queued` tells that its row may be in the outbox, where it is let go or called back.
    """
    workflow = _workflow(turn, message)
    step = workflow.steps.get(message.step) if workflow is not None else None
    if workflow is None or not isinstance(step, Send):
        _give_up(turn, message, Reason.EXITED, at, queued=queued)
        return
    if forbidden := _forbidden(turn, workflow, step, message, at):
        _give_up(turn, message, forbidden, at, queued=queued)
        return
    reason: str = Reason.FAILED
    for position, channel in enumerate(channels):
        verdict = gates.judge_channel(
            turn,
            workflow,
            message.purpose,
            channel,
            at,
            held_since=message.decided_at,
            holdout=_held_out(turn, workflow, message),
        )
        rest = channels[position + 1 :]
        same = channel == message.channel and queued
        if verdict.kind is gates.Kind.ALLOW:
            usable = coupons.refreshed(turn, step, message, turn.clock(at))
            if usable is None:
                _give_up(turn, message, Reason.NO_COUPON, at, queued=queued)
                return
            _let_go(turn, workflow, step, _over(turn, usable, channel, rest), at, same=same)
            if queued and not same:
                turn.effects.append(Cancel(message_id=message.id, reason=reason))
            return
        if verdict.kind is gates.Kind.HOLD:
            if queued and not same:
                turn.effects.append(Cancel(message_id=message.id, reason=reason))
            held = _over(turn, message, channel, rest)
            keep_held(turn, workflow, held, verdict, at, queued=same)
            return
        reason = verdict.reason
        if verdict.kind is not gates.Kind.SKIP:
            break
    _give_up(turn, message, reason, at, queued=queued)
    enrolment = turn.customer.enrolments.get(message.enrolment_id)
    if enrolment is not None and reason in AS_IF_SENT:
        note_sent(turn, workflow, enrolment, step.id, message.channel, at=at, outcome=reason)


def _workflow(turn: Turn, message: Message) -> Workflow | None:
    """The version that the message was decided on; the live one where that is no longer kept."""
    return turn.rulebook.workflow(message.digest) or turn.rulebook.current(message.workflow)


def _forbidden(
    turn: Turn, workflow: Workflow, step: Send, message: Message, at: datetime
) -> str | None:
    """What keeps the message back over any channel."""
    enrolment = turn.customer.enrolments.get(message.enrolment_id)
    if enrolment is not None:
        if exits.on_condition(turn, workflow, enrolment, at):
            return Reason.EXITED
        verdict = gates.judge_step(turn, workflow, enrolment, step, at)
        if verdict.kind is not gates.Kind.ALLOW:
            return verdict.reason
    elif gates.is_resting(turn, workflow):
        return Reason.PAUSED
    is_late = turn.clock(at) - message.cursor_at > step.max_lateness
    return Reason.STALE if is_late else None


def _held_out(turn: Turn, workflow: Workflow, message: Message) -> bool:
    enrolment = turn.customer.enrolments.get(message.enrolment_id)
    if enrolment is not None:
        return enrolment.holdout
    return gates.held_out(workflow, turn.customer.id)


def _over(turn: Turn, message: Message, channel: str, rest: tuple[str, ...]) -> Message:
    """The message over this channel; another channel is another message with a key of its own."""
    if channel == message.channel:
        return message
    return replace(
        message,
        id=message_id(message.enrolment_id, message.step, message.visit, channel),
        channel=channel,
        fallbacks=rest,
        address=consent.address(turn, channel) or "",
    )


def _let_go(
    turn: Turn, workflow: Workflow, step: Send, message: Message, at: datetime, *, same: bool
) -> None:
    due = replace(
        message,
        decided_at=turn.clock(at),
        send_by=send_by(
            turn,
            step,
            message.channel,
            message.message_class,
            message.cursor_at,
            message.codes,
        ),
    )
    turn.effects.append(Requeue(message=due) if same else Queue(message=due))
    take_slot(turn, due)
    if turn.facts.event_clock:
        coupons.issue(turn, due.codes, at)
    if not same:
        _note(turn, due, Kind.QUEUED, "", at, workflow)
    enrolment = turn.customer.enrolments.get(due.enrolment_id)
    if enrolment is not None:
        code = coupons.own(due)
        note_sent(turn, workflow, enrolment, due.step, due.channel, at=at, code=code)


def _give_up(turn: Turn, message: Message, reason: str, at: datetime, *, queued: bool) -> None:
    if queued:
        turn.effects.append(_cancel(turn, message, reason))
    else:
        _give_back(turn, message, at)
    _note(turn, message, Kind.DROPPED, reason, at)


def _cancel(turn: Turn, message: Message, reason: str) -> Cancel:
    """Take the message out of the outbox; its codes are free once that is known to have worked."""
    draws = tuple(coupons.unshown(turn, message))
    coupons.forget(turn, draws)
    return Cancel(message_id=message.id, reason=reason, draws=draws)


def _give_back(turn: Turn, message: Message, at: datetime) -> None:
    if draws := coupons.unshown(turn, message):
        coupons.give_back(turn, draws, at)


def _note(
    turn: Turn,
    message: Message,
    kind: Kind,
    reason: str,
    at: datetime,
    workflow: Workflow | None = None,
) -> None:
    workflow = workflow or _workflow(turn, message)
    turn.journal(
        kind,
        at,
        workflow,
        turn.customer.enrolments.get(message.enrolment_id),
        step=message.step,
        channel=message.channel,
        reason=reason,
        values={"message": message.id},
    )
