"""The recommendations of the memory store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from shopflow.domain.recommendation import Ranking, Strategy
from shopflow.store.memory_state import State
from shopflow.store.records import StoredEvent


class MemoryRecommendations:
    """`Recommendations` over dicts."""

    def __init__(self, state: State) -> None:
        self._state = state

    def past(self, types: Collection[str]) -> Iterator[StoredEvent]:
        """See `Recommendations`."""
        with self._state.lock:
            found = [
                event
                for event in self._state.event_keys.values()
                if event is not None and event.type in types
            ]
        yield from sorted(found, key=lambda event: (event.occurred_at, event.id))

    def keep(self, rankings: Sequence[Ranking], at: datetime) -> None:
        """See `Recommendations`."""
        state = self._state
        with state.changing():
            for ranking in rankings:
                key = (ranking.strategy, ranking.key)
                if key not in state.rankings or state.rankings[key][0] <= at:
                    state.put(state.rankings, key, (at, dict(ranking.scores)))

    def forget(self, before: datetime) -> int:
        """See `Recommendations`."""
        state = self._state
        with state.changing():
            old = [key for key, (at, _) in state.rankings.items() if at < before]
            for key in old:
                state.drop(state.rankings, key)
        return len(old)

    def rankings(
        self, strategy: Strategy, keys: Collection[str]
    ) -> Mapping[str, Mapping[str, float]]:
        """See `Recommendations`."""
        with self._state.lock:
            known = self._state.rankings
            return {key: known[strategy, key][1] for key in keys if (strategy, key) in known}

    def products(self, skus: Collection[str]) -> Mapping[str, Mapping[str, object]]:
        """See `Recommendations`."""
        with self._state.lock:
            known = self._state.products
            return {sku: known[sku][1] for sku in skus if sku in known}

    def counts(self) -> Mapping[Strategy, int]:
        """See `Recommendations`."""
        with self._state.lock:
            return Counter(strategy for strategy, _ in self._state.rankings)

    def computed_at(self) -> datetime | None:
        """See `Recommendations`."""
        with self._state.lock:
            return max((at for at, _ in self._state.rankings.values()), default=None)
