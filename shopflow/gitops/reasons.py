"""Why a trigger or an exit rule said no to an event: its condition, and the values that it saw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shopflow.domain.customer import Customer
from shopflow.domain.event import Event, Facts
from shopflow.domain.expression import Expression
from shopflow.domain.trigger import EventTrigger
from shopflow.domain.workflow import Workflow
from shopflow.engine import Rulebook
from shopflow.engine.names import (
    Names,
    enrolment_names,
    event_record,
    seen,
    trigger_names,
    truth_of,
)
from shopflow.engine.turn import Turn
from shopflow.errors import EvaluationError


def reasons_for_no(
    rulebook: Rulebook,
    workflow: Workflow,
    facts: Facts,
    event: Event,
    before: Customer | None,
    after: Customer,
) -> Iterator[str]:
    """A line for each condition that the event met and that did not hold.

    `before` and `after` are the customer on both sides of the decision.
    """
    at = event.occurred_at
    turn = Turn(rulebook, after, at, facts)
    trigger = workflow.trigger
    if isinstance(trigger, EventTrigger) and trigger.pattern.matches(event.type):
        names = trigger_names(turn, workflow, event_record(event), at, None)
        yield from _said_no("the trigger", event, trigger.when, names)
    running = {each.id for each in after.enrolments}
    for enrolment in before.enrolments if before is not None else ():
        if enrolment.id not in running:
            continue
        for rule in workflow.exits:
            if rule.pattern is not None and rule.pattern.matches(event.type):
                names = enrolment_names(turn, workflow, enrolment, at, event=event)
                yield from _said_no(f"exit rule `{rule.id}`", event, rule.when, names)


def told(values: Mapping[str, object]) -> str:
    """The values by path, on one line."""
    return ", ".join(f"{path} = {value!r}" for path, value in values.items())


def _said_no(who: str, event: Event, condition: Expression | None, names: Names) -> Iterator[str]:
    if condition is None:
        return
    try:
        if truth_of(condition, names):
            return
        because = ""
    except EvaluationError as error:
        because = f" ({error})"
    line = f"{who} saw {event.type} and said no{because}: {' '.join(condition.source.split())}"
    values = told(seen(condition, names))
    yield f"{line}\n    {values}" if values else line
