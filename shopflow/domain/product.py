"""What the catalogue knows of a product, and what may be shown of it in a message that sells."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from enum import StrEnum

Product = Mapping[str, object]
#: What the catalogue knows of a sku; None: nothing.
Look = Callable[[str], Product | None]

#: Events about a product, and what each says of its stock.
_STOCK: Mapping[str, bool | None] = {
    "product.published": None,
    "product.updated": None,
    "product.price_dropped": None,
    "product.restocked": True,
    "product.sold_out": False,
    "product.withdrawn": False,
}
#: What a product says that an item of a message takes over from it.
_SHOWN = ("name", "url", "image_url", "currency")


class IfSoldOut(StrEnum):
    """What becomes of an item that a message would promote and that nobody can buy."""

    #: Its substitute takes its place; without one the message is dropped.
    REPLACE = "replace"
    LEAVE_OUT = "leave_out"
    #: The message is dropped.
    DROP = "drop"


def is_about_product(event_type: str) -> bool:
    """True when an event of the type says something of a product that the catalogue keeps."""
    return event_type in _STOCK


def after(event_type: str, data: Mapping[str, object], known: Product | None) -> Product | None:
    """The product after an event about it; None when the event is about none."""
    if event_type not in _STOCK or not isinstance(data.get("sku"), str):
        return None
    told = {key: value for key, value in data.items() if value is not None}
    product: dict[str, object] = {**(known or {}), **told}
    in_stock = _STOCK[event_type]
    if in_stock is None and "in_stock" not in told and isinstance(told.get("stock"), int):
        in_stock = told["stock"] != 0
    if in_stock is not None:
        product["in_stock"] = in_stock
    if in_stock is False and "stock" in product:
        product["stock"] = 0
    if in_stock is True and product.get("stock") == 0:
        del product["stock"]
    return product


def before(event_type: str, data: Mapping[str, object]) -> Product:
    """What an event about a product lets one know of it as it was just before."""
    in_stock = _STOCK.get(event_type)
    stock = {} if in_stock is None else {"in_stock": not in_stock}
    price = {"price": data["previous_price"]} if "previous_price" in data else {}
    return {**stock, **price}


def can_be_bought(product: Product | None) -> bool:
    """True unless the catalogue says that it is sold out; what it does not know is."""
    return product is None or (product.get("in_stock") is not False and product.get("stock") != 0)


def promoted(value: object, if_sold_out: IfSoldOut, look: Look) -> object:
    """The items as they may be shown now, with today's prices; None when the message is not to go.

    An item is a sku or a map with one; the value is one of them or a list.
    """
    several = isinstance(value, list)
    kept: list[object] = []
    for item in value if isinstance(value, list) else [value]:
        sku = sku_of(item)
        if sku is None or can_be_bought(look(sku)):
            kept.append(item if sku is None else _today(item, look(sku)))
        elif if_sold_out is IfSoldOut.REPLACE and (found := _substitute(sku, look)) is not None:
            kept.append(_in_place_of(item, sku, *found))
        elif if_sold_out is not IfSoldOut.LEAVE_OUT:
            return None
    if not kept and value != []:
        return None
    return kept if several else kept[0]


def skus_in(value: object) -> Iterator[str]:
    """The skus of the items."""
    for item in value if isinstance(value, list) else [value]:
        if (sku := sku_of(item)) is not None:
            yield sku


def substitutes(product: Product | None) -> Collection[str]:
    """The skus that may stand in for the product, best first."""
    named = product.get("substitutes") if product is not None else None
    return [sku for sku in named if isinstance(sku, str)] if isinstance(named, list) else []


def sku_of(item: object) -> str | None:
    """The sku of an item; None when it is about no product."""
    sku = item.get("sku") if isinstance(item, Mapping) else item
    return sku if isinstance(sku, str) and sku else None


def _substitute(sku: str, look: Look) -> tuple[str, Product] | None:
    for other in substitutes(look(sku)):
        product = look(other)
        # A substitute that the catalogue does not know has no name to be shown by.
        if product is not None and can_be_bought(product):
            return other, product
    return None


def _in_place_of(item: object, sku: str, other: str, product: Product) -> object:
    if not isinstance(item, Mapping):
        return other
    shown = {key: product[key] for key in (*_SHOWN, "price") if key in product}
    quantity = {"quantity": item["quantity"]} if "quantity" in item else {}
    return {**shown, **quantity, "sku": other, "replaces": sku}


def _today(item: object, product: Product | None) -> object:
    """The item with what the catalogue says today of its price, and of what it lacks."""
    if product is None or not isinstance(item, Mapping):
        return item
    lacking = {key: product[key] for key in _SHOWN if key in product and not item.get(key)}
    same_money = item.get("currency", product.get("currency")) == product.get("currency")
    price = {"price": product["price"]} if "price" in product and same_money else {}
    return {**item, **lacking, **price}
