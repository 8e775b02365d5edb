"""Computed traits: folding events into small states, and reading a value out of a state.

A state is plain JSON. Without a window it is one *cell*; with one it is a list of
`[microseconds, contribution]`, exact up to WINDOW_ENTRIES and then merged pairwise from the oldest
end; with `by` it is a map from key to either, newest use last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import isfinite
from typing import Any

from shopflow.domain.event import Event
from shopflow.domain.ruleset import Ruleset
from shopflow.domain.trait import Aggregate, Trait, TraitType
from shopflow.engine.turn import Draft
from shopflow.errors import EvaluationError

#: Entries of a windowed trait that are kept apart; older ones are merged with their neighbour.
WINDOW_ENTRIES = 64

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: JSON whose shape the aggregate decides; typed where it comes out.
State = Any

_MICROSECOND = timedelta(microseconds=1)


def fold(
    states: Mapping[str, object],
    definitions: Sequence[Trait],
    event: Event,
    record: Mapping[str, object],
    currency: str,
    failed: Callable[[Trait, EvaluationError], None],
) -> Mapping[str, object]:
    """The states after the event; a trait whose expressions fail on it stays as it is."""
    changed: dict[str, object] | None = None
    names: dict[str, object] = {"event": record}
    moment = (event.occurred_at - EPOCH) // _MICROSECOND
    for trait in definitions:
        if trait.money and event.data.get("currency", currency) != currency:
            continue
        try:
            if trait.when is not None and trait.when.evaluate(names) is not True:
                continue
            value = trait.value.evaluate(names) if trait.value is not None else None
            key = None if trait.by is None else key_text(trait.by.evaluate(names))
            contribution = _contribution(trait, value, moment)
            known = (changed or states).get(trait.name)
            state = _folded(trait, known, key, contribution, moment)
        except EvaluationError as error:
            failed(trait, error)
            continue
        if changed is None:
            changed = dict(states)
        changed[trait.name] = state
    return states if changed is None else changed


def read(ruleset: Ruleset, customer: Draft, name: str, now: datetime) -> object:
    """The value of a trait or attribute as conditions see it; KeyError when there is none."""
    trait = ruleset.traits.get(name)
    if trait is not None:
        return _value(trait, customer.traits.get(name), now)
    if name == "id":
        return customer.id
    if name == "tags":
        return sorted(customer.tags)
    value = customer.attributes[name]
    attribute = ruleset.attributes.get(name)
    if attribute is not None and attribute.type is TraitType.TIMESTAMP and isinstance(value, str):
        return _instant(value)
    return value


def merged(trait: Trait, ours: State, theirs: State) -> State:
    """One state of two persons who turned out to be one: as if all events had been this one's."""
    if ours is None or theirs is None:
        return theirs if ours is None else ours
    if trait.by is not None and isinstance(ours, dict) and isinstance(theirs, dict):
        keys = [*theirs, *(key for key in ours if key not in theirs)]
        both = {key: _merged_series(trait, ours.get(key), theirs.get(key)) for key in keys}
        return dict(list(both.items())[-trait.limit :])
    return _merged_series(trait, ours, theirs)


def _merged_series(trait: Trait, ours: State, theirs: State) -> State:
    if ours is None or theirs is None:
        return theirs if ours is None else ours
    if trait.window is not None and isinstance(ours, list) and isinstance(theirs, list):
        return _bounded(trait, sorted([*ours, *theirs], key=lambda entry: entry[0]))
    return _joined(trait, ours, theirs)


def _folded(trait: Trait, state: State, key: str | None, contribution: State, moment: int) -> State:
    if key is None:
        return _extended(trait, state, contribution, moment)
    entries = dict(state) if isinstance(state, dict) else {}
    entries[key] = _extended(trait, entries.pop(key, None), contribution, moment)
    while len(entries) > trait.limit:
        del entries[next(iter(entries))]
    return entries


def _extended(trait: Trait, series: State, contribution: State, moment: int) -> State:
    if trait.window is None:
        return contribution if series is None else _joined(trait, series, contribution)
    entries: list[State] = list(series) if isinstance(series, list) else []
    entries.append([moment, contribution])
    if len(entries) > 1 and entries[-2][0] > moment:
        entries.sort(key=lambda entry: entry[0])
    newest = entries[-1][0]
    horizon = newest - trait.window // _MICROSECOND
    if entries[0][0] < horizon:
        entries = [entry for entry in entries if entry[0] >= horizon]
    return _bounded(trait, entries)


def _bounded(trait: Trait, entries: list[State]) -> list[State]:
    while len(entries) > WINDOW_ENTRIES:
        # The two oldest become one at the later instant: never gone before its time.
        first, second = entries[0], entries[1]
        entries = [[second[0], _joined(trait, first[1], second[1])], *entries[2:]]
    return entries


def _contribution(trait: Trait, value: object, moment: int) -> object:
    """What one event adds, in the shape of a cell."""
    return _CONTRIBUTIONS[trait.aggregate](trait, value, moment)


def _joined(trait: Trait, older: State, newer: State) -> State:
    """Two cells as one; `older` was there first where that matters."""
    return _JOINS[trait.aggregate](trait, older, newer)


def _least_or_most(_: Trait, value: object, __: int) -> object:
    return _number(value) if not isinstance(value, datetime | str) else _stored(value)


