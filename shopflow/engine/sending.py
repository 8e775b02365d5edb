"""The send step: which channel, what the gates say, and the message that goes into the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from shopflow.domain.customer import (
    Enrolment,
    Mark,
    SentRecord,
    SlotState,
    StepResult,
)
from shopflow.domain.ids import StepId, message_id
from shopflow.domain.journal import EndReason, Kind, Queue, Reason
from shopflow.domain.message import Message
from shopflow.domain.policy import MessageClass
from shopflow.domain.workflow import Send, SendMode, Workflow
from shopflow.engine import caps, consent, gates, quiet, zones
from shopflow.engine.goals import watch_goal
from shopflow.engine.moves import End, Go, Move, Stay
from shopflow.engine.names import enrolment_names, note_failure, plain
from shopflow.engine.turn import Turn
from shopflow.errors import EvaluationError

#: Attributes that a template never needs: the address is the channel's business.
_CONTACT = frozenset({"email", "phone"})


def send(turn: Turn, workflow: Workflow, enrolment: Enrolment, step: Send) -> Move:
    """Pass the gates at the cursor and queue, hold or drop."""
    at = enrolment.cursor_at
    verdict = gates.judge_step(turn, workflow, enrolment, step, at)
    if verdict.kind is not gates.Kind.ALLOW:
        drop(turn, workflow, enrolment, step.id, verdict, step.channels[0])
        if verdict.reason == Reason.EXITED:
            names = enrolment_names(turn, workflow, enrolment, turn.clock(at))
            rule = gates.exited(turn, workflow, enrolment, names, at)
            return End(rule.outcome if rule else Reason.EXITED, by=rule.id if rule else "")
        return Go(step.next, outcome=verdict.reason)
    if step.mode is SendMode.EACH_OF:
        return _send_each(turn, workflow, enrolment, step)
    return _send_first(turn, workflow, enrolment, step)


def _send_first(turn: Turn, workflow: Workflow, enrolment: Enrolment, step: Send) -> Move:
    refused: list[tuple[str, gates.Verdict]] = []
    held: list[tuple[str, gates.Verdict]] = []
    for position, channel in enumerate(step.channels):
        verdict = _judge(turn, workflow, enrolment, step, channel)
        if verdict.kind is gates.Kind.ALLOW:
            rest = step.channels[position + 1 :]
            return _queued(turn, workflow, enrolment, step, channel, rest)
        if verdict.kind is gates.Kind.HOLD and step.skip_held:
            held.append((channel, verdict))
        elif verdict.kind is gates.Kind.HOLD:
            return _hold(turn, workflow, enrolment, step, channel, verdict)
        elif verdict.kind is gates.Kind.SKIP:
            refused.append((channel, verdict))
        else:
            return _dropped(turn, workflow, enrolment, step, channel, verdict)
    if held:
        soonest = min(held, key=lambda pair: pair[1].until or enrolment.cursor_at)
        return _hold(turn, workflow, enrolment, step, *soonest)
    channel, verdict = refused[0]
    values = {**(verdict.values or {}), "channels": {name: v.reason for name, v in refused}}
    return _dropped(turn, workflow, enrolment, step, channel, replace(verdict, values=values))


def _send_each(turn: Turn, workflow: Workflow, enrolment: Enrolment, step: Send) -> Move:
    """Each channel for itself: those that are held follow when their hold ends."""
    outcome = ""
    for channel in step.channels:
        verdict = _judge(turn, workflow, enrolment, step, channel)
        if verdict.kind is gates.Kind.ALLOW or verdict.kind is gates.Kind.HOLD:
            message = compose(turn, workflow, enrolment, step, channel, ())
            if message is None:
                outcome = outcome or Reason.TEMPLATE
                continue
            enrolment = turn.customer.enrolments[enrolment.id]
            if verdict.kind is gates.Kind.ALLOW:
                enrolment = queue(turn, workflow, enrolment, message)
                outcome = "sent"
            else:
                keep_held(turn, workflow, message, verdict, enrolment.cursor_at)
                outcome = outcome or verdict.reason
        else:
            drop(turn, workflow, enrolment, step.id, verdict, channel)
            if verdict.kind is gates.Kind.END:
                return End(EndReason.CAPPED)
            outcome = outcome or verdict.reason
    return Go(step.next, outcome=outcome)


def _judge(
    turn: Turn, workflow: Workflow, enrolment: Enrolment, step: Send, channel: str
) -> gates.Verdict:
    return gates.judge_channel(
        turn,
        workflow,
        step.purpose,
        channel,
        enrolment.cursor_at,
        held_since=enrolment.held_since,
        holdout=enrolment.holdout,
    )


def _queued(
    turn: Turn,
    workflow: Workflow,
    enrolment: Enrolment,
    step: Send,
    channel: str,
    rest: Sequence[str],
) -> Move:
    message = compose(turn, workflow, enrolment, step, channel, rest)
    if message is None:
        verdict = gates.Verdict(kind=gates.Kind.DROP, reason=Reason.TEMPLATE)
        return _dropped(turn, workflow, enrolment, step, channel, verdict)
    queue(turn, workflow, enrolment, message)
    return Go(step.next, outcome="sent")


def _hold(
    turn: Turn,
    workflow: Workflow,
    enrolment: Enrolment,
    step: Send,
    channel: str,
    verdict: gates.Verdict,
) -> Move:
    if enrolment.held_since is None:
        turn.journal(
            Kind.HELD,
            enrolment.cursor_at,
            workflow,
            enrolment,
            step=step.id,
            channel=channel,
            reason=verdict.reason,
            values={**(verdict.values or {}), "until": plain(verdict.until)},
        )
        turn.put(enrolment, held_since=enrolment.cursor_at)
    return Stay(verdict.until or enrolment.cursor_at)


def _dropped(
    turn: Turn,
    workflow: Workflow,
    enrolment: Enrolment,
    step: Send,
    channel: str,
    verdict: gates.Verdict,
) -> Move:
    drop(turn, workflow, enrolment, step.id, verdict, channel)
    if verdict.kind is gates.Kind.END:
        return End(EndReason.CAPPED)
    if verdict.reason in (Reason.HOLDOUT, Reason.SHADOW):
        # Treated as sent in all but name, so that those who are compared took the same way.
        turn.put(enrolment, sent=True)
        watch_goal(turn, workflow, turn.customer.enrolments[enrolment.id], step.id, channel)
    return Go(step.next, outcome=verdict.reason)


def drop(
    turn: Turn,
    workflow: Workflow,
    enrolment: Enrolment,
    step: StepId,
    verdict: gates.Verdict,
    channel: str,
) -> None:
    """Write down that nothing is sent, and why."""
    turn.journal(
        Kind.DROPPED,
        enrolment.cursor_at,
        workflow,
        enrolment,
        step=step,
        channel=channel,
        reason=verdict.reason,
        values=verdict.values,
    )


def compose(
    turn: Turn,
    workflow: Workflow,
    enrolment: Enrolment,
    step: Send,
    channel: str,
    rest: Sequence[str],
) -> Message | None:
    """The message with its values worked out; None when one of them fails."""
    at = enrolment.cursor_at
    now = turn.clock(at)
    names = enrolment_names(turn, workflow, enrolment, now)
    variables: dict[str, object] = {}
    for name, expression in step.variables.items():
        try:
            variables[name] = plain(expression.evaluate(names))
        except EvaluationError as error:
            note_failure(turn, expression, error, at=at, workflow=workflow, enrolment=enrolment)
            return None
    attributes = turn.customer.attributes
    variables["customer"] = {k: plain(v) for k, v in attributes.items() if k not in _CONTACT}
    variables["values"] = plain(workflow.values)
    purpose = turn.rulebook.ruleset.purposes[step.purpose]
    visit = enrolment.visits.get(step.id, 1)
    locale = attributes.get("locale")
    return Message(
        id=message_id(enrolment.id, step.id, visit, channel),
        customer_id=turn.customer.id,
        enrolment_id=enrolment.id,
        workflow=workflow.id,
        version=workflow.version,
        digest=workflow.digest,
        step=step.id,
        visit=visit,
        channel=channel,
        fallbacks=tuple(rest),
        purpose=step.purpose,
        message_class=purpose.message_class,
        priority=workflow.priority,
        tags=workflow.tags,
        template=step.template,
        locale=locale if isinstance(locale, str) and locale else turn.rulebook.ruleset.locale,
        address=consent.address(turn, channel) or "",
        variables=variables,
        trigger_event_id=enrolment.trigger_event_id,
        decided_at=now,
        cursor_at=at,
        send_by=send_by(turn, step, channel, purpose.message_class, at),
    )


def send_by(
    turn: Turn, step: Send, channel: str, message_class: MessageClass, at: datetime
) -> datetime:
    """The earliest of the lateness limit and the start of the channel's next quiet time."""
    limit = at + step.max_lateness
    ruleset = turn.rulebook.ruleset
    where = zones.of_customer(ruleset, turn.customer)
    silence = quiet.silent_from(
        ruleset.quiet_windows, channel, message_class, turn.clock(at), where
    )
    return limit if silence is None else min(limit, silence)


