"""Entering a workflow: keys, re-entry, cool-down, hold-out, and triggers that come late."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from shopflow.domain.customer import Enrolment, Mark
from shopflow.domain.event import Event
from shopflow.domain.expression import Expression
from shopflow.domain.ids import EventId, StepId, enrolment_id
from shopflow.domain.journal import EndReason, Kind, Reason, Refusal
from shopflow.domain.step import Wait
from shopflow.domain.workflow import Reentry, Since, Workflow
from shopflow.engine import coupons, exits, gates, trials
from shopflow.engine.ending import call_back
from shopflow.engine.goals import forget_goal, watch_goal
from shopflow.engine.names import Names, note_failure, plain
from shopflow.engine.traits import key_text
from shopflow.engine.turn import Turn
from shopflow.errors import EvaluationError

#: Most enrolments of one key that may run side by side.
MAX_PARALLEL = 20
#: Marks are forgotten this long after their last use.
MARK_LIFE = timedelta(days=400)
#: Most keys of one workflow that are remembered; the ones used longest ago go first.
MAX_MARKS = 200
#: A workflow and the enrolment that has just entered it.
Entered = tuple[Workflow, Enrolment]
#: Name of the calendar instant in the payload of a trigger that is no event.
SCHEDULED_AT = "scheduled_at"


def enter(
    turn: Turn,
    workflow: Workflow,
    names: Names,
    payload: Mapping[str, object],
    at: datetime,
    *,
    cause: EventId,
    event: Event | None = None,
    item: object = None,
    number: int = 0,
    default_key: str = "",
) -> Enrolment | None:
    """The new enrolment, not yet walked; None when re-entry or cool-down refuses it."""
    key = default_key if workflow.key is None else _key(turn, workflow, workflow.key, names, at)
    if key is None:
        return None
    active = [
        enrolment
        for enrolment in turn.customer.enrolments.values()
        if enrolment.workflow == workflow.id and enrolment.key == key
    ]
    if _gather(turn, workflow, active, payload):
        return None
    replaced, refusal = _reentry(turn, workflow, key, active, at)
    if refusal is not None:
        turn.journal(Kind.REFUSED, at, workflow, reason=refusal, event=event)
        if refusal is Refusal.ONCE:
            _use(turn, workflow, key, at)
        return None
    if replaced is not None:
        turn.customer.enrolments.pop(replaced.id)
        call_back(turn, Reason.EXITED, replaced)
        forget_goal(turn, replaced)
    enrolment = turn.put(
        Enrolment(
            id=enrolment_id(turn.customer.id, workflow.id, key, cause, number),
            workflow=workflow.id,
            version=workflow.version,
            digest=workflow.digest,
            key=key,
            entered_at=at,
            trigger_event_id=cause,
            trigger=_kept(workflow, payload),
            item=item,
            step=None,
            cursor_at=at,
            holdout=gates.held_out(workflow, turn.customer.id),
            number=number,
        )
    )
    _remember(turn, workflow, key, at)
    turn.journal(
        Kind.ENTERED,
        at,
        workflow,
        enrolment,
        reason=EndReason.RESTARTED if replaced is not None else "",
        event=event,
        values={"key": key} if key else None,
    )
    if exits.left_already(turn, workflow, enrolment, turn.customer.recent):
        return None
    if workflow.goal is not None and workflow.goal.since is Since.ENTRY:
        watch_goal(turn, workflow, enrolment, None, None, at)
    return enrolment


def _key(
    turn: Turn, workflow: Workflow, expression: Expression, names: Names, at: datetime
) -> str | None:
    """The key as text; None (written down) when it cannot be worked out."""
    try:
        return key_text(plain(expression.evaluate(names)))
    except EvaluationError as error:
        note_failure(turn, expression, error, at=at, workflow=workflow)
        return None


def _gather(
    turn: Turn, workflow: Workflow, active: list[Enrolment], payload: Mapping[str, object]
) -> bool:
    """True when an enrolment that is gathering took the trigger in."""
    for enrolment in active:
        own = turn.rulebook.workflow(enrolment.digest) or workflow
        step = own.steps.get(enrolment.step or StepId(""))
        if isinstance(step, Wait) and step.gather:
            if len(enrolment.gathered) < step.gather:
                gathered = (*enrolment.gathered, _kept(own, payload))
                turn.put(enrolment, gathered=gathered)
            return True
    return False


def _reentry(
    turn: Turn, workflow: Workflow, key: str, active: list[Enrolment], at: datetime
) -> tuple[Enrolment | None, Refusal | None]:
    """The enrolment that this one replaces, or why there is to be none."""
    mark = _mark(turn, workflow, key, at)
    if workflow.reentry is Reentry.PARALLEL:
        if len(active) >= MAX_PARALLEL:
            return None, Refusal.TOO_MANY
    elif mark is not None and at < mark.entered_at:
        return None, Refusal.OLDER
    if workflow.reentry is Reentry.ONCE and mark is not None:
        return None, Refusal.ONCE
    if active and workflow.reentry is Reentry.RESTART and not active[0].sent:
        return active[0], None
    if active and workflow.reentry is not Reentry.PARALLEL:
        return None, Refusal.ACTIVE
    if _cooling(turn, workflow, key, at):
        return None, Refusal.COOLDOWN
    return None, None


def _cooling(turn: Turn, workflow: Workflow, key: str, at: datetime) -> bool:
    if not workflow.cooldown:
        return False
    mark = _mark(turn, workflow, key if workflow.cooldown_per_key else None, at)
    if mark is None or mark.last_message_at is None:
        return False
    return at < mark.last_message_at + workflow.cooldown


def _mark(turn: Turn, workflow: Workflow, key: str | None, at: datetime) -> Mark | None:
    """The mark, unless its time is over: whether it was swept away already must not matter."""
    mark = turn.customer.marks.get((workflow.id, key))
    return mark if mark is not None and mark.used_at + MARK_LIFE >= at else None


def _use(turn: Turn, workflow: Workflow, key: str, at: datetime) -> None:
    """Keep a mark that refuses: `once` is for good for whoever comes back again and again."""
    mark = turn.customer.marks[workflow.id, key]
    used = replace(mark, used_at=max(mark.used_at, at))
    turn.customer.marks = {**turn.customer.marks, (workflow.id, key): used}


def _kept(workflow: Workflow, payload: Mapping[str, object]) -> Mapping[str, object]:
    """The trigger's payload as far as the workflow reads it."""
    if workflow.trigger_fields is None:
        return dict(payload)
    return {name: value for name, value in payload.items() if name in workflow.trigger_fields}


