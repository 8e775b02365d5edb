"""The send step: which channel, what the gates say, and the message that goes into the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from shopflow.domain.coupon import DrawnCode
from shopflow.domain.customer import Enrolment
from shopflow.domain.ids import StepId, message_id
from shopflow.domain.journal import EndReason, Kind, Reason
from shopflow.domain.message import Message
from shopflow.domain.policy import MessageClass
from shopflow.domain.product import promoted
from shopflow.domain.step import Send, SendMode
from shopflow.domain.workflow import Workflow
from shopflow.engine import consent, coupons, gates, preferences, quiet, zones
from shopflow.engine.moves import End, Go, Move, Stay
from shopflow.engine.names import enrolment_names, note_failure, plain
from shopflow.engine.outgoing import AS_IF_SENT, keep_held, note_sent, queue
from shopflow.engine.turn import Turn
from shopflow.errors import EvaluationError

#: Attributes that a template never needs: the address is the channel's business.
_CONTACT = frozenset({"email", "phone", "webpush"})


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
    channels = preferences.by_preference(turn.customer, step.channels)
    for position, channel in enumerate(channels):
        verdict = _judge(turn, workflow, enrolment, step, channel)
        if verdict.kind is gates.Kind.ALLOW:
            rest = channels[position + 1 :]
            return _queued(turn, workflow, enrolment, step, channel, rest)
        if verdict.kind is gates.Kind.HOLD and step.skip_held:
            held.append((channel, verdict))
        elif verdict.kind is gates.Kind.HOLD:
            return _hold(turn, workflow, enrolment, step, channel, verdict)
        elif verdict.kind is gates.Kind.SKIP or (step.skip_held and gates.is_too_long(verdict)):
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
            if isinstance(message, gates.Verdict):
                drop(turn, workflow, enrolment, step.id, message, channel)
                outcome = outcome or message.reason
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
            if verdict.reason in AS_IF_SENT:
                enrolment = note_sent(
                    turn, workflow, enrolment, step.id, channel, outcome=verdict.reason
                )
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
    if isinstance(message, gates.Verdict):
        return _dropped(turn, workflow, enrolment, step, channel, message)
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
    if verdict.reason in AS_IF_SENT:
        note_sent(turn, workflow, enrolment, step.id, channel, outcome=verdict.reason)
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
) -> Message | gates.Verdict:
    """The message with its values worked out, and its code drawn; or why there is none."""
    at = enrolment.cursor_at
    now = turn.clock(at)
    names = enrolment_names(turn, workflow, enrolment, now)
    variables: dict[str, object] = {}
    for name, expression in step.variables.items():
        try:
            variables[name] = plain(expression.evaluate(names))
        except EvaluationError as error:
            note_failure(turn, expression, error, at=at, workflow=workflow, enrolment=enrolment)
            return gates.Verdict(kind=gates.Kind.DROP, reason=Reason.TEMPLATE)
    attributes = turn.customer.attributes
    if step.template:
        variables["customer"] = {k: plain(v) for k, v in attributes.items() if k not in _CONTACT}
        variables["values"] = plain(workflow.values)
    visit = enrolment.visits.get(step.id, 1)
    for name, if_sold_out in step.promotes.items():
        if promoted(variables.get(name), if_sold_out, turn.facts.products.get) is None:
            values: dict[str, object] = {"sold_out": name}
            return gates.Verdict(kind=gates.Kind.DROP, reason=Reason.GUARD, values=values)
    codes = coupons.carried(turn, enrolment, variables)
    if step.coupon is not None:
        drawn = coupons.draw(turn, coupons.Place(enrolment.id, step.id, visit), step.coupon, now)
        if isinstance(drawn, DrawnCode):
            codes = (*(one for one in codes if one.draw != drawn.draw), drawn)
            variables["coupon"] = coupons.shown(turn, drawn)
        elif coupons.is_needed(turn, step.coupon):
            values = {"coupon": step.coupon, "why": drawn.why}
            return gates.Verdict(kind=gates.Kind.DROP, reason=Reason.NO_COUPON, values=values)
    if any(coupons.is_over(one, now) for one in codes):
        return gates.Verdict(kind=gates.Kind.DROP, reason=Reason.NO_COUPON, values={"why": "ended"})
    purpose = turn.rulebook.ruleset.purposes[step.purpose]
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
        codes=codes,
        promotes=step.promotes,
        trigger_event_id=enrolment.trigger_event_id,
        decided_at=now,
        cursor_at=at,
        send_by=send_by(turn, step, channel, purpose.message_class, at, codes),
    )


def send_by(
    turn: Turn,
    step: Send,
    channel: str,
    message_class: MessageClass,
    at: datetime,
    codes: Sequence[DrawnCode] = (),
) -> datetime:
    """The earliest of the lateness limit, the channel's next quiet time and the codes' end."""
    limit = min([at + step.max_lateness, *coupons.ends(codes)])
    ruleset = turn.rulebook.ruleset
    if not ruleset.quiet_windows:
        return limit
    where = zones.of_customer(ruleset, turn.customer)

    def next_silence(moment: datetime) -> datetime | None:
        return quiet.silent_from(ruleset.quiet_windows, channel, message_class, moment, where)

    key = ("silence", channel, message_class.value, where.key)
    silence = turn.rulebook.upcoming.after(key, turn.clock(at), next_silence)
    return limit if silence is None else min(limit, silence)
