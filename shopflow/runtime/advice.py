"""Recommendations for whoever asks by name: a customer looked up, products picked for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from shopflow.domain.customer import Customer
from shopflow.domain.ids import CustomerId
from shopflow.domain.recommendation import BOUGHT, CART, VIEWED, About, Shopper, Strategy
from shopflow.domain.ruleset import Ruleset
from shopflow.engine.shopper import shopper_of
from shopflow.errors import WrongRequest
from shopflow.recommend import Recommender
from shopflow.runtime.shelves import StoreShelves
from shopflow.store.protocol import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked for, and for whom."""

    strategy: Strategy
    skus: Collection[str] = ()
    query: str = ""
    category: str | None = None
    #: Nobody in particular when empty.
    customer_id: str = ""
    limit: int = 4

    @property
    def about(self) -> object:
        """What the strategy is told."""
        match self.strategy.about:
            case About.PRODUCTS:
                return list(self.skus) or None
            case About.WORDS:
                return self.query or None
            case About.CUSTOMER | About.SHOP:
                return None


class Advice:
    """Answers from a store that is opened when the first question comes; from any thread."""

    def __init__(
        self,
        ruleset: Ruleset,
        open_store: Callable[[], Store],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ruleset = ruleset
        self._open = open_store
        self._clock = clock
        self._opening = threading.Lock()
        self._opened: tuple[Store, StoreShelves] | None = None

    def missing_traits(self, question: Question) -> list[str]:
        """The traits without which nobody can say what that customer has or has seen."""
        if not question.customer_id:
            return []
        seen = [VIEWED] if question.strategy is Strategy.RECENTLY_VIEWED else []
        return [name for name in (BOUGHT, CART, *seen) if name not in self._ruleset.traits]

    def products(self, question: Question) -> list[Mapping[str, object]]:
        """What is recommended; of an unknown customer nothing is known.

        Raises:
            WrongRequest: The strategy wants to be told something else.
            StoreError: The store does not answer.
        """
        if question.strategy.about is About.CUSTOMER and not question.customer_id:
            raise WrongRequest(f"{question.strategy} wants a customer")
        store, shelves = self._kept()
        answer = Recommender(shelves, lambda: self._shopper(store, question.customer_id))
        return list(
            answer(
                question.strategy,
                question.about,
                limit=question.limit,
                category=question.category,
            )
        )

    def close(self) -> None:
        """Lets go of the store."""
        if self._opened is not None:
            self._opened[0].close()

    def _kept(self) -> tuple[Store, StoreShelves]:
        with self._opening:
            if self._opened is None:
                store = self._open()
                self._opened = store, StoreShelves(store)
            return self._opened

    def _shopper(self, store: Store, customer_id: str) -> Shopper:
        customer = find_customer(store, customer_id) if customer_id else None
        return Shopper() if customer is None else shopper_of(self._ruleset, customer, self._clock())


def find_customer(store: Store, customer_id: str) -> Customer | None:
    """The customer of that id, or whom the visitor of that id turned out to be."""
    customer = store.views.customer(CustomerId(customer_id))
    if customer is not None and customer.alias_of is not None:
        customer = store.views.customer(customer.alias_of)
    return customer
