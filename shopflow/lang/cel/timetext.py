"""Timestamps, durations and time zones from text and back."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from shopflow.lang.cel.values import (
    Timestamp,
    duration_nanos,
    duration_of,
    timestamp_nanos,
    timestamp_of,
)

_TIMESTAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_DURATION = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:h|ms|m|us|µs|μs|ns|s)", re.ASCII)
_UNIT_NANOS = {
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ns": 1,
}
_OFFSET = re.compile(r"([+-]?)(\d\d):(\d\d)", re.ASCII)


def parse_timestamp(text: str) -> datetime:
    """The instant an RFC 3339 text names; raises ValueError when it is none."""
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no timestamp such as 2026-03-01T09:00:00Z")
    day, time, fraction, zone = match.groups()
    plain = datetime.fromisoformat(f"{day}T{time}{zone.upper()}")
    nanos = int((fraction or "0")[:9].ljust(9, "0"))
    return timestamp_of(timestamp_nanos(plain) + nanos)


def format_timestamp(value: datetime) -> str:
    """RFC 3339 in UTC, with as many decimals as needed."""
    utc = value.astimezone(UTC)
    nanos = utc.microsecond * 1_000 + (value.nanos if isinstance(value, Timestamp) else 0)
    fraction = f".{nanos:09d}".rstrip("0") if nanos else ""
    return f"{utc.year:04d}-{utc:%m-%dT%H:%M:%S}{fraction}Z"


def parse_duration(text: str) -> timedelta:
    """The duration a text such as 1h30m names; raises ValueError when it is none."""
    body = text[1:] if text[:1] in ("-", "+") else text
    nanos, position = 0, 0
    while match := _DURATION.match(body, position):
        position = match.end()
        number, unit = re.fullmatch(r"([\d.]+)(\D+)", match.group()).groups()  # type: ignore[union-attr]
        whole, _, decimals = number.partition(".")
        scale = _UNIT_NANOS[unit]
        nanos += int(whole or "0") * scale
        nanos += int((decimals or "0")[:18]) * scale // 10 ** min(len(decimals or "0"), 18)
    if body != "0" and not 0 < position == len(body):
        raise ValueError(f"{text!r} is no duration such as 1h30m (units h, m, s, ms, us, ns)")
    return duration_of(-nanos if text.startswith("-") else nanos)


def format_duration(value: timedelta) -> str:
    """Seconds with as many decimals as needed: 90s, -1.5s."""
    nanos = duration_nanos(value)
    seconds, rest = divmod(abs(nanos), 1_000_000_000)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{'-' if nanos < 0 else ''}{seconds}{fraction}s"


@lru_cache(maxsize=256)
def zone(name: str) -> tzinfo:
    """A zone by name or as an offset such as +02:00; raises LookupError or ValueError."""
    match = _OFFSET.fullmatch(name)
    if match is None:
        return ZoneInfo(name)
    sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(-offset if sign == "-" else offset)


def milliseconds(value: datetime | timedelta) -> int:
    """The milliseconds within the second."""
    if isinstance(value, datetime):
        return value.microsecond // 1_000
    nanos = duration_nanos(value)
    whole = abs(nanos) // 1_000_000 % 1_000
    return -whole if nanos < 0 else whole