def _remember(turn: Turn, workflow: Workflow, key: str, at: datetime) -> None:
    marks = dict(turn.customer.marks)
    known = marks.pop((workflow.id, key), None)
    if known is None or known.used_at + MARK_LIFE < at:
        marks[workflow.id, key] = Mark(entered_at=at, used_at=at)
    else:
        entered = max(known.entered_at, at)
        marks[workflow.id, key] = replace(known, entered_at=entered, used_at=entered)
    keys = [name for name in marks if name[0] == workflow.id and name[1] is not None]
    for name in keys[: max(0, len(keys) - MAX_MARKS)]:
        del marks[name]
    turn.customer.marks = marks


def forget(turn: Turn, at: datetime, *, unread: bool) -> None:
    """Drop marks, sends and goals that nothing can ask about any more.

    Until they are dropped, their age keeps them from counting; so those that nobody has read in
    this decision may wait for another one.
    """
    customer = turn.customer
    if unread or customer.has_read("marks"):
        oldest = at - MARK_LIFE
        if any(mark.used_at < oldest for mark in customer.marks.values()):
            customer.marks = {
                name: mark for name, mark in customer.marks.items() if mark.used_at >= oldest
            }
    if (unread or customer.has_read("sent")) and customer.sent:
        horizon = at - turn.rulebook.history
        if any(r.accepted_at is not None and r.accepted_at < horizon for r in customer.sent):
            customer.sent = tuple(
                r for r in customer.sent if r.accepted_at is None or r.accepted_at >= horizon
            )
    if unread or customer.has_read("codes"):
        coupons.forget_old(turn, at)
    if (unread or customer.has_read("trials")) and turn.rulebook.has_trials:
        trials.forget_old(turn, at)
    if (unread or customer.has_read("goals")) and any(w.until < at for w in customer.goals):
        customer.goals = tuple(watch for watch in customer.goals if watch.until >= at)
