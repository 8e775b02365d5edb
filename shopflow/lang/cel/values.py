"""The values that plain JSON lacks: uint, CEL types, and time with nanoseconds.

A timestamp is any aware datetime and a duration any timedelta; the subclasses here exist only to
carry what is finer than a microsecond.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

INT_MIN, INT_MAX = -(2**63), 2**63 - 1
UINT_MAX = 2**64 - 1
#: A duration spans at most about 10,000 years, as in protobuf.
DURATION_MAX_SECONDS = 315_576_000_000

_NANO = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIMESTAMP_MIN = -62_135_596_800 * _NANO
_TIMESTAMP_MAX = 253_402_300_800 * _NANO - 1


class Uint(int):
    """An unsigned 64-bit integer; equal to an int of the same value, but arithmetic never mixes."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class CelType:
    """A type as a value, what ``type(x)`` gives."""

    name: str


class Timestamp(datetime):
    """An instant with nanoseconds beyond the microsecond; compared in full among its kind."""

    nanos: int

    @classmethod
    def of(cls, plain: datetime, nanos: int) -> Self:
        """The plain UTC datetime moved on by 1 to 999 nanoseconds."""
        made = cls(
            plain.year,
            plain.month,
            plain.day,
            plain.hour,
            plain.minute,
            plain.second,
            plain.microsecond,
            tzinfo=UTC,
        )
        made.nanos = nanos
        return made

    def __eq__(self, other: object) -> bool:
        return isinstance(other, datetime) and timestamp_nanos(self) == timestamp_nanos(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(timestamp_nanos(self))


class Duration(timedelta):
    """A length of time with nanoseconds beyond the microsecond; compared in full."""

    nanos: int

    @classmethod
    def of(cls, plain: timedelta, nanos: int) -> Self:
        """The plain timedelta lengthened by 1 to 999 nanoseconds."""
        made = cls(plain.days, plain.seconds, plain.microseconds)
        made.nanos = nanos
        return made

    def __eq__(self, other: object) -> bool:
        return isinstance(other, timedelta) and duration_nanos(self) == duration_nanos(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(duration_nanos(self))


def duration_nanos(value: timedelta) -> int:
    """The length in nanoseconds."""
    whole = (value.days * 86_400 + value.seconds) * _NANO + value.microseconds * 1_000
    return whole + value.nanos if isinstance(value, Duration) else whole


def timestamp_nanos(value: datetime) -> int:
    """Nanoseconds since 1970 began in UTC; raises TypeError for a datetime without a zone."""
    whole = duration_nanos(datetime.__sub__(value, _EPOCH))
    return whole + value.nanos if isinstance(value, Timestamp) else whole


def duration_of(nanos: int) -> timedelta:
    """The duration of so many nanoseconds; raises OverflowError outside CEL's range."""
    if abs(nanos) > DURATION_MAX_SECONDS * _NANO:
        raise OverflowError("duration out of range")
    micros, rest = divmod(nanos, 1_000)
    plain = timedelta(microseconds=micros)
    return Duration.of(plain, rest) if rest else plain


def timestamp_of(nanos: int) -> datetime:
    """The instant so many nanoseconds after 1970 began; raises OverflowError outside 1 to 9999."""
    if not _TIMESTAMP_MIN <= nanos <= _TIMESTAMP_MAX:
        raise OverflowError("timestamp out of range")
    micros, rest = divmod(nanos, 1_000)
    plain = _EPOCH + timedelta(microseconds=micros)
    return Timestamp.of(plain, rest) if rest else plain


BOOL_TYPE = CelType("bool")
INT_TYPE = CelType("int")
UINT_TYPE = CelType("uint")
DOUBLE_TYPE = CelType("double")
STRING_TYPE = CelType("string")
BYTES_TYPE = CelType("bytes")
LIST_TYPE = CelType("list")
MAP_TYPE = CelType("map")
NULL_TYPE = CelType("null_type")
TYPE_TYPE = CelType("type")
TIMESTAMP_TYPE = CelType("google.protobuf.Timestamp")
DURATION_TYPE = CelType("google.protobuf.Duration")

#: The names that mean a type wherever no variable has that name.
NAMED_TYPES = {
    each.name: each
    for each in (
        BOOL_TYPE,
        INT_TYPE,
        UINT_TYPE,
        DOUBLE_TYPE,
        STRING_TYPE,
        BYTES_TYPE,
        LIST_TYPE,
        MAP_TYPE,
        NULL_TYPE,
        TYPE_TYPE,
        TIMESTAMP_TYPE,
        DURATION_TYPE,
    )
}

_TYPE_OF_CLASS = (
    (bool, BOOL_TYPE),
    (Uint, UINT_TYPE),
    (int, INT_TYPE),
    (float, DOUBLE_TYPE),
    (str, STRING_TYPE),
    (bytes, BYTES_TYPE),
    (list, LIST_TYPE),
    (dict, MAP_TYPE),
    (CelType, TYPE_TYPE),
    (datetime, TIMESTAMP_TYPE),
    (timedelta, DURATION_TYPE),
    (type(None), NULL_TYPE),
)


def type_of(value: object) -> CelType:
    """The CEL type of a value; raises TypeError for what is no CEL value."""
    for python, cel in _TYPE_OF_CLASS:
        if isinstance(value, python):
            return cel
    raise TypeError(f"not a CEL value: {type(value).__name__}")
