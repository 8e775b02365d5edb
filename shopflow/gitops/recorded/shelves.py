"""The shop's recommendations for a made-up customer: looked up as they are, noted for a test."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from shopflow.domain.product import Product
from shopflow.domain.recommendation import About, Strategy
from shopflow.gitops.recorded.stand_ins import StandIns
from shopflow.recommend import words_of
from shopflow.store.recommendations import Recommendations

#: What decisions and recommendations read of a product and is a number, a truth or a currency.
_FACTS = ("in_stock", "stock", "price", "previous_price", "currency")
_TEXTS = ("name", "category", "group")
_SKUS = ("substitutes", "compatible_with")


def stand_in_for(product: Product, stand_ins: StandIns) -> dict[str, Any]:
    """What a test has to know of the product, with stand-ins for its texts."""
    made: dict[str, Any] = {key: product[key] for key in _FACTS if key in product}
    for key in _TEXTS:
        if isinstance(text := product.get(key), str):
            made[key] = stand_ins.text(key, text, personal=False)
    for key in _SKUS:
        if isinstance(skus := product.get(key), list):
            made[key] = [stand_ins.text("sku", str(sku), personal=False) for sku in skus]
    return made


class NotedShelves:
    """`Shelves` over what a store keeps, asked and answering in stand-ins."""

    def __init__(
        self, kept: Recommendations, stand_ins: StandIns, products: Mapping[str, Any]
    ) -> None:
        self._kept = kept
        self._stand_ins = stand_ins
        self._noted: dict[str, Any] = dict(products)
        self._asked: dict[Strategy, dict[str, list[str]]] = {}

    def rankings(
        self, strategy: Strategy, keys: Collection[str]
    ) -> Mapping[str, Mapping[str, float]]:
        """See `Shelves`."""
        if strategy.about is About.WORDS:
            return self._about_words(strategy, keys)
        originals = {key: self._stand_ins.original(key) for key in keys}
        found = self._kept.rankings(strategy, list(originals.values()))
        told = {key: self._named(found.get(original, {})) for key, original in originals.items()}
        self._note(strategy, told)
        return told

    def products(self, skus: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        """See `Shelves`."""
        missing = {self._stand_ins.original(sku): sku for sku in skus if sku not in self._noted}
        for original, product in self._kept.products(list(missing)).items():
            self._noted[missing[original]] = stand_in_for(product, self._stand_ins)
        return {sku: self._noted[sku] for sku in skus if sku in self._noted}

    @property
    def mocks(self) -> dict[str, Any]:
        """The products, and what was recommended of them, as tests say it."""
        told = {"products": self._noted, "recommendations": self._recommendations()}
        return {name: part for name, part in told.items() if part}

    def _recommendations(self) -> dict[str, Any]:
        told: dict[str, Any] = {}
        for strategy, by_key in self._asked.items():
            lists = {
                key: [sku for sku in skus if sku in self._noted] for key, skus in by_key.items()
            }
            told[str(strategy)] = lists[""] if set(lists) == {""} else lists
        return told

    def _about_words(
        self, strategy: Strategy, words: Collection[str]
    ) -> Mapping[str, Mapping[str, float]]:
        """The words are those of a text's stand-in; what they lead to is what the text's own do."""
        text = self._stand_ins.made_of(lambda made: words_of(made) == list(words))
        own = words_of(self._stand_ins.original(text)) if text is not None else list(words)
        totals: dict[str, float] = {}
        for scores in self._kept.rankings(strategy, own).values():
            for sku, score in scores.items():
                totals[sku] = totals.get(sku, 0.0) + score
        named = self._named(totals)
        self._note(strategy, {text or " ".join(words): named})
        return dict.fromkeys(words, named)

    def _named(self, scores: Mapping[str, float]) -> dict[str, float]:
        """The scores by stand-ins, best first."""
        ranked = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
        return {self._stand_ins.text("sku", sku, personal=False): score for sku, score in ranked}

    def _note(self, strategy: Strategy, told: Mapping[str, Mapping[str, float]]) -> None:
        by_key = self._asked.setdefault(strategy, {})
        by_key.update({key: list(scores) for key, scores in told.items()})
