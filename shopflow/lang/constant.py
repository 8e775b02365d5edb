"""A value that stands in a rule as it is, where an expression is expected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shopflow.domain.expression import Atom


@dataclass(frozen=True, slots=True)
class Constant:
    """An expression that is always the same value; reads nothing."""

    source: str
    value: object

    @property
    def reads(self) -> frozenset[tuple[str, ...]]:
        """Nothing."""
        return frozenset()

    @property
    def atoms(self) -> tuple[Atom, ...]:
        """Nothing that an index could use."""
        return ()

    def evaluate(self, bindings: Mapping[str, object]) -> object:
        """The value, whatever the bindings."""
        del bindings
        return self.value
