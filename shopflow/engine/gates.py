"""The gates that every send passes, in order; the first that does not allow wins and is the reason.

Order is policy: what ends the matter comes before what forbids, what forbids before what delays.
A gate that fails to answer means *do not send*.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from shopflow.domain.customer import Enrolment
from shopflow.domain.ids import CustomerId, fraction
from shopflow.domain.journal import Reason
from shopflow.domain.policy import IfCapped, MessageClass
from shopflow.domain.step import Send
from shopflow.domain.workflow import Exit, Status, Workflow
from shopflow.engine import caps, consent, quiet, zones
from shopflow.engine.names import Names, enrolment_names, holds, note_failure, seen, truth_of
from shopflow.engine.turn import Turn
from shopflow.errors import EvaluationError

#: Classes that everybody gets: what the contract owes, and what only our own tools see.
_NEVER_HELD_OUT = frozenset({MessageClass.SERVICE, MessageClass.INTERNAL})

#: The longest that holds may keep one send back.
MAX_HOLD = timedelta(hours=72)


class Kind(StrEnum):
    """What a gate says."""

    ALLOW = "allow"
    #: Not over this channel; another of the list may be tried.
    SKIP = "skip"
    HOLD = "hold"
    DROP = "drop"
    #: Drop, and end the enrolment.
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer of the gates for one channel."""

    kind: Kind
    reason: str = ""
    #: The end of a hold.
    until: datetime | None = None
    values: dict[str, object] | None = None


ALLOW = Verdict(kind=Kind.ALLOW)


def judge_step(
    turn: Turn, workflow: Workflow, enrolment: Enrolment, step: Send, at: datetime
) -> Verdict:
    """The gates that do not depend on the channel: exited, paused, stale, guard."""
    now = turn.clock(at)
    names = enrolment_names(turn, workflow, enrolment, now)
    if exited(turn, workflow, enrolment, names, at) is not None:
        return Verdict(kind=Kind.DROP, reason=Reason.EXITED)
    if is_resting(turn, workflow):
        return Verdict(kind=Kind.DROP, reason=Reason.PAUSED)
    if now - at > step.max_lateness:
        return Verdict(kind=Kind.DROP, reason=Reason.STALE)
    return _guard(turn, workflow, enrolment, step, names, at)


def is_resting(turn: Turn, workflow: Workflow) -> bool:
    """True when the workflow, as it is live now, sends nothing: paused, or taken back to draft."""
    current = turn.rulebook.current(workflow.id)
    return current is not None and current.status in (Status.PAUSED, Status.DRAFT)


def held_out(workflow: Workflow, customer: CustomerId) -> bool:
    """True when the customer is of those that the workflow never sends to, to be compared with."""
    return fraction(f"holdout/{workflow.id}", customer) < workflow.holdout


def _guard(
    turn: Turn, workflow: Workflow, enrolment: Enrolment, step: Send, names: Names, at: datetime
) -> Verdict:
    if step.only_if is None:
        return ALLOW
    try:
        allowed = truth_of(step.only_if, names)
    except EvaluationError as error:
        note_failure(turn, step.only_if, error, at=at, workflow=workflow, enrolment=enrolment)
        allowed = False
    if allowed:
        return ALLOW
    return Verdict(kind=Kind.DROP, reason=Reason.GUARD, values=seen(step.only_if, names))


def exited(
    turn: Turn, workflow: Workflow, enrolment: Enrolment, names: Names, at: datetime
) -> Exit | None:
    """The exit rule without an event that holds now; None when none does."""
    for rule in workflow.exits:
        if rule.pattern is None and holds(
            turn, rule.when, names, at=at, workflow=workflow, enrolment=enrolment
        ):
            return rule
    return None


def judge_channel(
    turn: Turn,
    workflow: Workflow,
    purpose_id: str,
    channel: str,
    at: datetime,
    *,
    held_since: datetime | None,
    holdout: bool,
) -> Verdict:
    """The gates of one channel, from suppression to shadow."""
    ruleset, customer = turn.rulebook.ruleset, turn.customer
    now = turn.clock(at)
    purpose = ruleset.purposes.get(purpose_id)
    message_class = purpose.message_class if purpose else MessageClass.MARKETING
    if consent.suppressed(customer, message_class, channel):
        return Verdict(kind=Kind.SKIP, reason=Reason.SUPPRESSED)
    if consent.address(turn, channel) is None:
        return Verdict(kind=Kind.SKIP, reason=Reason.NO_ADDRESS)
    if not consent.permits(customer, purpose, channel, now):
        return Verdict(kind=Kind.SKIP, reason=Reason.NO_CONSENT)
    silent = quiet.silent_until(
        ruleset.quiet_windows, channel, message_class, now, zones.of_customer(ruleset, customer)
    )
    if silent is not None:
        return _hold(Reason.QUIET_HOURS, silent, at, held_since)
    candidate = caps.Candidate(
        channel=channel,
        purpose=purpose_id,
        message_class=message_class,
        workflow=workflow.id,
        tags=workflow.tags,
        priority=workflow.priority,
    )
    full = caps.full(turn, candidate, now)
    if full is not None:
        return _capped(full, at, held_since)
    if holdout and message_class not in _NEVER_HELD_OUT:
        return Verdict(kind=Kind.DROP, reason=Reason.HOLDOUT)
    current = turn.rulebook.current(workflow.id) or workflow
    if current.status is Status.SHADOW:
        return Verdict(kind=Kind.DROP, reason=Reason.SHADOW)
    return ALLOW


def _capped(full: caps.Full, at: datetime, held_since: datetime | None) -> Verdict:
    values: dict[str, object] = {"cap": full.cap.id}
    match full.cap.if_capped:
        case IfCapped.SKIP:
            return Verdict(kind=Kind.SKIP, reason=Reason.CAPPED, values=values)
        case IfCapped.END:
            return Verdict(kind=Kind.END, reason=Reason.CAPPED, values=values)
        case IfCapped.DEFER:
            held = _hold(Reason.CAPPED, full.free_at, at, held_since)
            return Verdict(kind=held.kind, reason=held.reason, until=held.until, values=values)


def is_too_long(verdict: Verdict) -> bool:
    """True when the send would be held, if only the hold were shorter."""
    return verdict.kind is Kind.DROP and verdict.reason == Reason.STALE


def _hold(reason: Reason, until: datetime, at: datetime, held_since: datetime | None) -> Verdict:
    if until - (held_since or at) > MAX_HOLD:
        return Verdict(kind=Kind.DROP, reason=Reason.STALE, values={"held_for": reason})
    return Verdict(kind=Kind.HOLD, reason=reason, until=until)
