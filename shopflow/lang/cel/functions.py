"""The functions a condition may call: CEL's own, time, and the shop's few."""

from __future__ import annotations

import math
import re as _re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Protocol, cast

import re2

from shopflow.lang.cel import strings
from shopflow.lang.cel.arithmetic import checked_int, checked_uint
from shopflow.lang.cel.operators import no_overload
from shopflow.lang.cel.timetext import (
    format_duration,
    format_timestamp,
    milliseconds,
    parse_duration,
    parse_timestamp,
    zone,
)
from shopflow.lang.cel.values import Uint, duration_nanos, timestamp_nanos, timestamp_of, type_of

_NANO = 1_000_000_000
_INT_TEXT = _re.compile(r"[+-]?\d+", _re.ASCII)
_DOUBLE_TEXT = _re.compile(
    r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|inf(?:inity)?|nan)", _re.ASCII | _re.IGNORECASE
)


class Pattern(Protocol):
    """A compiled RE2 pattern."""

    def search(self, text: str) -> object:
        """A match anywhere in the text, or None."""


@lru_cache(maxsize=1_024)
def pattern(source: str) -> Pattern:
    """The compiled RE2 pattern; raises ValueError when it is none."""
    options = re2.Options()
    options.log_errors = False
    try:
        return cast("Pattern", re2.compile(source, options=options))
    except re2.error as error:
        reason = error.args[0] if error.args else "unknown reason"
        text = reason.decode() if isinstance(reason, bytes) else str(reason)
        raise ValueError(f"{source!r} is no regular expression: {text}") from error


def size(value: object) -> int:
    """Characters of a string, bytes, elements of a list, or keys of a map."""
    if isinstance(value, (str, bytes, list, dict)):
        return len(value)
    raise no_overload("size", value)


def matches(text: object, source: object) -> bool:
    """Whether the RE2 pattern matches anywhere in the text."""
    if isinstance(text, str) and isinstance(source, str):
        return pattern(source).search(text) is not None
    raise no_overload("matches", text, source)


def to_int(value: object) -> int:
    """CEL's int()."""
    match value:
        case bool():
            return int(value)
        case int():
            return checked_int(int(value))
        case float():
            whole = math.trunc(value)
            # The bounds themselves are refused: a double there may stand for a number beyond.
            if abs(whole) >= 2**63:
                raise OverflowError("integer overflow")
            return whole
        case str() if _INT_TEXT.fullmatch(value.strip()):
            return checked_int(int(value))
        case str():
            raise ValueError(f"{value!r} is no integer")
        case datetime():
            return timestamp_nanos(value) // _NANO
    raise no_overload("int", value)


def to_uint(value: object) -> Uint:
    """CEL's uint()."""
    match value:
        case bool():
            raise no_overload("uint", value)
        case int():
            return checked_uint(int(value))
        case float():
            # Rounded away from zero below it, so that -0.5 is refused like every negative.
            return checked_uint(math.floor(value))
        case str() if _INT_TEXT.fullmatch(value.strip()):
            return checked_uint(int(value))
        case str():
            raise ValueError(f"{value!r} is no unsigned integer")
    raise no_overload("uint", value)


def to_double(value: object) -> float:
    """CEL's double()."""
    match value:
        case bool():
            raise no_overload("double", value)
        case int() | float():
            return float(value)
        case str() if _DOUBLE_TEXT.fullmatch(value.strip()):
            return float(value)
        case str():
            raise ValueError(f"{value!r} is no number")
    raise no_overload("double", value)


def to_string(value: object) -> str:
    """CEL's string()."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(int(value))
        case float():
            return strings.format_double(value)
        case bytes():
            return value.decode()
        case datetime():
            return format_timestamp(value)
        case timedelta():
            return format_duration(value)
    raise no_overload("string", value)


def to_bytes(value: object) -> bytes:
    """CEL's bytes()."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        return value
    raise no_overload("bytes", value)


_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})


def to_bool(value: object) -> bool:
    """CEL's bool()."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        if value in _TRUE or value in _FALSE:
            return value in _TRUE
        raise ValueError(f"{value!r} is neither true nor false")
    raise no_overload("bool", value)


def to_timestamp(value: object) -> datetime:
    """CEL's timestamp(), from RFC 3339 text or seconds since 1970."""
    match value:
        case datetime():
            return value
        case str():
            return parse_timestamp(value)
        case int() if not isinstance(value, (bool, Uint)):
            return timestamp_of(value * _NANO)
    raise no_overload("timestamp", value)


