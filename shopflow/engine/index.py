"""The rule index: which rules an event may start, without asking each of them.

Per event type, a rule that owns a rare equality sits in a hash; the others share a bitset, one bit
a rule and one big int per field value or threshold interval, AND-ed. The index may return too many
rules, never too few: whoever asks evaluates the condition of what it gets.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Generic, TypeVar

from shopflow.domain.expression import Atom
from shopflow.domain.workflow import EventPattern

R = TypeVar("R")

Path = tuple[str, ...]

#: A rule goes to the hash when at most this many rules share its rarest equality.
RARE = 8
#: The name that atoms about the event's payload start with.
ROOT = "event"

_MISSING = object()


@dataclass(frozen=True, slots=True)
class IndexedRule(Generic[R]):
    """A rule as the index sees it: the types it listens to, what must hold, and itself."""

    pattern: EventPattern
    atoms: tuple[Atom, ...]
    rule: R


class _Bitset(Generic[R]):
    """All rules of one type that have no rare equality."""

    def __init__(self, rules: Sequence[IndexedRule[R]]) -> None:
        self.rules = [indexed.rule for indexed in rules]
        self.everyone = (1 << len(rules)) - 1
        equalities: dict[Path, dict[int, set[object]]] = {}
        presence: dict[Path, int] = {}
        lower: dict[Path, list[tuple[float, bool, int]]] = {}
        upper: dict[Path, list[tuple[float, bool, int]]] = {}
        for bit, indexed in enumerate(rules):
            for atom in _usable(indexed.atoms):
                path = atom.path[1:]
                match atom.op:
                    case "==" | "contains":
                        _narrow(equalities, path, bit, {hash_key(atom.value)})
                    case "in":
                        _narrow(equalities, path, bit, {hash_key(v) for v in atom.value})  # type: ignore[attr-defined]
                    case "has":
                        presence[path] = presence.get(path, 0) | 1 << bit
                    case ">" | ">=":
                        lower.setdefault(path, []).append((atom.value, atom.op == ">", bit))  # type: ignore[arg-type]
                    case "<" | "<=":
                        upper.setdefault(path, []).append((atom.value, atom.op == "<", bit))  # type: ignore[arg-type]
        self.equal = [
            (path, self._equal_masks(bits), self._free(bits)) for path, bits in equalities.items()
        ]
        self.present = [(path, self.everyone & ~mask) for path, mask in presence.items()]
        self.lower = [(path, *self._steps(bounds)) for path, bounds in lower.items()]
        self.upper = [(path, *self._steps(bounds)) for path, bounds in upper.items()]

    def _free(self, bits: Iterable[int]) -> int:
        taken = 0
        for bit in bits:
            taken |= 1 << bit
        return self.everyone & ~taken

    @staticmethod
    def _equal_masks(bits: Mapping[int, set[object]]) -> dict[object, int]:
        masks: dict[object, int] = {}
        for bit, values in bits.items():
            for value in values:
                masks[value] = masks.get(value, 0) | 1 << bit
        return masks

    def _steps(
        self, bounds: list[tuple[float, bool, int]]
    ) -> tuple[list[float], list[int], list[int], int]:
        """Sorted distinct bounds, masks of rules with a bound at or below each, and the free bits.

        Strictness is dropped: letting the bound itself through is one rule too many at most.
        """
        values = sorted({value for value, _, _ in bounds})
        below = [0] * (len(values) + 1)
        for value, _, bit in bounds:
            below[bisect_left(values, value) + 1] |= 1 << bit
        for position in range(1, len(below)):
            below[position] |= below[position - 1]
        total = below[-1]
        above = [total & ~mask for mask in below]
        return values, below, above, self.everyone & ~total

    def candidates(self, payload: Mapping[str, object]) -> int:
        """The bits of the rules that may match."""
        bits = self.everyone
        for path, masks, free in self.equal:
            bits &= _value_mask(masks, _get(payload, path)) | free
            if not bits:
                return 0
        for path, values, below, _, free in self.lower:
            number = _number(_get(payload, path))
            allowed = 0 if number is None else below[bisect_right(values, number)]
            bits &= allowed | free
            if not bits:
                return 0
        for path, values, _, above, free in self.upper:
            number = _number(_get(payload, path))
            allowed = 0 if number is None else above[bisect_left(values, number)]
            bits &= allowed | free
            if not bits:
                return 0
        for path, absent in self.present:
            if _get(payload, path) is _MISSING:
                bits &= absent
        return bits

    def lookup(self, payload: Mapping[str, object], found: list[R]) -> None:
        bits = self.candidates(payload)
        while bits:
            lowest = bits & -bits
            found.append(self.rules[lowest.bit_length() - 1])
            bits ^= lowest


class _TypeIndex(Generic[R]):
    """The rules of one event type: the hash of rare equalities and the bitset of the rest."""

    def __init__(self, rules: Sequence[IndexedRule[R]]) -> None:
        shared = Counter(
            (atom.path[1:], hash_key(atom.value))
            for indexed in rules
            for atom in _usable(indexed.atoms)
            if atom.op == "=="
        )
        self.hashes: dict[Path, dict[object, list[R]]] = {}
        others: list[IndexedRule[R]] = []
        for indexed in rules:
            equalities = [
                (atom.path[1:], hash_key(atom.value))
                for atom in _usable(indexed.atoms)
                if atom.op == "=="
            ]
            rarest = min(equalities, key=shared.__getitem__, default=None)
            if rarest is None or shared[rarest] > RARE:
                others.append(indexed)
            else:
                self.hashes.setdefault(rarest[0], {}).setdefault(rarest[1], []).append(indexed.rule)
        self.bitset = _Bitset(others) if others else None

    def lookup(self, payload: Mapping[str, object]) -> list[R]:
        found: list[R] = []
        for path, table in self.hashes.items():
            value = _get(payload, path)
            if value is not _MISSING and not isinstance(value, list | dict):
                found.extend(table.get(hash_key(value), ()))
        if self.bitset is not None:
            self.bitset.lookup(payload, found)
        return found


class RuleIndex(Generic[R]):
    """Rules by event type and payload; built at once, read by many threads."""

    def __init__(self, rules: Iterable[IndexedRule[R]]) -> None:
        self._rules = tuple(rules)
        known = {name for indexed in self._rules for name in indexed.pattern.types}
        self._types = {name: self._build(name) for name in known}

    def _build(self, event_type: str) -> _TypeIndex[R]:
        return _TypeIndex([each for each in self._rules if each.pattern.matches(event_type)])

    def lookup(self, event_type: str, payload: Mapping[str, object]) -> list[R]:
        """The rules that may match this payload: every one that does, and perhaps some more."""
        index = self._types.get(event_type)
        if index is None:
            # Types that only a prefix covers are indexed when they are first seen.
            index = self._types.setdefault(event_type, self._build(event_type))
        return index.lookup(payload)

    def all_rules(self, event_type: str) -> list[R]:
        """The rules of the type, without the index: what lookup is tested against."""
        return [each.rule for each in self._rules if each.pattern.matches(event_type)]


def hash_key(value: object) -> object:
    """A key under which CEL-equal values meet: 1 and 1.0 do, true and 1 do not."""
    return ("bool", value) if isinstance(value, bool) else value


def _usable(atoms: Iterable[Atom]) -> Iterable[Atom]:
    """The atoms about payload fields whose constants the index can hold."""
    for atom in atoms:
        if len(atom.path) < 2 or atom.path[0] != ROOT or atom.path[1] in _RESERVED:  # noqa: PLR2004 - the root and a field
            continue
        match atom.op:
            case "has":
                yield atom
            case "<" | "<=" | ">" | ">=":
                if _number(atom.value) is not None:
                    yield atom
            case "in":
                if isinstance(atom.value, tuple) and all(map(_is_scalar, atom.value)):
                    yield atom
            case "==" | "contains":
                if _is_scalar(atom.value):
                    yield atom


#: Names of the envelope that a payload never carries.
_RESERVED = frozenset({"id", "type", "occurred_at"})


def _narrow(
    fields: dict[Path, dict[int, set[object]]], path: Path, bit: int, values: set[object]
) -> None:
    """Two equalities of one rule on one field both hold only where they overlap."""
    bits = fields.setdefault(path, {})
    bits[bit] = bits[bit] & values if bit in bits else values


def _value_mask(masks: Mapping[object, int], value: object) -> int:
    if isinstance(value, list):
        mask = 0
        for element in value:
            if _is_scalar(element):
                mask |= masks.get(hash_key(element), 0)
        return mask
    if value is _MISSING or isinstance(value, dict):
        return 0
    return masks.get(hash_key(value), 0)


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, str | bool | int | float)


def _number(value: object) -> float | None:
    """The value where it can be compared: NaN compares false with everything, so it cannot."""
    if isinstance(value, bool) or not isinstance(value, int | float) or isnan(value):
        return None
    return value


def _get(payload: Mapping[str, object], path: Path) -> object:
    value: object = payload
    for name in path:
        if not isinstance(value, Mapping) or name not in value:
            return _MISSING
        value = value[name]
    return value
