"""Picking products for one customer: by a strategy, from what the shop has in stock just now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from shopflow.domain.product import can_be_bought
from shopflow.domain.recommendation import MOST, About, Shopper, Strategy
from shopflow.errors import TooFewProducts, WrongRequest

from .catalogue import Product, group_of, name_of
from .history import skus_of
from .shelves import Shelves
from .words import words_of


class Recommender:
    """Recommends to one customer; asked the same again, it answers the same.

    Nothing that the customer has bought lately or has in the cart, nothing that is sold out, and
    nothing that the catalogue does not know.
    """

    def __init__(self, shelves: Shelves, shopper: Callable[[], Shopper] = Shopper) -> None:
        self._shelves = shelves
        #: Called only when somebody asks: most messages recommend nothing.
        self._shopper = shopper
        self._answers: dict[object, list[Product]] = {}

    def __call__(
        self,
        strategy: str,
        about: object = None,
        *,
        limit: int = 4,
        category: str | None = None,
        at_least: int = 0,
    ) -> list[Product]:
        """Up to `limit` products with their skus, best first.

        Raises:
            WrongRequest: There is no such strategy, or it wants to be told something else.
            TooFewProducts: Fewer than `at_least` are left, so nothing is to be shown.
        """
        wanted = _strategy(strategy)
        if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MOST:
            raise WrongRequest(f"limit is a whole number from 1 to {MOST}")
        keys = _keys(wanted, about, category)
        asked = (wanted, keys, limit)
        if asked not in self._answers:
            self._answers[asked] = self._pick(wanted, keys, limit)
        found = self._answers[asked]
        if len(found) < at_least:
            raise TooFewProducts(f"{wanted} finds {len(found)} of at least {at_least} products")
        return found

    def _pick(self, strategy: Strategy, keys: tuple[str, ...], limit: int) -> list[Product]:
        shopper = self._shopper()
        if strategy is Strategy.RECENTLY_VIEWED:
            ranked: Iterable[str] = shopper.viewed
        else:
            ranked = self._ranked(strategy, keys)
        hidden = shopper.bought | shopper.cart
        groups: set[str] = set()
        if strategy.about is About.PRODUCTS:
            hidden |= set(keys)
            # Another size of what was asked about is no recommendation.
            groups = {group_of(product) for product in self._shelves.products(keys).values()}
        return self._shown([sku for sku in ranked if sku not in hidden], groups, limit)

    def _ranked(self, strategy: Strategy, keys: tuple[str, ...]) -> list[str]:
        totals: dict[str, float] = defaultdict(float)
        for scores in self._shelves.rankings(strategy, keys).values():
            for sku, score in scores.items():
                totals[sku] += score
        return sorted(totals, key=lambda sku: (-totals[sku], sku))

    def _shown(self, skus: Sequence[str], groups: set[str], limit: int) -> list[Product]:
        """The first of these that can be bought, one of each group."""
        found: list[Product] = []
        # In portions: mostly the first are there, and every product asked for costs.
        for start in range(0, len(skus), 2 * limit):
            portion = skus[start : start + 2 * limit]
            known = self._shelves.products(portion)
            for sku in portion:
                product = known.get(sku)
                if product is None or not can_be_bought(product):
                    continue
                if (group := group_of(product)) and group in groups:
                    continue
                groups.add(group)
                found.append({**product, "sku": sku, "name": name_of(product) or sku})
            if len(found) >= limit:
                break
        return found[:limit]


def _strategy(name: object) -> Strategy:
    try:
        return Strategy(str(name))
    except ValueError:
        known = ", ".join(Strategy)
        raise WrongRequest(f"no strategy of that name; there are {known}") from None


def _keys(strategy: Strategy, about: object, category: object) -> tuple[str, ...]:
    """The keys of the rankings that the answer comes from."""
    if category is not None and strategy.about is not About.SHOP:
        raise WrongRequest(f"{strategy} takes no category")
    match strategy.about:
        case About.PRODUCTS:
            if about is None:
                raise WrongRequest(f"{strategy} wants products: skus, or items that have one")
            return skus_of(about)
        case About.WORDS:
            if not isinstance(about, str):
                raise WrongRequest(f"{strategy} wants the text of a search")
            return tuple(words_of(about))
        case About.CUSTOMER | About.SHOP:
            if about is not None:
                raise WrongRequest(f"{strategy} is about nothing but who it is for")
            return (str(category or ""),)
