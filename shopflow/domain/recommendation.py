"""Recommendations: the strategies, what is known for each key, and whom products are picked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

#: The most products that are recommended at once.
MOST = 20


class About(StrEnum):
    """What a strategy wants to be told."""

    #: One or more products, as skus or as items that have one.
    PRODUCTS = "products"
    #: What somebody searched for, as text.
    WORDS = "words"
    #: Nothing but the customer.
    CUSTOMER = "customer"
    #: Nothing; a category may narrow it down.
    SHOP = "shop"


class Strategy(StrEnum):
    """By what products are recommended."""

    BOUGHT_TOGETHER = "bought_together"
    SIMILAR = "similar"
    SEARCH_RELATED = "search_related"
    RECENTLY_VIEWED = "recently_viewed"
    BEST_SELLERS = "best_sellers"
    NEW_ARRIVALS = "new_arrivals"
    PREMIUM_LINE = "premium_line"
    COMPATIBLE = "compatible"

    @property
    def about(self) -> About:
        """What it wants to be told."""
        match self:
            case Strategy.SEARCH_RELATED:
                return About.WORDS
            case Strategy.RECENTLY_VIEWED:
                return About.CUSTOMER
            case Strategy.BEST_SELLERS | Strategy.NEW_ARRIVALS:
                return About.SHOP
            case _:
                return About.PRODUCTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """What a strategy knows of one key: products by score, best first."""

    strategy: Strategy
    #: A sku, a word or a category; empty for the whole shop.
    key: str
    scores: Mapping[str, float]


#: The traits that say what a customer has bought lately, has in the cart and has looked at: lists
#: of skus, the newest last. A project that recommends declares those it needs.
BOUGHT, CART, VIEWED = "bought_skus", "cart_skus", "viewed_skus"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shopper:
    """What has to be known of a customer to recommend something."""

    bought: frozenset[str] = frozenset()
    cart: frozenset[str] = frozenset()
    #: The newest first.
    viewed: tuple[str, ...] = ()
