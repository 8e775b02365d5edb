"""What may be asked of a store about the shop's products; it is part of batches and views."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Protocol

#: Products by sku.
Products = Mapping[str, Mapping[str, object]]


class CatalogueDesk(Protocol):
    """What a batch does with products."""

    def load_products(self, skus: Collection[str]) -> Products:
        """What is known of these; nobody else writes them before this batch ends."""

    def save_products(self, products: Products, at: datetime) -> None:
        """The catalogue knows these skus as given, unless it has newer word of them."""


class CatalogueView(Protocol):
    """What is known of products, outside of any batch."""

    def products(self) -> dict[str, Mapping[str, object]]:
        """What the catalogue knows, by sku."""

    def products_since(self, since: datetime | None) -> tuple[Products, datetime | None]:
        """What was written since then, and when the newest of it was; all of it for None."""
