"""What goes with a word: products that it describes, and products found after it was searched."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from math import log

from shopflow.domain.recommendation import Ranking, Strategy

from .catalogue import Catalogue, words_about
from .history import History
from .words import words_of

#: Products kept for each word: many, since two words are met by what both have.
DEPTH = 200
#: What is looked at or bought so soon after a search was found by it.
FOUND_WITHIN = timedelta(minutes=30)
#: A product found this often after a word is worth as much as one that is called so.
FOUND_OFTEN = 3


def search_related(history: History, catalogue: Catalogue) -> Iterator[Ranking]:
    """By the words of each product, and by where earlier searches for the word led."""
    scores: dict[str, dict[str, float]] = defaultdict(dict)
    for sku, product in catalogue.items():
        for word, weight in words_about(product):
            scores[word][sku] = weight
    for word, found in _found(history).items():
        for sku, times in found.items():
            if sku in catalogue:
                learned = min(1.0, times / FOUND_OFTEN)
                scores[word][sku] = scores[word].get(sku, 0.0) + learned
    for word, skus in sorted(scores.items()):
        rarity = log(1 + len(catalogue) / len(skus))
        best = sorted(skus.items(), key=lambda each: (-each[1], each[0]))[:DEPTH]
        yield Ranking(
            strategy=Strategy.SEARCH_RELATED,
            key=word,
            scores={sku: round(score * rarity, 6) for sku, score in best},
        )


def _found(history: History) -> dict[str, dict[str, int]]:
    """Word -> sku -> how often it was looked at or bought soon after."""
    touched: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
    for look in history.looks:
        touched[look.who].append((look.at, look.sku))
    for order in history.orders:
        touched[order.who] += [(order.at, sku) for sku in order.skus]
    for each in touched.values():
        each.sort()
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for search in history.searches:
        theirs = touched.get(search.who, [])
        begin = bisect_left(theirs, search.at, key=lambda each: each[0])
        end = bisect_right(theirs, search.at + FOUND_WITHIN, key=lambda each: each[0])
        for word in words_of(search.query):
            for sku in {sku for _, sku in theirs[begin:end]}:
                found[word][sku] += 1
    return found
