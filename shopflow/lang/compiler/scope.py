"""What names an expression may use where it stands, and their types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from shopflow.lang.cel.types import Type


@dataclass(frozen=True, slots=True)
class Scope:
    """The names of a place, each with its type, and what the expression has to give there."""

    #: As messages say it: "a step".
    place: str
    names: Mapping[str, Type] = field(default_factory=dict)
    #: bool, duration, timestamp or list; empty for anything.
    wants: str = ""

    def wanting(self, wants: str) -> Scope:
        """The same names, for an expression that has to give this."""
        return replace(self, wants=wants)

    def having(self, place: str | None = None, /, **names: Type) -> Scope:
        """A scope with more names."""
        return Scope(place or self.place, {**self.names, **names}, self.wants)
