"""Events about no customer: what enrolments await of them, and what they bring to those that do.

An event about a product or a pool meets whoever waits for it by fields that it must equal: the key
of a wait is these fields with their values. One that came in the same instant as the wait began
came before it, whichever was read first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from shopflow.domain.customer import Awaited, Enrolment
from shopflow.domain.event import Event, News
from shopflow.domain.expression import Expression
from shopflow.domain.ids import CustomerId, EnrolmentId, derive
from shopflow.domain.step import WaitFor
from shopflow.domain.trigger import EventPattern
from shopflow.domain.workflow import Workflow
from shopflow.engine.names import Names, enrolment_names, event_record, note_failure, plain
from shopflow.engine.rulebook import Rulebook
from shopflow.engine.turn import Turn
from shopflow.errors import EvaluationError

#: The shortest time before an instant.
JUST_BEFORE = timedelta.resolution
#: Since when which enrolment of which customer has waited.
Place = tuple[datetime, EnrolmentId, CustomerId]
#: Longer keys are kept as their digest.
MAX_KEY = 200


def keys_of(rulebook: Rulebook, event: Event) -> list[str]:
    """The keys under which enrolments may await the event; none when no rule does."""
    record = event_record(event)
    return sorted(
        _key({name: record[name] for name in names})
        for names in rulebook.awaited_fields.get(event.type, ())
        if all(name in record for name in names)
    )


def addressed(event: Event, places: Iterable[Place]) -> list[tuple[CustomerId, News]]:
    """The event for each customer among these places once, in their order."""
    by_customer: dict[CustomerId, dict[EnrolmentId, None]] = {}
    for _, enrolment, customer in places:
        by_customer.setdefault(customer, {})[enrolment] = None
    return [
        (customer, News(event=event, enrolments=tuple(enrolments)))
        for customer, enrolments in by_customer.items()
    ]


def awaited(turn: Turn, workflow: Workflow, enrolment: Enrolment) -> tuple[Awaited, ...]:
    """The events about no customer that would end the enrolment or move it from its step."""
    if workflow.digest not in turn.rulebook.awaiting:
        return ()
    subjects = turn.rulebook.awaited_fields
    found: dict[tuple[str, str], Awaited] = {}
    for pattern, match, since in _watched(workflow, enrolment):
        types = sorted(name for name in subjects if pattern.matches(name))
        key = _wanted(turn, workflow, enrolment, match) if types else None
        for event_type in types if key is not None else ():
            assert key is not None  # noqa: S101 - just asked
            known = found.get((event_type, key))
            if known is None or since < known.since:
                found[event_type, key] = Awaited(event_type=event_type, key=key, since=since)
    return tuple(found.values())


def _watched(
    workflow: Workflow, enrolment: Enrolment
) -> Iterable[tuple[EventPattern, Mapping[str, Expression], datetime]]:
    for rule in workflow.exits:
        if rule.pattern is not None:
            yield rule.pattern, rule.match, enrolment.entered_at
    step = workflow.steps.get(enrolment.step) if enrolment.step is not None else None
    if isinstance(step, WaitFor):
        yield step.pattern, step.match, enrolment.cursor_at


def _wanted(
    turn: Turn, workflow: Workflow, enrolment: Enrolment, match: Mapping[str, Expression]
) -> str | None:
    """The key that the event must have; None (written down) when it cannot be worked out."""
    at = enrolment.cursor_at
    names: Names = enrolment_names(turn, workflow, enrolment, at)
    values: dict[str, object] = {}
    for field, expression in match.items():
        try:
            values[field] = expression.evaluate(names)
        except EvaluationError as error:
            note_failure(turn, expression, error, at=at, workflow=workflow, enrolment=enrolment)
            return None
    return _key(values)


def _key(values: Mapping[str, object]) -> str:
    """Equal for values that conditions take for equal: 80 and 80.0, but neither 1 nor true."""
    told = _whole(plain(values))
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text if len(text) <= MAX_KEY else derive("awaited", text)


def _whole(value: object) -> object:
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {name: _whole(inner) for name, inner in value.items()}
        case list():
            return [_whole(inner) for inner in value]
        case _:
            return value
