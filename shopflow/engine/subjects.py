"""Rows of their own for what an event is about: a product that is posted, an order that is booked.

A workflow whose trigger says `subject: true` enrols such a row and no person. There is one for each
key of the workflow, or for each event where it has none.
"""

from __future__ import annotations

from shopflow.domain.customer import Customer
from shopflow.domain.event import Event, Facts
from shopflow.domain.ids import SUBJECT, CustomerId
from shopflow.domain.trigger import EventTrigger
from shopflow.domain.workflow import Workflow
from shopflow.engine.names import Names, event_record, plain, trigger_names
from shopflow.engine.rulebook import Rulebook
from shopflow.engine.traits import key_text
from shopflow.engine.turn import Turn
from shopflow.errors import EvaluationError


def rows_of(rulebook: Rulebook, event: Event, facts: Facts) -> list[CustomerId]:
    """The rows that the event is to be told to, in the order of their workflows' priority."""
    if not any(pattern.matches(event.type) for pattern in rulebook.subject_patterns):
        return []
    at = event.occurred_at
    turn = Turn(rulebook, Customer(id=CustomerId(SUBJECT)), at, facts)
    found = rulebook.index.lookup(event.type, event.data)
    record = event_record(event)
    rows: dict[CustomerId, None] = {}
    for workflow in sorted(found, key=lambda each: (-each.priority, each.id)):
        if isinstance(workflow.trigger, EventTrigger) and workflow.trigger.subject:
            row = row_of(workflow, event, trigger_names(turn, workflow, record, at, None))
            rows[row] = None
    return list(rows)


def row_of(workflow: Workflow, event: Event, names: Names) -> CustomerId:
    """The row that the event enrols in the workflow."""
    key: str = event.id
    if workflow.key is not None:
        try:
            key = key_text(plain(workflow.key.evaluate(names)))
        except EvaluationError:
            # Entering works it out once more, and writes the failure down.
            key = event.id
    return CustomerId(f"{SUBJECT}{workflow.id}:{key}")
