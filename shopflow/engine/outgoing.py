"""What a send leaves behind: the message for the outbox, its slot, the cool-down and the goal."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime

from shopflow.domain.coupon import DrawnCode
from shopflow.domain.customer import Enrolment, Mark, SentRecord, SlotState, StepResult
from shopflow.domain.ids import StepId
from shopflow.domain.journal import Kind, Queue, Reason
from shopflow.domain.message import Message
from shopflow.domain.product import Product, promoted, skus_in, substitutes
from shopflow.domain.workflow import Workflow
from shopflow.engine import caps, coupons, gates, trials
from shopflow.engine.goals import watch_goal
from shopflow.engine.names import plain
from shopflow.engine.turn import Turn

#: Treated as sent in all but name, so that those who are compared take the same way.
AS_IF_SENT = frozenset({Reason.HOLDOUT, Reason.SHADOW})


def queue(turn: Turn, workflow: Workflow, enrolment: Enrolment, message: Message) -> Enrolment:
    """Put the message into the outbox and take its slot, in one go."""
    at = message.cursor_at
    turn.effects.append(Queue(message=message))
    turn.journal(Kind.QUEUED, at, workflow, enrolment, step=message.step, channel=message.channel)
    take_slot(turn, message)
    if turn.facts.event_clock:
        coupons.issue(turn, message.codes, at)
    return note_sent(
        turn,
        workflow,
        enrolment,
        message.step,
        message.channel,
        at=at,
        code=coupons.own(message),
    )


def note_sent(
    turn: Turn,
    workflow: Workflow,
    enrolment: Enrolment,
    step: StepId,
    channel: str,
    *,
    at: datetime | None = None,
    outcome: str = "sent",
    code: DrawnCode | None = None,
) -> Enrolment:
    """What a send brings with it beside the message: the cool-down, the result, the goal."""
    at = at or enrolment.cursor_at
    now = turn.clock(at)
    _mark_sent(turn, workflow, enrolment.key, now)
    result = StepResult(
        outcome=outcome,
        at=at,
        sent_at=now,
        channel=channel,
        code=code.code if code else None,
        expires_at=code.ends_at if code else None,
    )
    enrolment = turn.put(enrolment, sent=True, results={**enrolment.results, step: result})
    watch_goal(turn, workflow, enrolment, step, channel, at)
    return enrolment


def take_slot(turn: Turn, message: Message) -> None:
    """Remember the send: reserved, or accepted at once where the clock follows the events."""
    trials.note_queued(turn, message)
    done = turn.facts.event_clock
    counted = caps.counts_for_caps(turn, message.message_class)
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
        draws=tuple(drawn.draw for drawn in message.codes),
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
        draws=tuple(drawn.draw for drawn in message.codes),
    )
    kept = tuple(r for r in turn.customer.sent if r.message_id != message.id)
    turn.customer.sent = (*kept, record)


def _mark_sent(turn: Turn, workflow: Workflow, key: str, at: datetime) -> None:
    """Move the cooldown: it counts from the workflow's last message to this customer."""
    marks = dict(turn.customer.marks)
    for name in (None, key):
        mark = marks.get((workflow.id, name))
        if mark is not None:
            marks[workflow.id, name] = replace(mark, last_message_at=at, used_at=at)
        elif name is None:
            marks[workflow.id, None] = Mark(entered_at=at, last_message_at=at, used_at=at)
    turn.customer.marks = marks


def shown_now(
    message: Message, look_up: Callable[[Collection[str]], Mapping[str, Product]]
) -> Mapping[str, object] | None:
    """The message's values with its products as they are now; None when it is not to go."""
    if not message.promotes:
        return message.variables
    values = {name: message.variables.get(name) for name in message.promotes}
    known = dict(look_up([sku for value in values.values() for sku in skus_in(value)]))
    known |= look_up([sku for product in known.values() for sku in substitutes(product)])
    for name, if_sold_out in message.promotes.items():
        values[name] = promoted(values[name], if_sold_out, known.get)
        if values[name] is None:
            return None
    return {**message.variables, **values}
