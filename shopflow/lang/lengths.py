"""Lengths of time and times of day as rules write them: `45m`, `1d12h`, `-7d`, `09:00`."""

from __future__ import annotations

import re
from datetime import time, timedelta

_LENGTH = re.compile(
    r"([-+]?)(?=[0-9])(?:([0-9]+)w)?(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?"
)
_UNITS = ("weeks", "days", "hours", "minutes", "seconds")
DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def parse_length(text: str) -> timedelta | None:
    """The length of time; None when the text is none."""
    match = _LENGTH.fullmatch(text)
    if match is None:
        return None
    sign, *amounts = match.groups()
    try:
        length = timedelta(
            **{unit: int(amount) for unit, amount in zip(_UNITS, amounts, strict=True) if amount}
        )
    except OverflowError:
        return None
    return -length if sign == "-" else length


def written(length: timedelta) -> str:
    """The length as rules write it: 1d12h."""
    rest = int(length.total_seconds())
    text = "-" if rest < 0 else ""
    rest = abs(rest)
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        amount, rest = divmod(rest, size)
        if amount:
            text += f"{amount}{unit}"
    return text or "0s"


def parse_share(text: str) -> float:
    """The share, from 0 to 1, of a text such as `5%`."""
    return float(text.rstrip("%")) / 100


def parse_time_of_day(text: str) -> time:
    """The time of day of a text such as 09:00; raises ValueError."""
    return time.fromisoformat(text)


def weekdays(names: list[str]) -> frozenset[int]:
    """Days of the week by number, Monday is 0."""
    return frozenset(DAY_NAMES.index(name) for name in names)
