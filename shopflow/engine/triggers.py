"""What an event starts: the workflows that the index finds, asked one by one."""

from __future__ import annotations

import json

from shopflow.domain.event import MANUAL_START, Event
from shopflow.domain.ids import derive, is_subject
from shopflow.domain.journal import Tell
from shopflow.domain.trigger import EventTrigger, ManualTrigger
from shopflow.domain.workflow import Workflow
from shopflow.engine import entry
from shopflow.engine.names import (
    Names,
    customer_names,
    event_record,
    holds,
    note_failure,
    plain,
    trigger_names,
)
from shopflow.engine.subjects import row_of
from shopflow.engine.turn import Turn
from shopflow.errors import EvaluationError


def triggered(turn: Turn, event: Event) -> list[entry.Entered]:
    """Enrol wherever the event starts a workflow."""
    found = turn.rulebook.index.lookup(event.type, event.data)
    if not found:
        return []
    at = event.occurred_at
    base = customer_names(turn, at)
    record = event_record(event)
    new: list[entry.Entered] = []
    for workflow in sorted(found, key=lambda each: (-each.priority, each.id)):
        trigger = workflow.trigger
        names = trigger_names(turn, workflow, record, at, base)
        if isinstance(trigger, EventTrigger) and trigger.subject:
            row = row_of(workflow, event, names)
            if row != turn.customer.id:
                if not is_subject(turn.customer.id):
                    turn.effects.append(Tell(to=row, input=event))
                continue
        elif is_subject(turn.customer.id):
            continue
        if isinstance(trigger, ManualTrigger):
            new += _manual(turn, workflow, trigger, event, names)
        elif isinstance(trigger, EventTrigger):
            new += on_event(turn, workflow, trigger, event, names)
    return new


def on_event(
    turn: Turn, workflow: Workflow, trigger: EventTrigger, event: Event, names: Names
) -> list[entry.Entered]:
    """Enrol once, or once for each element; who is not in the audience is not enrolled."""
    at = event.occurred_at
    new: list[entry.Entered] = []
    for number, item in enumerate(_items(turn, workflow, trigger, event, names)):
        named = names if trigger.each is None else {**names, "item": item}
        if not holds(turn, trigger.when, named, at=at, workflow=workflow):
            continue
        if not holds(turn, trigger.audience, named, at=at, workflow=workflow):
            continue
        enrolment = entry.enter(
            turn,
            workflow,
            named,
            {**event.data, "type": event.type},
            at,
            cause=event.id,
            event=event,
            item=item,
            number=number,
            default_key="" if trigger.each is None else _item_key(item),
        )
        if enrolment is not None:
            new.append((workflow, enrolment))
    return new


def _items(
    turn: Turn, workflow: Workflow, trigger: EventTrigger, event: Event, names: Names
) -> list[object]:
    """What the trigger starts one enrolment each for: nothing in particular without `each`."""
    if trigger.each is None:
        return [None]
    try:
        listed = trigger.each.evaluate(names)
    except EvaluationError as error:
        note_failure(turn, trigger.each, error, at=event.occurred_at, workflow=workflow)
        return []
    return listed if isinstance(listed, list) else []


def _item_key(item: object) -> str:
    """Without a key of the rule's own, an element is its own key: equal ones share an enrolment."""
    return derive("item", json.dumps(plain(item), sort_keys=True))


def _manual(
    turn: Turn, workflow: Workflow, trigger: ManualTrigger, event: Event, names: Names
) -> list[entry.Entered]:
    if event.type != MANUAL_START or event.data.get("workflow") != workflow.id:
        return []
    given = event.data.get("data")
    payload = given if isinstance(given, dict) else {}
    names = {**names, "trigger": payload}
    at = event.occurred_at
    if not holds(turn, trigger.when, names, at=at, workflow=workflow):
        return []
    enrolment = entry.enter(turn, workflow, names, payload, at, cause=event.id, event=event)
    return [(workflow, enrolment)] if enrolment is not None else []
