"""A shop's past as recommendations need it: who bought, looked at and searched what, and when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

#: The types of events that say something.
ORDER, LOOK, SEARCH = "order.placed", "product.viewed", "search.performed"
TYPES = frozenset({ORDER, LOOK, SEARCH})

#: Products of one order that are taken in: what buys five hundred is a reseller, not a person.
LARGEST_ORDER = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Products bought at once."""

    who: str
    at: datetime
    skus: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A product seen."""

    who: str
    at: datetime
    sku: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Words that were searched for, as typed."""

    who: str
    at: datetime
    query: str


@dataclass(slots=True)
class History:
    """What happened, in the order it was told."""

    orders: list[Order] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    searches: list[Search] = field(default_factory=list)

    def add(self, event_type: str, who: str, at: datetime, data: Mapping[str, Any]) -> None:
        """An event happened; one that says nothing of products is passed over."""
        if event_type == ORDER:
            skus = skus_of(data.get("items"))[:LARGEST_ORDER]
            if skus:
                self.orders.append(Order(who=who, at=at, skus=skus))
        elif event_type == LOOK:
            for sku in skus_of(data):
                self.looks.append(Look(who=who, at=at, sku=sku))
        elif event_type == SEARCH and isinstance(query := data.get("query"), str):
            self.searches.append(Search(who=who, at=at, query=query))

    @property
    def end(self) -> datetime | None:
        """The time of the last thing that happened."""
        every = (each.at for group in (self.orders, self.looks, self.searches) for each in group)
        return max(every, default=None)


def skus_of(about: object) -> tuple[str, ...]:
    """The skus of a sku, an item, or a list of either, each once; what has none is left out."""
    match about:
        case str():
            return (about,) if about else ()
        case Mapping():
            sku = about.get("sku")
            return (sku,) if isinstance(sku, str) and sku else ()
        case Iterable():
            return tuple(dict.fromkeys(sku for each in about for sku in skus_of(each)))
        case _:
            return ()
