"""What one value may be: missing, true, a text of these, a number between those."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from shopflow.lang.cel.types import Type, TypeKind
from shopflow.lang.cel.values import duration_nanos, timestamp_nanos
from shopflow.lang.normal import intervals
from shopflow.lang.normal.intervals import ANY_NUMBER, NO_NUMBER, Intervals


class Texts(NamedTuple):
    """These texts, or every text but these."""

    named: frozenset[str] = frozenset()
    others: bool = False

    def __and__(self, other: Texts) -> Texts:
        # Most sets are none or all.
        if not self or other is _ANY_TEXT:
            return self
        if not other or self is _ANY_TEXT:
            return other
        match self.others, other.others:
            case False, False:
                return Texts(self.named & other.named)
            case True, True:
                return Texts(self.named | other.named, others=True)
            case True, False:
                return Texts(other.named - self.named)
            case _:
                return Texts(self.named - other.named)

    def __invert__(self) -> Texts:
        if self is _ANY_TEXT:
            return _NO_TEXT
        if not self:
            return _ANY_TEXT
        return Texts(self.named, not self.others)

    def __bool__(self) -> bool:
        return self.others or bool(self.named)


_NO_TEXT, _ANY_TEXT = Texts(), Texts(others=True)
_BOTH = frozenset({True, False})


class Values(NamedTuple):
    """A set of values, by their kind; the empty set unless told otherwise."""

    #: There may be no value at all: reading it fails.
    missing: bool = False
    null: bool = False
    truths: frozenset[bool] = frozenset()
    texts: Texts = _NO_TEXT
    numbers: Intervals = NO_NUMBER
    #: Nanoseconds since 1970.
    instants: Intervals = NO_NUMBER
    #: Nanoseconds.
    lengths: Intervals = NO_NUMBER
    #: A list, an object, bytes: what nothing is compared with here.
    other: bool = False

    def __and__(self, also: Values) -> Values:
        return Values(
            self.missing and also.missing,
            self.null and also.null,
            self.truths & also.truths,
            self.texts & also.texts,
            self.numbers & also.numbers,
            self.instants & also.instants,
            self.lengths & also.lengths,
            self.other and also.other,
        )

    def __invert__(self) -> Values:
        return Values(
            not self.missing,
            not self.null,
            _BOTH - self.truths,
            ~self.texts,
            ~self.numbers,
            ~self.instants,
            ~self.lengths,
            not self.other,
        )

    def __or__(self, also: Values) -> Values:
        return ~(~self & ~also)

    def is_empty(self, *, whole: bool = False) -> bool:
        """Whether no value is left; `whole` when its numbers have no fractions."""
        numbers = self.numbers.parts
        return not (
            self.missing
            or self.null
            or self.truths
            or self.texts
            or (any(part.holds_whole for part in numbers) if whole else numbers)
            or self.instants
            or self.lengths
            or self.other
        )


ANYTHING: Final = ~Values()
MISSING: Final = Values(missing=True)
PRESENT: Final = ~MISSING
TRUE: Final = Values(truths=frozenset({True}))
FALSE: Final = Values(truths=frozenset({False}))


def only(constant: object) -> Values | None:
    """The one value, as CEL's == sees it; None for what nothing is compared with here."""
    match constant:
        case None:
            return Values(null=True)
        case bool():
            return TRUE if constant else FALSE
        case int() | float():
            return Values(numbers=intervals.point(constant))
        case str():
            return Values(texts=Texts(frozenset({constant})))
        case datetime():
            return Values(instants=intervals.point(timestamp_nanos(constant)))
        case timedelta():
            return Values(lengths=intervals.point(duration_nanos(constant)))
        case _:
            return None


def less_than(constant: object) -> tuple[Values, Values] | None:
    """The values less than a constant, and those of its kind that are not; None without order."""
    if isinstance(constant, bool):
        return None
    match constant:
        case int() | float():
            low, high = _split(constant)
            return Values(numbers=low), Values(numbers=high)
        case datetime():
            low, high = _split(timestamp_nanos(constant))
            return Values(instants=low), Values(instants=high)
        case timedelta():
            low, high = _split(duration_nanos(constant))
            return Values(lengths=low), Values(lengths=high)
        case _:
            return None


def _split(value: float) -> tuple[Intervals, Intervals]:
    return intervals.below(value, strictly=True), intervals.above(value, strictly=False)


_OF_KIND = {
    TypeKind.BOOL: TRUE | FALSE,
    TypeKind.STRING: Values(texts=_ANY_TEXT),
    TypeKind.TIMESTAMP: Values(instants=ANY_NUMBER),
    TypeKind.DURATION: Values(lengths=ANY_NUMBER),
    TypeKind.NULL: Values(null=True),
    TypeKind.LIST: Values(other=True),
    TypeKind.MAP: Values(other=True),
    TypeKind.RECORD: Values(other=True),
    TypeKind.BYTES: Values(other=True),
    TypeKind.TYPE: Values(other=True),
}
_NUMBERS = frozenset({TypeKind.INT, TypeKind.UINT, TypeKind.DOUBLE})


def of_type(found: Type, *, sure: bool) -> Values:
    """What a value of the type may be; `sure` when it cannot be missing."""
    if found.kind in _NUMBERS:
        numbers = ANY_NUMBER
        if found.least is not None:
            numbers &= intervals.above(found.least, strictly=False)
        if found.most is not None:
            numbers &= intervals.below(found.most, strictly=False)
        values = Values(numbers=numbers)
    else:
        values = _OF_KIND.get(found.kind, PRESENT)
    if found.enum:
        named = Values()
        for each in found.enum:
            named |= only(each) or Values(other=True)
        values &= named
    return values._replace(missing=not sure, null=values.null or found.nullable)
