"""Sets of numbers, instants (as nanoseconds) or lengths of time: intervals in order."""

from __future__ import annotations

from math import ceil, floor, inf
from typing import NamedTuple

#: A bound and whether the bound itself is left out.
Bound = tuple[float, bool]
_LOWEST: Bound = (-inf, True)
_HIGHEST: Bound = (inf, True)


class Interval(NamedTuple):
    """What lies between two bounds; at least one value does."""

    low: Bound = _LOWEST
    high: Bound = _HIGHEST

    @property
    def holds_whole(self) -> bool:
        """Whether a whole number is in it."""
        (low, above), (high, below) = self.low, self.high
        if low == -inf or high == inf:
            return True
        first = floor(low) + 1 if above else ceil(low)
        last = ceil(high) - 1 if below else floor(high)
        return first <= last


class Intervals(NamedTuple):
    """Intervals that do not meet, from the lowest to the highest."""

    parts: tuple[Interval, ...] = ()

    def __and__(self, other: Intervals) -> Intervals:
        # Most sets are none or all.
        if not self.parts or other is ANY_NUMBER:
            return self
        if not other.parts or self is ANY_NUMBER:
            return other
        found = (_common(one, another) for one in self.parts for another in other.parts)
        return Intervals(tuple(part for part in found if part is not None))

    def __invert__(self) -> Intervals:
        if not self.parts:
            return ANY_NUMBER
        if self is ANY_NUMBER:
            return NO_NUMBER
        gaps, low = [], _LOWEST
        for part in self.parts:
            gaps.append(_between(low, (part.low[0], not part.low[1])))
            low = (part.high[0], not part.high[1])
        gaps.append(_between(low, _HIGHEST))
        return Intervals(tuple(gap for gap in gaps if gap is not None))

    def __bool__(self) -> bool:
        return bool(self.parts)


NO_NUMBER = Intervals()
ANY_NUMBER = Intervals((Interval(),))


def point(value: float) -> Intervals:
    """The one value."""
    return Intervals((Interval((value, False), (value, False)),))


def below(value: float, *, strictly: bool) -> Intervals:
    """Everything less than a value, or not more than it."""
    return Intervals((Interval(high=(value, strictly)),))


def above(value: float, *, strictly: bool) -> Intervals:
    """Everything more than a value, or not less than it."""
    return Intervals((Interval(low=(value, strictly)),))


def _common(one: Interval, other: Interval) -> Interval | None:
    # Of equal bounds the one that leaves its value out is the narrower.
    high = min(one.high, other.high, key=lambda bound: (bound[0], not bound[1]))
    return _between(max(one.low, other.low), high)


def _between(low: Bound, high: Bound) -> Interval | None:
    if low[0] < high[0] or (low[0] == high[0] and not (low[1] or high[1])):
        return Interval(low, high)
    return None
