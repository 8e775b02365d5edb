"""CEL's arithmetic: 64-bit ranges are checked, division truncates, time adds in nanoseconds.

An int that meets a double is taken as a double, because a JSON number written without a fraction
arrives as an int.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar, cast

from shopflow.lang.cel.limits import MAX_VALUE_SIZE
from shopflow.lang.cel.operators import no_overload
from shopflow.lang.cel.values import (
    INT_MAX,
    INT_MIN,
    UINT_MAX,
    Uint,
    duration_nanos,
    duration_of,
    timestamp_nanos,
    timestamp_of,
)

_Sized = TypeVar("_Sized", str, bytes, list[object])


def checked_int(value: int) -> int:
    """The integer; raises OverflowError outside 64 bits."""
    if INT_MIN <= value <= INT_MAX:
        return value
    raise OverflowError("integer overflow")


def checked_uint(value: int) -> Uint:
    """The unsigned integer; raises OverflowError outside 64 bits."""
    if 0 <= value <= UINT_MAX:
        return Uint(value)
    raise OverflowError("unsigned integer overflow")


def bounded(value: _Sized) -> _Sized:
    """The value; raises OverflowError when it grew beyond what a condition may build."""
    if len(value) > MAX_VALUE_SIZE:
        raise OverflowError(f"a value of more than {MAX_VALUE_SIZE:,} characters or elements")
    return value


def checked_duration(nanos: int) -> timedelta:
    """The duration a computation gives; raises OverflowError beyond 64-bit nanoseconds."""
    return duration_of(checked_int(nanos))


def _numbers(
    symbol: str, left: object, right: object, operator: Callable[[float, float], float]
) -> object:
    kind, other = left.__class__, right.__class__
    if kind is int and other is int:
        return checked_int(cast("int", operator(cast("int", left), cast("int", right))))
    if kind in (int, float) and other in (int, float):
        return operator(float(cast("float", left)), float(cast("float", right)))
    if kind is Uint and other is Uint:
        whole = operator(int(cast("int", left)), int(cast("int", right)))
        return checked_uint(cast("int", whole))
    raise no_overload(symbol, left, right)


def add(left: object, right: object) -> object:
    """CEL's + of numbers, strings, bytes, lists, and of time with durations."""
    if isinstance(left, str) and isinstance(right, str):
        return bounded(left + right)
    if isinstance(left, list) and isinstance(right, list):
        return bounded(left + right)
    if isinstance(left, bytes) and isinstance(right, bytes):
        return bounded(left + right)
    if isinstance(right, timedelta):
        if isinstance(left, datetime):
            return timestamp_of(timestamp_nanos(left) + duration_nanos(right))
        if isinstance(left, timedelta):
            return checked_duration(duration_nanos(left) + duration_nanos(right))
    if isinstance(left, timedelta) and isinstance(right, datetime):
        return timestamp_of(timestamp_nanos(right) + duration_nanos(left))
    return _numbers("+", left, right, lambda a, b: a + b)


def subtract(left: object, right: object) -> object:
    """CEL's - of numbers, durations and instants."""
    if isinstance(left, datetime):
        if isinstance(right, datetime):
            return checked_duration(timestamp_nanos(left) - timestamp_nanos(right))
        if isinstance(right, timedelta):
            return timestamp_of(timestamp_nanos(left) - duration_nanos(right))
    if isinstance(left, timedelta) and isinstance(right, timedelta):
        return checked_duration(duration_nanos(left) - duration_nanos(right))
    return _numbers("-", left, right, lambda a, b: a - b)


def multiply(left: object, right: object) -> object:
    """CEL's * of numbers."""
    return _numbers("*", left, right, lambda a, b: a * b)


def divide(left: object, right: object) -> object:
    """CEL's /: integers truncate towards zero, doubles follow IEEE 754."""
    return _numbers("/", left, right, _quotient)


def _quotient(left: float, right: float) -> float:
    if isinstance(left, int) and isinstance(right, int):
        whole = abs(left) // abs(right)
        return whole if (left < 0) is (right < 0) else -whole
    if right == 0:
        if left == 0 or math.isnan(left):
            return math.nan
        return math.copysign(math.inf, left) * math.copysign(1.0, right)
    return left / right


def modulo(left: object, right: object) -> object:
    """CEL's % of integers: the sign is the dividend's."""
    kind = left.__class__
    if kind is not right.__class__ or kind not in (int, Uint):
        raise no_overload("%", left, right)
    dividend, divisor = int(cast("int", left)), int(cast("int", right))
    rest = abs(dividend) % abs(divisor)
    return checked_uint(rest) if kind is Uint else (-rest if dividend < 0 else rest)


def negate(operand: object) -> object:
    """CEL's unary minus of an int or a double."""
    if operand.__class__ is int:
        return checked_int(-operand)
    if operand.__class__ is float:
        return -operand
    raise no_overload("-", operand)
