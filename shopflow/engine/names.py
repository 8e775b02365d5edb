"""The names that conditions may use, bound lazily: a trait nobody asks for is not worked out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from shopflow.domain.customer import Enrolment
from shopflow.domain.event import Event
from shopflow.domain.expression import Expression
from shopflow.domain.journal import Kind
from shopflow.domain.workflow import Workflow
from shopflow.engine import consent, traits
from shopflow.engine.interest import is_kept
from shopflow.engine.turn import Turn
from shopflow.errors import EvaluationError

#: Longest text kept of a value that the journal shows.
SEEN_LENGTH = 200

Names = dict[str, object]

#: For what does not hang on it.
_ANY_TIME = traits.EPOCH


class Lazy(dict[str, object]):
    """A record whose fields are worked out when first read; KeyError when there is none.

    What works them out is given the record, too, where fields name one another. It must not hold
    the record itself: a circle would keep all that a decision made for the garbage collector.
    """

    __slots__ = ("_open", "_resolve")

    def __init__(self, resolve: Callable[[str, Lazy], object]) -> None:
        # A new dict is empty without being told so, and thousands are made a second.
        self._resolve = resolve
        self._open: tuple[str, ...] = ()

    def __missing__(self, name: str) -> object:
        if name in self._open:
            raise EvaluationError(f"{name} is defined by itself")
        before, self._open = self._open, (*self._open, name)
        try:
            value = self._resolve(name, self)
        finally:
            self._open = before
        self[name] = value
        return value


def event_record(event: Event) -> Names:
    """The payload with the reserved names `id`, `type` and `occurred_at`."""
    return {
        **event.data,
        "id": event.id,
        "type": event.type,
        "occurred_at": event.occurred_at,
    }


def customer_names(turn: Turn, now: datetime, *, purpose: str | None = None) -> Names:
    """What can be said without an event or an enrolment."""
    names: Names = {"now": now, "__products__": turn.facts.products}
    draft, ruleset = turn.customer, turn.rulebook.ruleset

    def segment(name: str, segments: Lazy) -> object:
        return truth_of(ruleset.segments[name].when, {**names, "segments": segments})

    names["customer"] = Lazy(lambda name, _: traits.read(ruleset, draft, name, now))
    names["reachable"] = Lazy(lambda name, _: consent.reachable(turn, name, purpose, now))
    return {**names, "segments": Lazy(segment)}


def timeless_names(turn: Turn, workflow: Workflow) -> Names:
    """What no time changes while attributes and traits stay; reading anything else fails."""
    draft, ruleset = turn.customer, turn.rulebook.ruleset

    def trait(name: str, _: Lazy) -> object:
        if not is_kept(ruleset, ("customer", name)):
            raise EvaluationError(f"customer.{name} may change with time")
        return traits.read(ruleset, draft, name, _ANY_TIME)

    def segment(name: str, segments: Lazy) -> object:
        return truth_of(ruleset.segments[name].when, {**names, "segments": segments})

    names: Names = {
        "__products__": turn.facts.products,
        "customer": Lazy(trait),
        "values": workflow.values,
    }
    return {**names, "segments": Lazy(segment)}


def trigger_names(
    turn: Turn, workflow: Workflow, record: Mapping[str, object], now: datetime, base: Names | None
) -> Names:
    """What a trigger's condition and key may use; `base` is shared by the rules of an event."""
    names = {**(base if base is not None else customer_names(turn, now))}
    names["reachable"] = Lazy(
        lambda channel, _: consent.reachable(turn, channel, workflow.purpose, now)
    )
    names["event"] = record
    names["trigger"] = record
    names["values"] = workflow.values
    return names


def enrolment_names(
    turn: Turn,
    workflow: Workflow,
    enrolment: Enrolment,
    now: datetime,
    *,
    event: Event | None = None,
    item: object = None,
) -> Names:
    """What a step, an exit or a guard of this enrolment may use."""
    names = customer_names(turn, now, purpose=workflow.purpose)
    names["trigger"] = {
        **enrolment.trigger,
        "id": enrolment.trigger_event_id,
        "occurred_at": enrolment.entered_at,
    }
    names["values"] = workflow.values
    names["item"] = enrolment.item if item is None else item
    names["gathered"] = list(enrolment.gathered)
    names["steps"] = Lazy(lambda step, _: _step_record(enrolment, step))
    if event is not None:
        names["event"] = event_record(event)

    def variable(name: str, found: Lazy) -> object:
        return workflow.let[name].evaluate({**names, "vars": found})

    return {**names, "vars": Lazy(variable)}


def _step_record(enrolment: Enrolment, step: str) -> Names:
    for known, result in enrolment.results.items():
        if known == step:
            record: Names = {"outcome": result.outcome, "at": result.at}
            if result.sent_at is not None:
                record["sent_at"] = result.sent_at
            if result.channel is not None:
                record["channel"] = result.channel
            if result.event is not None:
                record["event"] = {**result.event, "occurred_at": result.at}
            if result.code is not None:
                record["code"] = result.code
            if result.expires_at is not None:
                record["expires_at"] = result.expires_at
            return record
    raise KeyError(step)


def truth_of(expression: Expression, names: Names) -> bool:
    """The condition's answer; raises EvaluationError when it fails or is no condition."""
    value = expression.evaluate(names)
    if value is True or value is False:
        return value
    raise EvaluationError(f"{expression.source!r} is not true or false but {type(value).__name__}")


def holds(
    turn: Turn,
    expression: Expression | None,
    names: Names,
    *,
    at: datetime,
    workflow: Workflow | None,
    enrolment: Enrolment | None = None,
) -> bool:
    """True when the condition holds; one that fails does not match, and that is written down."""
    if expression is None:
        return True
    try:
        return truth_of(expression, names)
    except EvaluationError as error:
        note_failure(turn, expression, error, at=at, workflow=workflow, enrolment=enrolment)
        return False


def note_failure(
    turn: Turn,
    expression: Expression | None,
    error: EvaluationError,
    *,
    at: datetime,
    workflow: Workflow | None,
    enrolment: Enrolment | None = None,
) -> None:
    """Count a condition or value that failed at run time."""
    turn.journal(
        Kind.ERROR,
        at,
        workflow,
        enrolment,
        reason="condition",
        values={
            "source": expression.source[:SEEN_LENGTH] if expression is not None else "",
            "error": str(error)[:SEEN_LENGTH],
        },
    )


def seen(expression: Expression, names: Names) -> dict[str, object]:
    """The simple values that the expression read, by path, for the journal."""
    found: dict[str, object] = {}
    for path in sorted(expression.reads):
        value: object = names
        try:
            for part in path:
                value = value[part]  # type: ignore[index]
        except (KeyError, TypeError, EvaluationError):
            continue
        if value is None or isinstance(value, str | bool | int | float | datetime | timedelta):
            found[".".join(path)] = plain(value)
    return found


def plain(value: object) -> object:
    """The value as plain JSON: instants as RFC 3339, lengths in seconds."""
    match value:
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case timedelta():
            return value.total_seconds()
        case Decimal():
            return float(value)
        case bytes():
            return value.decode(errors="replace")
        case Mapping():
            return {str(key): plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [plain(inner) for inner in value]
        case _:
            return value
