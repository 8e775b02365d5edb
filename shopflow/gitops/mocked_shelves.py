"""What a rule test says of the shop's products, as what recommendations are picked from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shopflow.domain.recommendation import About, Ranking, Strategy
from shopflow.recommend import FixedShelves, History, compute, words_of

Json = Mapping[str, Any]


def mocked_shelves(products: Json, recommendations: Json) -> FixedShelves:
    """The shelves of a test: what follows from its products, and what it says by itself."""
    return FixedShelves(mocked_rankings(products, recommendations), products)


def mocked_rankings(products: Json, recommendations: Json) -> Iterator[Ranking]:
    """The rankings of a test; what it says by itself comes last, and so in place of the other."""
    yield from compute(History(), products)
    for name, told in recommendations.items():
        strategy = Strategy(name)
        by_key = told if isinstance(told, Mapping) else {"": told}
        for key, skus in by_key.items():
            # Of a search, each word leads to the same products.
            keys = words_of(key) if strategy.about is About.WORDS else [key]
            scores = {sku: 1 / place for place, sku in enumerate(skus, 1)}
            for one in keys:
                yield Ranking(strategy=strategy, key=one, scores=scores)
