"""The events of `bench run`: visits of many customers at once, as a shop's stream has them.

The shares of the types lie between those of four recorded shops: nearly all is looking, a few put
something into a cart, fewer buy. Five hundred events in a row are of some 340 customers, as there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

import orjson

from shopflow.domain.event import Event
from shopflow.domain.ids import CustomerId, EventId

#: Share of each type among all events.
SHARES = {
    "product.viewed": 0.82,
    "cart.updated": 0.06,
    "product_list.viewed": 0.04,
    "site.visited": 0.03,
    "order.placed": 0.015,
    "checkout.started": 0.015,
    "order.delivered": 0.012,
    "customer.updated": 0.005,
    "newsletter.subscribed": 0.003,
}
#: Visits that go on at the same time, and how many events one has on average.
VISITS, LENGTH = 400, 4

_TYPES, _WEIGHTS = tuple(SHARES), tuple(SHARES.values())
_CATEGORIES = [f"category-{number}" for number in range(60)]
_BRANDS = [f"brand-{number}" for number in range(200)]
_PRODUCTS = 20_000
_SHOP = "https://shop.example"


class Sent(NamedTuple):
    """One event: as the engine sees it, and as the shop sends it."""

    event: Event
    raw: bytes


@dataclass(slots=True)
class _Visit:
    customer: CustomerId
    number: int
    cart: list[dict[str, object]]


def customer_id(number: int) -> CustomerId:
    """The id of the customer of this number."""
    return CustomerId(f"c-{number:08}")


class Shop:
    """Customers who come one after the other, in no order that the database would know."""

    def __init__(
        self,
        chance: Random,
        customers: int,
        start: datetime,
        *,
        pace: timedelta,
        visits: int = VISITS,
        name: str = "e",
    ) -> None:
        self._chance = chance
        self._order = list(range(customers))
        chance.shuffle(self._order)
        self._pace, self._at_once, self._name = pace, visits, name
        self._next = 0
        self._visits: list[_Visit] = []
        self._sent = 0
        #: The time of the latest event.
        self.now = start

    def events(self, count: int) -> Iterator[Sent]:
        """The next events of the shop."""
        for _ in range(count):
            yield self._event()

    def _event(self) -> Sent:
        chance, visits = self._chance, self._visits
        while len(visits) < self._at_once:
            visits.append(self._visit())
        place = chance.randrange(len(visits))
        visit = visits[place]
        if chance.random() < 1 / LENGTH:
            visits[place] = self._visit()
        self._sent += 1
        self.now += self._pace
        kind = chance.choices(_TYPES, _WEIGHTS)[0]
        return sent(
            Event(
                id=EventId(f"{self._name}-{self._sent:010}"),
                type=kind,
                occurred_at=self.now,
                data=payload(chance, kind, visit.cart, f"{visit.number}-{self._sent}"),
                customer_id=visit.customer,
            )
        )

    def _visit(self) -> _Visit:
        number = self._order[self._next % len(self._order)]
        self._next += 1
        return _Visit(customer_id(number), self._next, [])


def sent(event: Event) -> Sent:
    """The event with its bytes."""
    raw = orjson.dumps(
        {
            "id": event.id,
            "type": event.type,
            "occurred_at": event.occurred_at,
            "customer_id": event.customer_id,
            "data": event.data,
        },
        option=orjson.OPT_UTC_Z,
    )
    return Sent(event, raw)


def payload(
    chance: Random, kind: str, cart: list[dict[str, object]], number: str
) -> dict[str, object]:
    """What an event of the type carries; the cart is the visitor's."""
    session = {"session_id": f"s-{number:>032}", "url_path": "/"}
    match kind:
        case "product.viewed":
            return {**_product(chance), "currency": "EUR", **session}
        case "product_list.viewed":
            return {"list": "search", "items": [_product(chance) for _ in range(3)], **session}
        case "cart.updated":
            line = {**_product(chance), "quantity": 1}
            # One change in ten empties the cart.
            emptied = bool(cart) and chance.random() < 0.1  # noqa: PLR2004
            cart[:] = [] if emptied else [*cart[-4:], line]
            return {
                "action": "emptied" if emptied else "item_added",
                "item": line,
                "items": list(cart),
                "total": _total(cart),
                "cart_id": f"cart-{number.partition('-')[0]}",
                "cart_url": f"{_SHOP}/cart",
                **session,
            }
        case "order.placed" | "order.delivered":
            items = list(cart) or [{**_product(chance), "quantity": 1}]
            return {"order_id": f"o-{number}", "items": items, "total": _total(items)}
        case "checkout.started":
            return {"checkout_id": f"k-{number}", "checkout_url": f"{_SHOP}/checkout", "step": 1}
        case "customer.updated":
            return {"first_name": "Camille", "locale": "fr"}
        case "newsletter.subscribed":
            return {"email": f"camille.{number}@mail.example", "source": "footer"}
        case _:
            return dict(session)


def _product(chance: Random) -> dict[str, object]:
    number = chance.randrange(_PRODUCTS)
    return {
        "sku": f"sku-{number}",
        "name": f"Lamp number {number}",
        "category": chance.choice(_CATEGORIES),
        "brand": chance.choice(_BRANDS),
        "price": round(chance.uniform(5, 350), 2),
    }


def _total(lines: list[dict[str, object]]) -> float:
    return round(sum(float(str(line["price"])) for line in lines), 2)
