"""How large a condition may be, and how much work one evaluation may do."""

from __future__ import annotations

from dataclasses import dataclass

#: The most characters or elements a value built by a condition may have.
MAX_VALUE_SIZE = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of one condition; crossing one is an error that says which."""

    #: Characters of source.
    length: int = 8_192
    #: Levels of the expression; a chain of && or || is one level however long.
    depth: int = 48
    #: Macros (all, exists, map, ...) inside macros.
    comprehensions: int = 3
    #: Elements that macros inside macros may visit in one evaluation.
    iterations: int = 1_000_000


DEFAULT_LIMITS = Limits()
