"""Trials: a split that is tried on a few, and the winner that all others wait for.

Who takes part is chance that can be repeated. When a trial begins and who has won it is a fact that
all share: a decision that needs one it does not have is not made, and says so.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from shopflow.domain.customer import Enrolment
from shopflow.domain.event import Event
from shopflow.domain.ids import EnrolmentId, MessageId, fraction, trial_id
from shopflow.domain.journal import Kind
from shopflow.domain.message import Message
from shopflow.domain.step import Split, TrialRule
from shopflow.domain.trial import BeginTrial, CountResult, Result, Trial, TrialWatch
from shopflow.domain.trigger import ScheduleTrigger
from shopflow.domain.workflow import Workflow
from shopflow.engine import waits
from shopflow.engine.moves import Go, Move, Stay
from shopflow.engine.names import Names, plain
from shopflow.engine.traits import key_text
from shopflow.engine.turn import Turn
from shopflow.errors import DecideAgain

#: Event type -> what it tells of a message.
_TOLD = {"message.opened": Result.OPENED, "message.clicked": Result.CLICKED}
#: Events that tell of results.
RESULT_EVENTS = frozenset(_TOLD)


class WinnerWanted(DecideAgain):
    """Raised when a decision needs the winner of a trial that is over; nothing was decided."""

    def __init__(self, trial: Trial) -> None:
        super().__init__(f"the winner of {trial.workflow}/{trial.step} is not known")
        self.trial = trial


def take_part(
    turn: Turn,
    workflow: Workflow,
    enrolment: Enrolment,
    step: Split,
    rule: TrialRule,
    names: Names,
) -> Move:
    """Try a branch, wait for the winner, or take it.

    Raises:
        WinnerWanted: The trial is over, and the facts do not tell who has won.
        EvaluationError: What the trial is about, or how long it lasts, cannot be worked out.
    """
    at = enrolment.cursor_at
    trial = _trial(turn, workflow, enrolment, step, rule, names)
    if at >= trial.decide_at:
        if not trial.winner:
            raise WinnerWanted(trial)
        return _go(step, trial.winner, "winner")
    place = fraction(f"{workflow.id}/{step.id}/{trial.run}", turn.customer.id)
    for branch in step.branches:
        place -= branch.weight
        if place < 0:
            _watch(turn, trial, enrolment, branch.name)
            return _go(step, branch.name, "test")
    values = {"trial": "waits", "until": plain(trial.decide_at)}
    turn.journal(Kind.STEP, at, workflow, enrolment, step=step.id, values=values)
    return Stay(trial.decide_at)


def _trial(
    turn: Turn,
    workflow: Workflow,
    enrolment: Enrolment,
    step: Split,
    rule: TrialRule,
    names: Names,
) -> Trial:
    """The trial as it is known; else it begins now, or with the start of its schedule."""
    by_schedule = rule.per is None and isinstance(workflow.trigger, ScheduleTrigger)
    begun = enrolment.entered_at if by_schedule else enrolment.cursor_at
    run = begun.isoformat() if by_schedule else ""
    if rule.per is not None:
        run = key_text(plain(rule.per.evaluate(names)))
    key = trial_id(workflow.id, workflow.digest, step.id, run)
    known = turn.trials.get(key) or turn.facts.trials.get(key)
    if known is not None:
        return known
    trial = Trial(
        id=key,
        workflow=workflow.id,
        version=workflow.version,
        digest=workflow.digest,
        step=step.id,
        run=run,
        begun_at=begun,
        decide_at=begun + waits.length(rule.decide_after, names),
        branches=tuple(branch.name for branch in step.branches),
        by=rule.by,
    )
    turn.trials[key] = trial
    turn.effects.append(BeginTrial(trial=trial))
    return trial


def _go(step: Split, name: str, why: str) -> Go:
    chosen = next((branch for branch in step.branches if branch.name == name), step.branches[0])
    return Go(chosen.target, outcome=chosen.name, values={"trial": why})


def _watch(turn: Turn, trial: Trial, enrolment: Enrolment, branch: str) -> None:
    watch = TrialWatch(
        trial=trial.id,
        workflow=trial.workflow,
        version=trial.version,
        step=trial.step,
        enrolment_id=enrolment.id,
        branch=branch,
        until=trial.decide_at,
    )
    turn.customer.trials = (*turn.customer.trials, watch)


def note_queued(turn: Turn, message: Message) -> None:
    """A message is on its way; where the clock follows the events, it has been accepted too."""
    if not turn.customer.trials:
        return
    turn.customer.trials = tuple(
        replace(watch, messages=(*watch.messages, message.id))
        if watch.enrolment_id == message.enrolment_id and message.id not in watch.messages
        else watch
        for watch in turn.customer.trials
    )
    if turn.facts.event_clock:
        note_sent(turn, message.id, message.decided_at)


def note_sent(turn: Turn, message: MessageId, at: datetime) -> None:
    """The message was accepted."""
    _note(turn, Result.SENT, at, message=message)


def note_goal(turn: Turn, enrolment: EnrolmentId, at: datetime) -> None:
    """The enrolment has reached its workflow's goal."""
    _note(turn, Result.GOAL, at, enrolment=enrolment)


def absorb(turn: Turn, event: Event) -> None:
    """The event may tell that a message was opened or clicked."""
    told = _TOLD.get(event.type)
    if told is not None and turn.customer.trials:
        message = MessageId(str(event.data.get("message_id") or ""))
        _note(turn, told, event.occurred_at, message=message)


def forget_old(turn: Turn, at: datetime) -> None:
    """Drop the part in trials that are over."""
    if any(watch.until < at for watch in turn.customer.trials):
        turn.customer.trials = tuple(w for w in turn.customer.trials if w.until >= at)


def _note(
    turn: Turn,
    result: Result,
    at: datetime,
    *,
    message: MessageId | None = None,
    enrolment: EnrolmentId | None = None,
) -> None:
    """Count the result once for each trial that it belongs to, if it came in time."""
    kept = []
    for watch in turn.customer.trials:
        ours = watch.enrolment_id == enrolment or message in watch.messages
        if ours and at < watch.until and result not in watch.seen:
            customer = turn.customer.id
            counted = CountResult(customer_id=customer, watch=watch, result=result, at=at)
            turn.effects.append(counted)
            watch = replace(watch, seen=watch.seen | {result})  # noqa: PLW2901 - it has changed
        kept.append(watch)
    if kept:
        turn.customer.trials = tuple(kept)
