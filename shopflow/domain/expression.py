"""What the engine knows of a compiled condition: its source, what it reads, and how to run it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

#: How an atom compares: ``has`` asks for presence, ``contains`` for a constant in a list.
AtomOp = Literal["==", "in", "<", "<=", ">", ">=", "has", "contains"]


@dataclass(frozen=True, slots=True)
class Atom:
    """A necessary condition: whenever the whole expression is true, this holds as well.

    ``value`` is a constant; for ``in`` a tuple of constants, for ``has`` None.
    Equality means CEL's: numbers compare across int and float, a bool equals no number.
    """

    path: tuple[str, ...]
    op: AtomOp
    value: object = None


class Expression(Protocol):
    """A condition compiled once and evaluated many times; safe to share between threads."""

    @property
    def source(self) -> str:
        """The text as it was written."""

    @property
    def reads(self) -> frozenset[tuple[str, ...]]:
        """Every path it reads, as far as the names are static: ("event", "total")."""

    @property
    def atoms(self) -> tuple[Atom, ...]:
        """What must hold for it to be true, for the rule index; may be empty, never too strict."""

    def evaluate(self, bindings: Mapping[str, object]) -> object:
        """The value over plain JSON bindings; raises EvaluationError where CEL has an error."""
