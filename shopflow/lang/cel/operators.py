"""CEL's operators on plain Python values, strict about types where Python is lenient.

Whatever raises here (TypeError, LookupError, ArithmeticError, ValueError) is a CEL error.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from shopflow.lang.cel.values import (
    Uint,
    duration_nanos,
    timestamp_nanos,
    type_of,
)

_SCALARS = (str, int, float, bool, bytes, type(None))
_ORDERED = (int, float, str, bool, bytes)
_NUMBERS = (int, float, Uint)


def no_overload(operator: str, *operands: object) -> TypeError:
    """The error that says which operator met which types."""
    kinds = ", ".join(type_of(operand).name for operand in operands)
    return TypeError(f"no operation {operator} for {kinds}")


def equals(left: object, right: object) -> bool:
    """CEL's ==: numbers compare by value, a bool is no number, other types differ."""
    kind = left.__class__
    if kind is right.__class__ and kind in _SCALARS:
        return left == right
    if kind is bool or right.__class__ is bool:
        return False
    if isinstance(left, list):
        return isinstance(right, list) and len(left) == len(right) and all(map(equals, left, right))
    if isinstance(left, dict):
        return isinstance(right, dict) and _maps_equal(left, right)
    if isinstance(left, datetime) and isinstance(right, datetime):
        return timestamp_nanos(left) == timestamp_nanos(right)
    return left == right


def _maps_equal(left: dict[object, object], right: dict[object, object]) -> bool:
    return len(left) == len(right) and all(
        has_key(right, key) and equals(value, right[key]) for key, value in left.items()
    )


def differs(left: object, right: object) -> bool:
    """CEL's !=."""
    return not equals(left, right)


def _compare(symbol: str, operator: Callable[[object, object], bool]) -> Callable[..., bool]:
    def compare(left: object, right: object) -> bool:
        kind, other = left.__class__, right.__class__
        if (kind is other and kind in _ORDERED) or (kind in _NUMBERS and other in _NUMBERS):
            return operator(left, right)
        if isinstance(left, datetime) and isinstance(right, datetime):
            return operator(timestamp_nanos(left), timestamp_nanos(right))
        if isinstance(left, timedelta) and isinstance(right, timedelta):
            return operator(duration_nanos(left), duration_nanos(right))
        raise no_overload(symbol, left, right)

    return compare


less = _compare("<", lambda left, right: left < right)  # type: ignore[operator]
at_most = _compare("<=", lambda left, right: left <= right)  # type: ignore[operator]
more = _compare(">", lambda left, right: left > right)  # type: ignore[operator]
at_least = _compare(">=", lambda left, right: left >= right)  # type: ignore[operator]


def _same_key(key: object, mapping: dict[object, object]) -> bool:
    # Python takes true for 1; the key that is there decides which of the two was meant.
    if isinstance(key, str):
        return True
    is_bool = isinstance(key, bool)
    return any(each == key and isinstance(each, bool) is is_bool for each in mapping)


def has_key(mapping: dict[object, object], key: object) -> bool:
    """Whether a map has a key; one that fills itself when asked is asked."""
    if key in mapping:
        return _same_key(key, mapping)
    if not hasattr(type(mapping), "__missing__"):
        return False
    try:
        mapping[key]
    except KeyError:
        return False
    return True


def has_field(operand: object, field: str) -> bool:
    """CEL's has(operand.field); only a map has fields."""
    if isinstance(operand, dict):
        return has_key(operand, field)
    raise no_overload("has", operand)


def select(operand: object, field: str) -> object:
    """CEL's operand.field; raises KeyError where the map has no such field."""
    if isinstance(operand, dict):
        return operand[field]
    raise no_overload(f".{field}", operand)


def contains(element: object, container: object) -> bool:
    """CEL's in: an element of a list, or a key of a map."""
    if isinstance(container, list):
        if element.__class__ is str:
            return element in container
        return any(equals(element, each) for each in container)
    if isinstance(container, dict) and isinstance(element, (str, int, float)):
        return has_key(container, element)
    raise no_overload("in", element, container)


def index(operand: object, key: object) -> object:
    """CEL's operand[key]; raises LookupError where there is no such element."""
    if isinstance(operand, list):
        if isinstance(key, float) and key.is_integer():
            key = int(key)
        if isinstance(key, bool) or not isinstance(key, int):
            raise no_overload("[]", operand, key)
        if not 0 <= key < len(operand):
            raise IndexError(f"no element {key} in a list of {len(operand)}")
        return operand[key]
    if isinstance(operand, dict):
        if not isinstance(key, (str, int, float)):
            raise KeyError(key)
        value = operand[key]
        if not _same_key(key, operand):
            raise KeyError(key)
        return value
    raise no_overload("[]", operand, key)
