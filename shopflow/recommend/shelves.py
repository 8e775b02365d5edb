"""Where rankings and products are looked up."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

from shopflow.domain.recommendation import Ranking, Strategy

from .catalogue import Catalogue, Product


class Shelves(Protocol):
    """What is known of the shop just now."""

    def rankings(
        self, strategy: Strategy, keys: Collection[str]
    ) -> Mapping[str, Mapping[str, float]]:
        """The scores of these keys; one of which nothing is known is left out."""
        ...

    def products(self, skus: Collection[str]) -> Mapping[str, Product]:
        """These products as they are now; one that the shop no longer has is left out."""
        ...


class FixedShelves:
    """Rankings and products that do not change: of a test, or computed a moment ago."""

    def __init__(self, rankings: Iterable[Ranking] = (), products: Catalogue | None = None) -> None:
        self._rankings: dict[Strategy, dict[str, Mapping[str, float]]] = {}
        for ranking in rankings:
            self._rankings.setdefault(ranking.strategy, {})[ranking.key] = ranking.scores
        self._products = products or {}

    def rankings(
        self, strategy: Strategy, keys: Collection[str]
    ) -> Mapping[str, Mapping[str, float]]:
        """See `Shelves`."""
        known = self._rankings.get(strategy, {})
        return {key: known[key] for key in keys if key in known}

    def products(self, skus: Collection[str]) -> Mapping[str, Product]:
        """See `Shelves`."""
        return {sku: self._products[sku] for sku in skus if sku in self._products}
