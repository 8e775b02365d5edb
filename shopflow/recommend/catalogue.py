"""What the catalogue says of products, as recommendations read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from .words import words_of

#: A product as the catalogue has it.
Product = Mapping[str, Any]
Catalogue = Mapping[str, Product]


def name_of(product: Product) -> str:
    """The product's name; empty when it has none."""
    return _text(product, "name") or _text(product, "title")


def category_of(product: Product) -> str:
    """The product's category, as the shop writes it; empty when it has none."""
    return _text(product, "category")


def price_of(product: Product) -> float | None:
    """What one piece costs; None when nobody says."""
    price = product.get("price")
    known = isinstance(price, int | float) and not isinstance(price, bool)
    return float(price) if known and price is not None and price > 0 else None


def is_reduced(product: Product) -> bool:
    """True when it is sold below its usual price: no finer choice, but a cheaper one."""
    usual, now = product.get("previous_price"), price_of(product)
    return isinstance(usual, int | float) and now is not None and usual > now


def group_of(product: Product) -> str:
    """What its variants share, such as sizes of one shoe; empty when it stands alone."""
    return _text(product, "group")


def published_at(product: Product) -> datetime | None:
    """Since when it is in the shop; None when nobody says."""
    try:
        moment = datetime.fromisoformat(_text(product, "published_at"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def fits(product: Product) -> Iterator[str]:
    """The skus that it is compatible with."""
    others = product.get("compatible_with")
    for other in others if isinstance(others, list) else ():
        if isinstance(other, str):
            yield other


def words_about(product: Product) -> Iterator[tuple[str, float]]:
    """The words that describe it, each with its weight: its name says more than its shelf."""
    weights: dict[str, float] = {}
    for text, weight in (
        (name_of(product), 1.0),
        (_text(product, "line"), 0.8),
        (_text(product, "brand"), 0.6),
        (category_of(product), 0.6),
        (" ".join(_tags(product)), 0.5),
    ):
        for word in words_of(text):
            weights[word] = max(weight, weights.get(word, 0.0))
    yield from weights.items()


def _tags(product: Product) -> Iterator[str]:
    tags = product.get("tags")
    yield from (tag for tag in (tags if isinstance(tags, list) else ()) if isinstance(tag, str))


def _text(product: Product, key: str) -> str:
    value = product.get(key)
    return value if isinstance(value, str) else ""
