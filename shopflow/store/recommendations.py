"""What a store keeps for recommendations: the past they come from, and the rankings it led to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from shopflow.domain.recommendation import Ranking, Strategy
from shopflow.store.records import StoredEvent


class Recommendations(Protocol):
    """Rankings as last computed; each call that writes is a transaction of its own."""

    def past(self, types: Collection[str]) -> Iterator[StoredEvent]:
        """The accepted events of these types, oldest first."""

    def keep(self, rankings: Sequence[Ranking], at: datetime) -> None:
        """The rankings are as computed then, unless later ones are there."""

    def forget(self, before: datetime) -> int:
        """Rankings that were last computed earlier than that are gone; how many there were."""

    def rankings(
        self, strategy: Strategy, keys: Collection[str]
    ) -> Mapping[str, Mapping[str, float]]:
        """The scores of these keys, best first; one that has no ranking is left out."""

    def products(self, skus: Collection[str]) -> Mapping[str, Mapping[str, object]]:
        """What the catalogue knows of these skus just now; one it does not know is left out."""

    def counts(self) -> Mapping[Strategy, int]:
        """How many rankings there are of each strategy that has any."""

    def computed_at(self) -> datetime | None:
        """When the newest was computed; None when there is none."""
