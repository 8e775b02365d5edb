"""Goals: waiting for the conversion that a workflow is for, and crediting it."""

from __future__ import annotations

from datetime import datetime

from shopflow.domain.customer import Enrolment, GoalWatch
from shopflow.domain.event import Event
from shopflow.domain.ids import StepId
from shopflow.domain.journal import JournalEntry, Kind
from shopflow.domain.workflow import Goal, Since, Workflow
from shopflow.engine import trials
from shopflow.engine.names import Names, customer_names, event_record, holds, note_failure, plain
from shopflow.engine.turn import Turn
from shopflow.errors import EvaluationError


def watch_goal(
    turn: Turn,
    workflow: Workflow,
    enrolment: Enrolment,
    step: StepId | None,
    channel: str | None,
    at: datetime,
) -> None:
    """From here on, wait for the workflow's goal; a later send starts the time anew."""
    goal = workflow.goal
    if goal is None:
        return
    since = enrolment.entered_at if goal.since is Since.ENTRY else at
    watch = GoalWatch(
        enrolment_id=enrolment.id,
        workflow=workflow.id,
        version=workflow.version,
        digest=workflow.digest,
        since_at=since,
        until=since + goal.within,
        holdout=enrolment.holdout,
        channel=channel,
        step=step,
        trigger=enrolment.trigger if _reads_trigger(goal) else {},
    )
    others = tuple(w for w in turn.customer.goals if w.enrolment_id != enrolment.id)
    turn.customer.goals = (*others, watch)


def forget_goal(turn: Turn, enrolment: Enrolment) -> None:
    """The enrolment gave way before it sent anything: the conversion is its successor's."""
    if not enrolment.sent:
        turn.customer.goals = tuple(
            watch for watch in turn.customer.goals if watch.enrolment_id != enrolment.id
        )


def _reads_trigger(goal: Goal) -> bool:
    asked = [expression for expression in (goal.when, goal.value) if expression is not None]
    return any(path[0] == "trigger" for expression in asked for path in expression.reads)


def credit(turn: Turn, event: Event) -> None:
    """Credit the event to every workflow whose goal it reaches in time; each counts once."""
    if not turn.rulebook.interest(event.type).is_goal or not turn.customer.goals:
        return
    open_watches = []
    for watch in turn.customer.goals:
        # Nobody may be on that version any more: the live one knows what its goal is.
        workflow = turn.rulebook.workflow(watch.digest) or turn.rulebook.current(watch.workflow)
        if workflow is not None and _reached(turn, workflow, watch, event):
            _convert(turn, workflow, watch, event)
        else:
            open_watches.append(watch)
    if len(open_watches) != len(turn.customer.goals):
        turn.customer.goals = tuple(open_watches)


def _reached(turn: Turn, workflow: Workflow, watch: GoalWatch, event: Event) -> bool:
    goal = workflow.goal
    if goal is None or not goal.pattern.matches(event.type):
        return False
    if not watch.since_at <= event.occurred_at <= watch.until:
        return False
    names = _names(turn, workflow, watch, event)
    return holds(turn, goal.when, names, at=event.occurred_at, workflow=workflow)


def _convert(turn: Turn, workflow: Workflow, watch: GoalWatch, event: Event) -> None:
    goal = workflow.goal
    trials.note_goal(turn, watch.enrolment_id, event.occurred_at)
    value: object = None
    if goal is not None and goal.value is not None:
        try:
            value = plain(goal.value.evaluate(_names(turn, workflow, watch, event)))
        except EvaluationError as error:
            # The conversion counts all the same; only its value is not known.
            note_failure(turn, goal.value, error, at=event.occurred_at, workflow=workflow)
    turn.effects.append(
        JournalEntry(
            at=event.occurred_at,
            customer_id=turn.customer.id,
            kind=Kind.CONVERTED,
            workflow=watch.workflow,
            version=watch.version,
            digest=watch.digest,
            enrolment_id=watch.enrolment_id,
            step=watch.step,
            channel=watch.channel,
            event_id=event.id,
            values={"value": value, "holdout": watch.holdout},
        )
    )


def _names(turn: Turn, workflow: Workflow, watch: GoalWatch, event: Event) -> Names:
    names = customer_names(turn, event.occurred_at, purpose=workflow.purpose)
    names["event"] = event_record(event)
    names["trigger"] = watch.trigger
    names["values"] = workflow.values
    return names
