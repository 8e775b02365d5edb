"""Conditions that somebody listens to while they are asked."""

from __future__ import annotations

from collections.abc import Mapping

from shopflow.domain.expression import Atom, Expression


class Wrapped:
    """A condition around another one; around none it is always true.

    It is in no index, which would leave it out where the answer can only be no.
    """

    def __init__(self, inner: Expression | None) -> None:
        self._inner = inner

    @property
    def source(self) -> str:
        """The text as it was written."""
        return self._inner.source if self._inner is not None else "true"

    @property
    def reads(self) -> frozenset[tuple[str, ...]]:
        """Every path it reads."""
        return self._inner.reads if self._inner is not None else frozenset()

    @property
    def atoms(self) -> tuple[Atom, ...]:
        """None."""
        return ()

    def evaluate(self, bindings: Mapping[str, object]) -> object:
        """The value of the condition itself."""
        return True if self._inner is None else self._inner.evaluate(bindings)
