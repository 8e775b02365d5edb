"""Rankings and products looked up in the store, and remembered for a moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import Generic, TypeVar

from shopflow.domain.recommendation import Strategy
from shopflow.store.protocol import Store

Found = TypeVar("Found")

#: Seconds for which what was looked up is taken for true: stock may be that old at a send.
FRESH_PRODUCTS, FRESH_RANKINGS = 1.0, 60.0
#: Things that are remembered at a time.
REMEMBERED = 20_000


class StoreShelves:
    """`Shelves` over a store; messages of one moment ask for the same again and again."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._kept = store.recommendations
        self._products = _Memory[Mapping[str, object]](FRESH_PRODUCTS, clock)
        self._rankings = {
            strategy: _Memory[Mapping[str, float]](FRESH_RANKINGS, clock) for strategy in Strategy
        }

    def rankings(
        self, strategy: Strategy, keys: Collection[str]
    ) -> Mapping[str, Mapping[str, float]]:
        """See `Shelves`."""
        return self._rankings[strategy].get(
            keys, lambda missing: self._kept.rankings(strategy, missing)
        )

    def products(self, skus: Collection[str]) -> Mapping[str, Mapping[str, object]]:
        """See `Shelves`."""
        return self._products.get(skus, self._kept.products)


class _Memory(Generic[Found]):
    """What was found by key, and that nothing was; forgotten together after a while."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._until = 0.0
        self._known: dict[str, Found | None] = {}

    def get(
        self, keys: Collection[str], look_up: Callable[[Collection[str]], Mapping[str, Found]]
    ) -> dict[str, Found]:
        now = self._clock()
        if now >= self._until or len(self._known) > REMEMBERED:
            self._known, self._until = {}, now + self._seconds
        known = self._known
        missing = [key for key in keys if key not in known]
        if missing:
            found = look_up(missing)
            # At once, so that another thread never takes what is being looked up for nothing.
            known.update({key: found.get(key) for key in missing})
        return {key: value for key in keys if (value := known.get(key)) is not None}
