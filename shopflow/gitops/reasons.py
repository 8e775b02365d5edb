"""Why a trigger or an exit rule said no to an event: its condition, and the values that it saw."""

from __future__ import annotations

from collections.abc import Iterator

from shopflow.domain.customer import Customer
from shopflow.domain.event import Event, Facts
from shopflow.domain.expression import Expression
from shopflow.domain.trigger import EventTrigger
from shopflow.domain.workflow import Workflow
from shopflow.engine import Rulebook
from shopflow.engine.names import Names, enrolment_names, event_record, trigger_names
from shopflow.engine.turn import Turn
from shopflow.gitops.verdict import verdict_on


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


def _said_no(who: str, event: Event, condition: Expression | None, names: Names) -> Iterator[str]:
    if condition is None:
        return
    verdict = verdict_on(condition, names)
    if verdict.answer:
        return
    because = f" ({verdict.error})" if verdict.error else ""
    head = f"{who} saw {event.type} and said no{because}:"
    yield "\n    ".join([head, *verdict.lines()])
