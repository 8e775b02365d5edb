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
from shopflow.domain.trigger import EventPattern

R = TypeVar("R")

Path = tuple[str, ...]
#: Field -> bit of a rule -> the values that satisfy it.
_Values = dict[Path, dict[int, set[object]]]
#: A threshold and the bit of its rule.
_Bound = tuple[float, int]

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
        equal: _Values = {}
        contained: _Values = {}
        presence: dict[Path, int] = {}
        lower: dict[Path, list[_Bound]] = {}
        upper: dict[Path, list[_Bound]] = {}
        for bit, indexed in enumerate(rules):
            for atom in _usable(indexed.atoms):
                path = atom.path[1:]
                match atom.op:
                    case "==":
                        _narrow(equal, path, bit, {hash_key(atom.value)})
                    case "in":
                        _narrow(equal, path, bit, {hash_key(v) for v in atom.value})  # type: ignore[attr-defined]
                    case "contains":
                        # A list may contain several constants, so that one of them has to do.
                        contained.setdefault(path, {}).setdefault(bit, {hash_key(atom.value)})
                    case "has":
                        presence[path] = presence.get(path, 0) | 1 << bit
                    case ">" | ">=":
                        lower.setdefault(path, []).append((atom.value, bit))  # type: ignore[arg-type]
                    case "<" | "<=":
                        upper.setdefault(path, []).append((atom.value, bit))  # type: ignore[arg-type]
        self.equal = [
            (*_ends(path), _masks(bits), self._free(bits)) for path, bits in equal.items()
        ]
        self.contained = [
            (*_ends(path), _masks(bits), self._free(bits)) for path, bits in contained.items()
        ]
        self.present = [(*_ends(path), self.everyone & ~mask) for path, mask in presence.items()]
        self.lower = [(*_ends(path), *self._steps(bounds)) for path, bounds in lower.items()]
        self.upper = [(*_ends(path), *self._steps(bounds)) for path, bounds in upper.items()]

    def _free(self, bits: Iterable[int]) -> int:
        taken = 0
        for bit in bits:
            taken |= 1 << bit
        return self.everyone & ~taken

    def _steps(self, bounds: list[_Bound]) -> tuple[list[float], list[int], list[int], int]:
        """Sorted distinct bounds, masks of rules with a bound at or below each, and the free bits.

        Strictness is dropped: letting the bound itself through is one rule too many at most.
        """
        values = sorted({value for value, _ in bounds})
        below = [0] * (len(values) + 1)
        for value, bit in bounds:
            below[bisect_left(values, value) + 1] |= 1 << bit
        for position in range(1, len(below)):
            below[position] |= below[position - 1]
        total = below[-1]
        above = [total & ~mask for mask in below]
        return values, below, above, self.everyone & ~total

    def candidates(self, payload: Mapping[str, object]) -> int:
        """The bits of the rules that may match."""
        bits = self.everyone
        for name, rest, masks, free in self.equal:
            value = payload.get(name, _MISSING)
            bits &= _equal_bits(masks, _inner(value, rest) if rest else value) | free
            if not bits:
                return 0
        for name, rest, values, below, _, free in self.lower:
            value = payload.get(name, _MISSING)
            number = _number(_inner(value, rest) if rest else value)
            bits &= free if number is None else below[bisect_right(values, number)] | free
            if not bits:
                return 0
        for name, rest, values, _, above, free in self.upper:
            value = payload.get(name, _MISSING)
            number = _number(_inner(value, rest) if rest else value)
            bits &= free if number is None else above[bisect_left(values, number)] | free
            if not bits:
                return 0
        for name, rest, masks, free in self.contained:
            value = payload.get(name, _MISSING)
            bits &= _contained_bits(masks, _inner(value, rest) if rest else value) | free
            if not bits:
                return 0
        for name, rest, absent in self.present:
            value = payload.get(name, _MISSING)
            if (_inner(value, rest) if rest else value) is _MISSING:
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
        equalities = [_equalities(indexed) for indexed in rules]
        shared = Counter(equality for own in equalities for equality in own)
        # Where rules name many values of a field, an event seldom has the one that a rule names.
        variety = Counter(path for path, _ in shared)

        def rarity(equality: tuple[Path, object]) -> tuple[bool, int, int]:
            return shared[equality] > RARE, -variety[equality[0]], shared[equality]

        hashes: dict[Path, dict[object, list[R]]] = {}
        others: list[IndexedRule[R]] = []
        for indexed, own in zip(rules, equalities, strict=True):
            rarest = min(own, key=rarity, default=None)
            if rarest is None or shared[rarest] > RARE:
                others.append(indexed)
            else:
                hashes.setdefault(rarest[0], {}).setdefault(rarest[1], []).append(indexed.rule)
        self.hashes = [(*_ends(path), table) for path, table in hashes.items()]
        self.bitset = _Bitset(others) if others else None

    def lookup(self, payload: Mapping[str, object]) -> list[R]:
        found: list[R] = []
        for name, rest, table in self.hashes:
            value = payload.get(name, _MISSING)
            if rest:
                value = _inner(value, rest)
            kind = type(value)
            if kind is bool:
                value = hash_key(value)
            elif kind is list or kind is dict:
                continue
            rules = table.get(value)
            if rules is not None:
                found += rules
        if self.bitset is not None:
            self.bitset.lookup(payload, found)
        return found


def _equalities(indexed: IndexedRule[R]) -> list[tuple[Path, object]]:
    return [
        (atom.path[1:], hash_key(atom.value)) for atom in _usable(indexed.atoms) if atom.op == "=="
    ]


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


def _narrow(fields: _Values, path: Path, bit: int, values: set[object]) -> None:
    """Two equalities of one rule on one field both hold only where they overlap."""
    bits = fields.setdefault(path, {})
    bits[bit] = bits[bit] & values if bit in bits else values


def _masks(bits: Mapping[int, set[object]]) -> dict[object, int]:
    """Value -> the rules that it satisfies."""
    masks: dict[object, int] = {}
    for bit, values in bits.items():
        for value in values:
            masks[value] = masks.get(value, 0) | 1 << bit
    return masks


def _ends(path: Path) -> tuple[str, Path]:
    """The field of the payload, and the way on from there, which is nearly always empty."""
    return path[0], path[1:]


def _equal_bits(masks: Mapping[object, int], value: object) -> int:
    kind = type(value)
    if kind is bool:
        return masks.get(hash_key(value), 0)
    # A list or a map equals no constant.
    return 0 if kind is list or kind is dict else masks.get(value, 0)


def _contained_bits(masks: Mapping[object, int], value: object) -> int:
    """What an element of a list, or a key of a map, satisfies."""
    bits = 0
    if isinstance(value, list | dict):
        for element in value:
            if _is_scalar(element):
                bits |= masks.get(hash_key(element), 0)
    return bits


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, str | bool | int | float)


def _number(value: object) -> float | None:
    """The value where it can be compared: NaN compares false with everything, so it cannot."""
    kind = type(value)
    if kind is int:
        return value  # type: ignore[return-value]
    return value if kind is float and not isnan(value) else None  # type: ignore[return-value,arg-type]


def _inner(value: object, path: Path) -> object:
    for name in path:
        if not isinstance(value, Mapping) or name not in value:
            return _MISSING
        value = value[name]
    return value
