"""What sells, and what is new: rankings of the whole shop and of each category."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from shopflow.domain.recommendation import Ranking, Strategy

from .catalogue import Catalogue, category_of, published_at
from .history import History

#: What sold so long ago counts half.
HALF_LIFE = timedelta(days=30)
#: Products of one ranking: enough that some are left when others are sold out or owned.
DEPTH = 100


def best_sellers(history: History, catalogue: Catalogue) -> Iterator[Ranking]:
    """By the number of orders that had them, the recent ones more."""
    yield from _rankings(Strategy.BEST_SELLERS, sales(history), catalogue)


def sales(history: History) -> dict[str, float]:
    """How much of late each product sells: orders, halved every month."""
    end = max((order.at for order in history.orders), default=None)
    scores: dict[str, float] = defaultdict(float)
    for order in history.orders:
        weight = recency(order.at, end)
        for sku in order.skus:
            scores[sku] += weight
    return scores


def new_arrivals(catalogue: Catalogue) -> Iterator[Ranking]:
    """By the time since which they are in the shop, the newest first."""
    times = {sku: at for sku, each in catalogue.items() if (at := published_at(each)) is not None}
    end = max(times.values(), default=None)
    yield from _rankings(
        Strategy.NEW_ARRIVALS, {sku: recency(at, end) for sku, at in times.items()}, catalogue
    )


def recency(at: datetime, end: datetime | None) -> float:
    """From 1 at the end towards 0 long before it."""
    return 1.0 if end is None else float(0.5 ** max(0.0, (end - at) / HALF_LIFE))


def _rankings(
    strategy: Strategy, scores: Mapping[str, float], catalogue: Catalogue
) -> Iterator[Ranking]:
    by_category: dict[str, dict[str, float]] = defaultdict(dict)
    for sku, score in sorted(scores.items(), key=lambda each: (-each[1], each[0])):
        category = category_of(catalogue.get(sku, {}))
        for key in {"", category}:
            if len(by_category[key]) < DEPTH:
                by_category[key][sku] = round(score, 6)
    for key, best in sorted(by_category.items()):
        yield Ranking(strategy=strategy, key=key, scores=best)