def queue(turn: Turn, workflow: Workflow, enrolment: Enrolment, message: Message) -> Enrolment:
    """Put the message into the outbox and take its slot, in one go."""
    at = message.cursor_at
    now = message.decided_at
    turn.effects.append(Queue(message=message))
    turn.journal(Kind.QUEUED, at, workflow, enrolment, step=message.step, channel=message.channel)
    take_slot(turn, message)
    mark_sent(turn, workflow, enrolment.key, now)
    result = StepResult(outcome="sent", at=at, sent_at=now, channel=message.channel)
    enrolment = turn.put(enrolment, sent=True, results={**enrolment.results, message.step: result})
    watch_goal(turn, workflow, enrolment, message.step, message.channel)
    return enrolment


def take_slot(turn: Turn, message: Message) -> None:
    """Remember the send: reserved, or accepted at once where the clock follows the events."""
    done = turn.facts.event_clock
    counted = caps.counts_for_caps(message.message_class, turn.rulebook.ruleset.caps)
    if done and not counted:
        return
    record = SentRecord(
        message_id=message.id,
        enrolment_id=message.enrolment_id,
        workflow=message.workflow,
        step=message.step,
        channel=message.channel,
        purpose=message.purpose,
        message_class=message.message_class,
        tags=message.tags,
        decided_at=message.decided_at,
        state=SlotState.ACCEPTED if done else SlotState.RESERVED,
        accepted_at=message.decided_at if done else None,
    )
    kept = tuple(r for r in turn.customer.sent if r.message_id != message.id)
    turn.customer.sent = (*kept, record)


