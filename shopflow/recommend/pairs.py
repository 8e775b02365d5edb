"""What goes with a product: bought together, alike, of a finer line, compatible."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from math import log, sqrt

from shopflow.domain.recommendation import Ranking, Strategy

from .catalogue import (
    Catalogue,
    Product,
    category_of,
    fits,
    is_reduced,
    price_of,
    words_about,
)
from .history import History
from .likeness import Feature, nearest
from .popular import sales

#: Products kept for each: enough that some are left when others are sold out or owned.
DEPTH = 40
#: Weighs down pairs that were seen together a few times only.
DAMPING = 1.0
#: A word that more products than this share, and a tenth of all, tells none of them apart.
COMMON = 200
#: How much it says that people look at both, beside what the two are called.
SHARE_OF_LOOKS = 0.5
#: What a finer product may cost, as times the price.
DEARER, DEAREST = 1.15, 3.0
#: Dearer products of a category that are looked at for each.
CANDIDATES = 200


def bought_together(history: History) -> Iterator[Ranking]:
    """By the orders that had both; an order of many products says less of each pair."""
    features = (
        Feature(sku, number, 1 / sqrt(len(order.skus)))
        for number, order in enumerate(history.orders)
        if len(order.skus) > 1
        for sku in order.skus
    )
    for sku, scores in nearest(features, depth=DEPTH, damping=DAMPING):
        yield Ranking(strategy=Strategy.BOUGHT_TOGETHER, key=sku, scores=scores)


def similar(history: History, catalogue: Catalogue) -> Iterator[Ranking]:
    """By what they are called, their shelf and their brand, and by who looks at both."""
    alike = dict(nearest(_words(catalogue), depth=DEPTH))
    looks = (
        Feature(look.sku, (look.who, look.at.date()), 1.0)
        for look in history.looks
        if look.sku in catalogue
    )
    seen = dict(nearest(looks, depth=DEPTH, damping=DAMPING))
    for sku in sorted(alike.keys() | seen.keys()):
        scores = _both(alike.get(sku, {}), seen.get(sku, {}))
        yield Ranking(strategy=Strategy.SIMILAR, key=sku, scores=scores)


def premium_line(catalogue: Catalogue) -> Iterator[Ranking]:
    """Dearer ones of the category, of the same line and brand first, the nearest price first."""
    shelves: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for sku, product in catalogue.items():
        price = price_of(product)
        if price is not None and category_of(product):
            shelves[category_of(product)].append((price, sku))
    for shelf in shelves.values():
        shelf.sort()
        for place, (price, sku) in enumerate(shelf):
            scores = {
                other: _finer(catalogue[sku], catalogue[other], dearer / price)
                for dearer, other in shelf[place : place + CANDIDATES]
                if DEARER <= dearer / price <= DEAREST and not is_reduced(catalogue[other])
            }
            if scores:
                yield Ranking(strategy=Strategy.PREMIUM_LINE, key=sku, scores=_first(scores))


def compatible(history: History, catalogue: Catalogue) -> Iterator[Ranking]:
    """Those that the catalogue says fit, in either direction, what sells best first."""
    sold = sales(history)
    best = max(sold.values(), default=1.0)
    partners: dict[str, set[str]] = defaultdict(set)
    for sku, product in catalogue.items():
        for other in fits(product):
            if other != sku:
                partners[sku].add(other)
                partners[other].add(sku)
    for sku, others in sorted(partners.items()):
        scores = {other: 1 + sold.get(other, 0.0) / best for other in others}
        yield Ranking(strategy=Strategy.COMPATIBLE, key=sku, scores=_first(scores))


def _words(catalogue: Catalogue) -> Iterator[Feature]:
    """The words of each product, rare ones worth more."""
    found = {sku: dict(words_about(product)) for sku, product in sorted(catalogue.items())}
    spread: dict[str, int] = defaultdict(int)
    for words in found.values():
        for word in words:
            spread[word] += 1
    most = max(COMMON, len(found) // 10)
    for sku, words in found.items():
        for word, weight in words.items():
            if spread[word] <= most:
                yield Feature(sku, word, weight * log(1 + len(found) / spread[word]))


def _both(alike: Mapping[str, float], seen: Mapping[str, float]) -> dict[str, float]:
    scores = {sku: (1 - SHARE_OF_LOOKS) * score for sku, score in alike.items()}
    for sku, score in seen.items():
        scores[sku] = scores.get(sku, 0.0) + SHARE_OF_LOOKS * score
    return _first(scores)


def _finer(product: Product, other: Product, ratio: float) -> float:
    same_line = bool(product.get("line")) and product.get("line") == other.get("line")
    same_brand = bool(product.get("brand")) and product.get("brand") == other.get("brand")
    return 2.0 * same_line + 1.0 * same_brand + 1 / ratio


def _first(scores: Mapping[str, float]) -> dict[str, float]:
    best = sorted(scores.items(), key=lambda each: (-each[1], each[0]))[:DEPTH]
    return {sku: round(score, 6) for sku, score in best}