def to_duration(value: object) -> timedelta:
    """CEL's duration(), from text such as 1h30m."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        return parse_duration(value)
    raise no_overload("duration", value)


def identity(value: object) -> object:
    """CEL's dyn(): the value itself, its static type forgotten."""
    return value


def _part(name: str, of_time: Callable[[datetime], int]) -> Callable[..., int]:
    def part(value: object, zone_name: object = "UTC") -> int:
        if isinstance(value, datetime) and value.tzinfo is not None and isinstance(zone_name, str):
            return of_time(value.astimezone(UTC if zone_name == "UTC" else zone(zone_name)))
        raise no_overload(name, value, zone_name)

    return part


def _part_or_total(
    name: str, of_time: Callable[[datetime], int], of_length: Callable[[timedelta], int]
) -> Callable[..., int]:
    part = _part(name, of_time)

    def either(value: object, *zone_name: object) -> int:
        if isinstance(value, timedelta) and not zone_name:
            return of_length(value)
        return part(value, *zone_name)

    return either


def _total(seconds: int) -> Callable[[timedelta], int]:
    unit = seconds * _NANO

    def total(value: timedelta) -> int:
        nanos = duration_nanos(value)
        return nanos // unit if nanos >= 0 else -(-nanos // unit)

    return total


def _span(unit: str) -> Callable[[object], timedelta]:
    def span(amount: object) -> timedelta:
        if isinstance(amount, (int, float)) and not isinstance(amount, bool):
            return timedelta(**{unit: float(amount) if isinstance(amount, float) else int(amount)})
        raise no_overload(unit, amount)

    return span


days = _span("days")
hours = _span("hours")


def in_stock(items: object, products: object) -> bool:
    """Whether every item (a sku, or a map with one) is in stock; what is not known is."""
    known = products if isinstance(products, Mapping) else {}
    for sku in _skus("in_stock", items):
        product = known.get(sku)
        if product is not None and product.get("in_stock", True) is False:
            return False
    return True


def compatible(items: object, others: object, products: object) -> bool:
    """Whether the catalogue says of one of the items that it fits one of the others, or they it."""
    known = products if isinstance(products, Mapping) else {}
    ours, theirs = set(_skus("compatible", items)), set(_skus("compatible", others))
    return any(
        not there.isdisjoint(known[sku].get("compatible_with") or ())
        for here, there in ((ours, theirs), (theirs, ours))
        for sku in here
        if sku in known
    )


#: Functions that look at the catalogue, which is their last argument.
OF_CATALOGUE: Mapping[str, Callable[..., bool]] = {"in_stock": in_stock, "compatible": compatible}


def _skus(function: str, items: object) -> list[str]:
    """The skus of an item (a sku, or a map with one) or of a list of them."""
    skus = []
    for item in items if isinstance(items, list) else [items]:
        sku = item["sku"] if isinstance(item, dict) else item
        if not isinstance(sku, str):
            raise no_overload(function, sku)
        skus.append(sku)
    return skus


_DIRECT: dict[str, Callable[..., object]] = {
    "size": size,
    "matches": matches,
    "int": to_int,
    "uint": to_uint,
    "double": to_double,
    "string": to_string,
    "bytes": to_bytes,
    "bool": to_bool,
    "timestamp": to_timestamp,
    "duration": to_duration,
    "type": type_of,
    "dyn": identity,
    "days": days,
    "hours": hours,
}
_ON_TARGET: dict[str, Callable[..., object]] = {
    "size": size,
    "matches": matches,
    "getFullYear": _part("getFullYear", lambda t: t.year),
    "getMonth": _part("getMonth", lambda t: t.month - 1),
    "getDate": _part("getDate", lambda t: t.day),
    "getDayOfMonth": _part("getDayOfMonth", lambda t: t.day - 1),
    "getDayOfWeek": _part("getDayOfWeek", lambda t: t.isoweekday() % 7),
    "getDayOfYear": _part("getDayOfYear", lambda t: t.timetuple().tm_yday - 1),
    "getHours": _part_or_total("getHours", lambda t: t.hour, _total(3_600)),
    "getMinutes": _part_or_total("getMinutes", lambda t: t.minute, _total(60)),
    "getSeconds": _part_or_total("getSeconds", lambda t: t.second, _total(1)),
    "getMilliseconds": _part_or_total("getMilliseconds", milliseconds, milliseconds),
    **strings.FUNCTIONS,
}


def find(name: str, *, on_target: bool) -> Callable[..., object] | None:
    """The function of that name, called alone or on a target; None when there is none."""
    return (_ON_TARGET if on_target else _DIRECT).get(name)
