"""The shop's products as decisions find them among their facts: in step with the stream.

Each process keeps what decisions ask for, and nothing else: whether a product can be bought, its
price, what stands in for it. Events about products change it as they pass; what others brought in
is looked up every few seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from shopflow.domain.event import Event
from shopflow.domain.product import Product, after, is_about_product
from shopflow.store.catalogue import CatalogueView
from shopflow.store.protocol import Batch

#: What decisions read of a product.
_READ = ("in_stock", "stock", "price", "currency", "substitutes", "compatible_with")
#: Seconds between two looks at what others have written.
LOOK = 5.0
#: How far back each look goes: a transaction may commit a while after it wrote.
OVERLAP = timedelta(minutes=2)


class ProductFacts:
    """What this process knows of products."""

    def __init__(self, view: CatalogueView, clock: Callable[[], float] = time.monotonic) -> None:
        self._view = view
        self._clock = clock
        self._look_at = 0.0
        self._mark: datetime | None = None
        #: By sku; the same mapping for good, so that facts may hold it.
        self.known: dict[str, Product] = {}

    def refresh(self) -> None:
        """What others have written is known, but for the last few seconds."""
        now = self._clock()
        if now < self._look_at:
            return
        self._look_at = now + LOOK
        since = None if self._mark is None else self._mark - OVERLAP
        found, newest = self._view.products_since(since)
        self._mark = newest or self._mark
        self.known.update({sku: _read(product) for sku, product in found.items()})

    def learn(self, event: Event) -> None:
        """What an event says of a product counts for every decision after it."""
        sku = event.data.get("sku")
        if isinstance(sku, str):
            product = after(event.type, event.data, self.known.get(sku))
            if product is not None:
                self.known[sku] = _read(product)


def keep(batch: Batch, events: Sequence[Event]) -> None:
    """What the events say of products is in the catalogue."""
    told = [one for one in events if is_about_product(one.type)]
    skus = {str(one.data["sku"]) for one in told if isinstance(one.data.get("sku"), str)}
    if not skus:
        return
    known: dict[str, Mapping[str, object]] = dict(batch.load_products(skus))
    for event in told:
        sku = str(event.data.get("sku"))
        product = after(event.type, event.data, known.get(sku))
        if product is not None:
            known[sku] = product
            batch.save_products({sku: product}, event.occurred_at)


def _read(product: Product) -> Product:
    return {name: product[name] for name in _READ if name in product}
