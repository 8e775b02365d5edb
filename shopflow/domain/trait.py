"""What is known of a customer, declared: attributes, computed traits and segments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from shopflow.domain.expression import Expression
from shopflow.domain.trigger import EventPattern


class TraitType(StrEnum):
    """The type of a trait as conditions see it."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"
    DATE = "date"
    LIST = "list"
    MAP = "map"
    ANY = "any"


class Aggregate(StrEnum):
    """How a trait folds events into a value."""

    # That of an enum is a call of Python's, many a decision.
    __hash__ = str.__hash__

    COUNT = "count"
    SUM = "sum"
    MIN = "min"
    MAX = "max"
    FIRST = "first"
    LAST = "last"
    COLLECT = "collect"
    TOP = "top"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """A plain fact about the customer, set by `customer.updated` and its kin."""

    name: str
    type: TraitType


@dataclass(frozen=True, slots=True, kw_only=True)
class Trait:
    """A value computed event by event; `by` makes it a map, `window` counts the last days only."""

    name: str
    type: TraitType
    pattern: EventPattern
    aggregate: Aggregate
    #: What is folded; None for count.
    value: Expression | None = None
    when: Expression | None = None
    by: Expression | None = None
    window: timedelta | None = None
    #: Most entries of a map or a collected list; the oldest goes first.
    limit: int = 50
    #: A sum of money: only events in the project's currency are added.
    money: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A named condition over the customer; `timed` when it can change without an event."""

    name: str
    when: Expression
    timed: bool = False
