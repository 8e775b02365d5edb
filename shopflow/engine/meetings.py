"""What an event is to the enrolments that were there before it: their end, or what they awaited."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from shopflow.domain.customer import Enrolment
from shopflow.domain.event import Event
from shopflow.domain.ids import EnrolmentId
from shopflow.domain.step import WaitFor
from shopflow.domain.workflow import Workflow
from shopflow.engine import exits, waits, walk
from shopflow.engine.jobs import Job, rank
from shopflow.engine.news import JUST_BEFORE
from shopflow.engine.turn import Turn


def exits_and_waits(
    turn: Turn,
    event: Event,
    enrolments: Iterable[Enrolment],
    *,
    consents_changed: bool = False,
    earlier: bool = False,
) -> list[Job]:
    """End what the event ends; of the rest, those that waited for it go on.

    With `earlier`, only what began before the event's own instant can be ended or go on.
    """
    met: list[Job] = []
    at = event.occurred_at
    latest = at - JUST_BEFORE if earlier else at
    hears, kind = turn.rulebook.hears, event.type
    ordered = [
        each
        for each in enrolments
        if consents_changed or hears(each.workflow, each.digest, each.step, kind)
    ]
    if len(ordered) > 1:
        ordered.sort(key=lambda each: rank(turn, each))
    for enrolment in ordered:
        if earlier and enrolment.entered_at > latest:
            continue
        settled = walk.settle_version(turn, enrolment, at)
        workflow = walk.workflow_of(turn, settled) if settled is not None else None
        if settled is None or workflow is None:
            continue
        if exits.on_event(turn, workflow, settled, event):
            continue
        if exits.on_condition(turn, workflow, settled, at):
            continue
        if consents_changed and exits.on_consent(turn, workflow, settled, at):
            continue
        step = workflow.steps.get(settled.step) if settled.step is not None else None
        if (
            isinstance(step, WaitFor)
            and settled.cursor_at <= latest
            and waits.is_met(turn, workflow, settled, step, event)
        ):
            go_on = partial(_meet, turn, workflow, settled.id, step, event)
            met.append(Job(workflow.priority, go_on))
    return met


def _meet(
    turn: Turn, workflow: Workflow, enrolment_id: EnrolmentId, step: WaitFor, event: Event
) -> None:
    enrolment = turn.customer.enrolments.get(enrolment_id)
    if enrolment is not None:
        walk.meet(turn, workflow, enrolment, step, event)
