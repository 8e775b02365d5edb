"""What names an expression may use where it stands, and their types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from shopflow.lang.cel.types import Type


class Scope(NamedTuple):
    """The names of a place, each with its type, and what the expression has to give there."""

    #: As messages say it: "a step".
    place: str
    names: Mapping[str, Type]
    #: bool, duration, timestamp, list or key (text or a whole number); empty for anything.
    wants: str = ""
    #: A value that is missing is no mistake here: then nothing happens, as it should.
    may_be_missing: bool = False
    #: It may read what is secret: only values that go straight into a message do.
    may_be_secret: bool = False

    def for_message(self) -> Scope:
        """The same names, for a value that goes straight into a message."""
        return self._replace(may_be_secret=True)

    def lenient(self) -> Scope:
        """The same names, for an expression whose value may be missing."""
        return self._replace(may_be_missing=True)

    def wanting(self, wants: str) -> Scope:
        """The same names, for an expression that has to give this."""
        return self._replace(wants=wants)

    def having(self, place: str | None = None, /, **names: Type) -> Scope:
        """A scope with more names."""
        return Scope(
            place or self.place,
            {**self.names, **names},
            self.wants,
            self.may_be_missing,
            self.may_be_secret,
        )