def keep_held(
    turn: Turn,
    workflow: Workflow,
    message: Message,
    verdict: gates.Verdict,
    at: datetime,
    *,
    queued: bool = False,
) -> None:
    """Keep a message that has left its step until its hold ends; it takes no slot meanwhile."""
    enrolment = turn.customer.enrolments.get(message.enrolment_id)
    turn.journal(
        Kind.HELD,
        at,
        workflow,
        enrolment,
        step=message.step,
        channel=message.channel,
        reason=verdict.reason,
        values={**(verdict.values or {}), "until": plain(verdict.until)},
    )
    record = SentRecord(
        message_id=message.id,
        enrolment_id=message.enrolment_id,
        workflow=message.workflow,
        step=message.step,
        channel=message.channel,
        purpose=message.purpose,
        message_class=message.message_class,
        tags=message.tags,
        decided_at=at,
        state=SlotState.HELD,
        due_at=verdict.until,
        message=message,
        queued=queued,
    )
    kept = tuple(r for r in turn.customer.sent if r.message_id != message.id)
    turn.customer.sent = (*kept, record)


def mark_sent(turn: Turn, workflow: Workflow, key: str, at: datetime) -> None:
    """Move the cooldown: it counts from the workflow's last message to this customer."""
    marks = dict(turn.customer.marks)
    for name in (None, key):
        mark = marks.get((workflow.id, name))
        if mark is not None:
            marks[workflow.id, name] = replace(mark, last_message_at=at, used_at=at)
        elif name is None:
            marks[workflow.id, None] = Mark(entered_at=at, last_message_at=at, used_at=at)
    turn.customer.marks = marks
