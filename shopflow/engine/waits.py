"""Waiting: how long, until when, and which event ends it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from shopflow.domain.customer import Enrolment
from shopflow.domain.event import Event
from shopflow.domain.expression import Expression
from shopflow.domain.step import Wait, WaitFor
from shopflow.domain.workflow import Exit, Workflow
from shopflow.engine import zones
from shopflow.engine.moves import Go, Move, Stay
from shopflow.engine.names import Names, enrolment_names, event_record, holds, note_failure
from shopflow.engine.turn import Turn
from shopflow.errors import EvaluationError

#: Farther than any calendar goes: a wait that long is a mistake in the rule.
MAX_WAIT = timedelta(days=3660)

_DAY = timedelta(days=1)
_WEEK = 7


def length(expression: Expression, names: Names) -> timedelta:
    """The length of time; raises EvaluationError when it is none or out of all proportion."""
    value = expression.evaluate(names)
    if not isinstance(value, timedelta):
        raise EvaluationError(f"a length of time is needed, not {type(value).__name__}")
    if not -MAX_WAIT <= value <= MAX_WAIT:
        raise EvaluationError("the wait is longer than ten years")
    return value


def wait(turn: Turn, enrolment: Enrolment, step: Wait, names: Names) -> Move:
    """Stay until the wait is over; one that is over already is left at once."""
    cursor = enrolment.cursor_at
    if step.length is not None:
        until = cursor + length(step.length, names)
    elif step.until is not None:
        until = _instant(step.until, names, cursor)
    else:
        until = _local_time(turn, step, cursor)
    return Go(step.next) if until <= cursor else Stay(until)


def _instant(expression: Expression, names: Names, cursor: datetime) -> datetime:
    value = expression.evaluate(names)
    if not isinstance(value, datetime):
        raise EvaluationError(f"an instant is needed, not {type(value).__name__}")
    if value - cursor > MAX_WAIT:
        raise EvaluationError("the wait is longer than ten years")
    return value.astimezone(UTC)


def _local_time(turn: Turn, step: Wait, cursor: datetime) -> datetime:
    """The first such local time at or after the cursor, on an allowed day."""
    where = zones.of_customer(turn.rulebook.ruleset, turn.customer)
    today = cursor.astimezone(where).date()
    until_time = step.until_time
    if until_time is None:
        raise EvaluationError("the wait says neither how long nor until when")
    for offset in range(_WEEK + 1):
        day = today + offset * _DAY
        moment = zones.local(day, until_time, where)
        if moment >= cursor and (not step.days or day.weekday() in step.days):
            return moment
    raise EvaluationError("no day of the week is allowed")


def is_met(
    turn: Turn,
    workflow: Workflow,
    enrolment: Enrolment,
    awaited: WaitFor | Exit,
    event: Event,
) -> bool:
    """True when this is the event that the enrolment waits for, or that ends it."""
    if awaited.pattern is None or not awaited.pattern.matches(event.type):
        return False
    if not awaited.match and awaited.when is None:
        return True
    at = event.occurred_at
    names = enrolment_names(turn, workflow, enrolment, at, event=event)
    record = event_record(event)
    for field, expression in awaited.match.items():
        try:
            wanted = expression.evaluate(names)
        except EvaluationError as error:
            note_failure(turn, expression, error, at=at, workflow=workflow, enrolment=enrolment)
            return False
        if field not in record or not _equal(record[field], wanted):
            return False
    return holds(turn, awaited.when, names, at=at, workflow=workflow, enrolment=enrolment)


def _equal(ours: object, wanted: object) -> bool:
    return isinstance(ours, bool) == isinstance(wanted, bool) and ours == wanted


def kept_fields(step: WaitFor, event: Event) -> Mapping[str, object]:
    """What later steps read of the event as `steps.<id>.event`: payload fields, id and type."""
    record = {**event.data, "id": event.id, "type": event.type}
    if step.keep is None:
        return record
    return {name: value for name, value in record.items() if name in step.keep}
