"""Values as long as a shop may well have them, for looking at what a message does with them."""

from __future__ import annotations

from collections.abc import Mapping

#: The longest values of fields that many events share.
LONGEST: Mapping[str, str] = {
    "first_name": "Marie-Charlotte Élisabeth",
    "name": "Fauteuil à bascule en chêne massif et lin lavé, coussins déhoussables compris",
    "code": "ANNIVERSAIRE15-K7Q2ZX9B",
    "order_id": "2026-03-0001-234567-FR",
    "carrier": "Transports Dupont-Lefèvre Express",
}
#: How many of what there was one of, in a list of products and the like.
TIMES = 30
_PICTURE = "https://boutique.example/images/produit.jpg"
_PRODUCT: Mapping[str, object] = {"image_url": _PICTURE, "quantity": 12, "price": 12490.9}


def stretched(value: object, name: str = "") -> object:
    """The value with the longest texts in it, and thirty of each thing in a list."""
    match value:
        case dict():
            longer = {key: stretched(inner, key) for key, inner in value.items()}
            return {**longer, **_PRODUCT} if "sku" in longer else longer
        case list() if value and isinstance(value[0], dict):
            return [stretched(inner, name) for inner in value] * TIMES
        case str() if value and name in LONGEST:
            return LONGEST[name]
        case _:
            return value