def _at_its_time(_: Trait, value: object, moment: int) -> object:
    return [moment, _stored(value)]


def _collected(trait: Trait, value: object, _: int) -> object:
    values = value if isinstance(value, list) else [value]
    return _newest([_stored(inner) for inner in values], trait.limit)


def _counted(_: Trait, value: object, __: int) -> object:
    counts: dict[str, int] = {}
    for inner in value if isinstance(value, list) else [value]:
        counts[key_text(inner)] = counts.get(key_text(inner), 0) + 1
    return counts


def _tops_joined(trait: Trait, older: State, newer: State) -> State:
    counts = dict(older)
    for key, count in newer.items():
        counts[key] = counts.pop(key, 0) + count
    while len(counts) > trait.limit:
        del counts[min(counts, key=counts.__getitem__)]
    return counts


def _extreme(trait: Trait, older: State, newer: State) -> State:
    if isinstance(older, str) != isinstance(newer, str):
        raise EvaluationError(f"{trait.name} cannot compare text with a number")
    return min(older, newer) if trait.aggregate is Aggregate.MIN else max(older, newer)


#: By aggregate, what an event adds: a look-up costs less than asking for each member of an enum.
_CONTRIBUTIONS: Mapping[Aggregate, Callable[[Trait, object, int], object]] = {
    Aggregate.COUNT: lambda *_: 1,
    Aggregate.SUM: lambda _, value, __: str(_number(value)),
    Aggregate.MIN: _least_or_most,
    Aggregate.MAX: _least_or_most,
    Aggregate.FIRST: _at_its_time,
    Aggregate.LAST: _at_its_time,
    Aggregate.COLLECT: _collected,
    Aggregate.TOP: _counted,
}
#: By aggregate, how two cells become one.
_JOINS: Mapping[Aggregate, Callable[[Trait, State, State], State]] = {
    Aggregate.COUNT: lambda _, older, newer: older + newer,
    Aggregate.SUM: lambda _, older, newer: str(Decimal(str(older)) + Decimal(str(newer))),
    Aggregate.MIN: _extreme,
    Aggregate.MAX: _extreme,
    Aggregate.FIRST: lambda _, older, newer: newer if newer[0] < older[0] else older,
    Aggregate.LAST: lambda _, older, newer: older if newer[0] < older[0] else newer,
    Aggregate.COLLECT: lambda trait, older, newer: _newest([*older, *newer], trait.limit),
    Aggregate.TOP: _tops_joined,
}


def _value(trait: Trait, state: State, now: datetime) -> State:
    if trait.by is not None:
        entries = state if isinstance(state, dict) else {}
        values = {key: _series_value(trait, series, now) for key, series in entries.items()}
        return {key: value for key, value in values.items() if value is not None}
    value = _series_value(trait, state, now)
    if value is None:
        value = _nothing(trait)
    return value


def _series_value(trait: Trait, series: State, now: datetime) -> State:
    if series is None:
        return None
    if trait.window is None:
        return _cell_value(trait, series)
    horizon = (now - trait.window - EPOCH) // _MICROSECOND
    cells = [entry[1] for entry in series if entry[0] >= horizon]
    if not cells:
        return None
    total = cells[0]
    for cell in cells[1:]:
        total = _joined(trait, total, cell)
    return _cell_value(trait, total)


def _cell_value(trait: Trait, cell: State) -> State:
    match trait.aggregate:
        case Aggregate.SUM:
            number = Decimal(str(cell))
            return int(number) if trait.type is TraitType.INTEGER else float(number)
        case Aggregate.FIRST | Aggregate.LAST:
            return _loaded(trait, cell[1])
        case Aggregate.MIN | Aggregate.MAX:
            return _loaded(trait, cell)
        case Aggregate.TOP:
            return max(cell, key=cell.__getitem__)
        case Aggregate.COUNT | Aggregate.COLLECT:
            return cell


def _nothing(trait: Trait) -> object:
    """The value before the first event; KeyError for those that have none."""
    match trait.aggregate:
        case Aggregate.COUNT:
            return 0
        case Aggregate.SUM:
            return 0 if trait.type is TraitType.INTEGER else 0.0
        case Aggregate.COLLECT:
            return []
        case Aggregate.MIN | Aggregate.MAX | Aggregate.FIRST | Aggregate.LAST | Aggregate.TOP:
            raise KeyError(trait.name)


def _newest(values: list[object], limit: int) -> list[object]:
    """Each value once, at the place of its last use; the oldest go first."""
    unique: dict[str, object] = {}
    for value in values:
        unique.pop(repr(value), None)
        unique[repr(value)] = value
    return list(unique.values())[-limit:]


def _number(value: object) -> int | Decimal | float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise EvaluationError(f"a number is needed, not {type(value).__name__}")
    if isinstance(value, float) and not isfinite(value):
        raise EvaluationError("a finite number is needed")
    return value


def _stored(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def _loaded(trait: Trait, value: object) -> object:
    if trait.type is TraitType.TIMESTAMP and isinstance(value, str):
        return _instant(value)
    return value


def _instant(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise EvaluationError("an attribute is no RFC 3339 time") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def key_text(value: object) -> str:
    """A map key: text as it is, whole numbers without a point."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    raise EvaluationError(f"a key is text or a whole number, not {type(value).__name__}")
