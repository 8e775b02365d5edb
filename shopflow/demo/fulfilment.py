"""What becomes of an order of the simulated shop: paid, sent, delivered, reviewed, or called off.

That an order is placed at all is decided in `shopflow.demo.shop`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from shopflow.demo import habits
from shopflow.demo.assortment import CURRENCY, SHOP_URL, Product
from shopflow.demo.hours import VISITING, WORKING, at_some_hour

#: Something that happens: when, the event's type, its payload.
Happening = tuple[datetime, str, Mapping[str, object]]

#: The shop calls an order off when a bank transfer has not come by then.
TRANSFER_PATIENCE = timedelta(days=11)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order as placed; amounts are in cents."""

    id: str
    placed_at: datetime
    lines: tuple[tuple[Product, int], ...]
    shipping_cents: int
    locale: str
    country: str
    by_transfer: bool

    @property
    def subtotal(self) -> int:
        """The goods, without shipping."""
        return sum(product.cents * quantity for product, quantity in self.lines)

    @property
    def total(self) -> int:
        """What is to be paid."""
        return self.subtotal + self.shipping_cents

    @property
    def told(self) -> dict[str, object]:
        """What every later event says of the order."""
        return {
            "order_id": self.id,
            "order_url": f"{SHOP_URL}/{self.locale}/orders/{self.id}",
            "items": lines_told(self.lines, self.locale),
            "total": self.total / 100,
            "currency": CURRENCY,
            "country": self.country,
        }

    @property
    def payment(self) -> dict[str, object]:
        """What the payment events say."""
        return {
            "payment_id": f"p-{self.id}",
            "order_id": self.id,
            "order_url": f"{SHOP_URL}/{self.locale}/orders/{self.id}",
            "amount": self.total / 100,
            "currency": CURRENCY,
            "method": "bank_transfer" if self.by_transfer else "card",
        }


def lines_told(lines: tuple[tuple[Product, int], ...], locale: str) -> list[dict[str, object]]:
    """The lines of a cart or an order as events tell them."""
    return [{**product.told(locale), "quantity": quantity} for product, quantity in lines]


def after_order(order: Order, rng: Random) -> Iterator[Happening]:
    """All that follows the placing of the order, in no particular order."""
    moment = order.placed_at + timedelta(seconds=rng.randint(5, 60))
    if habits.CANCELS_ORDER.falls(rng):
        changed_mind = order.placed_at + timedelta(minutes=rng.randint(10, 900))
        yield changed_mind, "order.canceled", order.told | {"canceled_by": "customer"}
        return
    if order.by_transfer:
        paid_at = _transfer_arrives(order, rng)
        due = (order.placed_at + timedelta(days=10)).date().isoformat()
        reference = {"payment_reference": order.id.upper(), "due_on": due, "locale": order.locale}
        yield moment, "payment.pending", order.payment | reference
        if paid_at is None:
            lapsed = order.told | {"canceled_by": "payment", "reason": "payment not received"}
            yield order.placed_at + TRANSFER_PATIENCE, "order.canceled", lapsed
            return
    else:
        paid_at = moment
    yield paid_at, "payment.received", order.payment
    yield from _delivery(order, paid_at, rng)


def _transfer_arrives(order: Order, rng: Random) -> datetime | None:
    """Most transfers come in days, some only after a reminder, some never."""
    if habits.TRANSFER_ON_TIME.falls(rng):
        days = rng.uniform(1, 2.8)
    elif habits.TRANSFER_AFTER_REMINDER.falls(rng):
        days = rng.uniform(3, 9)
    else:
        return None
    return at_some_hour(order.placed_at + timedelta(days=days), WORKING, rng)


def _delivery(order: Order, paid_at: datetime, rng: Random) -> Iterator[Happening]:
    if habits.BACKORDERED.falls(rng):
        ready = paid_at + timedelta(days=rng.uniform(6, 18))
        told_at = at_some_hour(paid_at, WORKING, rng)
        wait = {"available_on": ready.date().isoformat(), "status": "backordered"}
        yield told_at, "order.backordered", order.told | wait
        paid_at = ready
    late = habits.DELIVERED_LATE.falls(rng)
    shipped_at = at_some_hour(paid_at + timedelta(days=rng.uniform(0.2, 2)), WORKING, rng)
    promised = shipped_at + timedelta(days=3)
    arrives = shipped_at + timedelta(days=rng.uniform(6, 9) if late else rng.uniform(0.8, 3))
    parcel = {"shipment_id": f"s-{order.id}", "carrier": "Colis Rapide", "locale": order.locale}
    tracking = {
        "tracking_number": f"CR{rng.randrange(10**9):09}FR",
        "tracking_url": f"https://suivi.example/{order.id}",
        "delivery_expected_on": promised.date().isoformat(),
    }
    yield shipped_at, "order.shipped", order.told | parcel | tracking
    if late:
        told_at = at_some_hour(promised + timedelta(hours=6), WORKING, rng)
        expected = {"delivery_expected_on": arrives.date().isoformat(), "reason": "carrier"}
        yield told_at, "order.delayed", order.told | {"shipment_id": f"s-{order.id}"} | expected
    delivered_at = at_some_hour(arrives, WORKING, rng)
    yield delivered_at, "order.delivered", order.told | parcel
    if habits.POSTS_REVIEW.falls(rng):
        product, _ = rng.choice(order.lines)
        rating = rng.choices((1, 2, 3, 4, 5), (3, 4, 10, 33, 50))[0]
        posted_at = at_some_hour(delivered_at + timedelta(days=rng.uniform(1, 24)), VISITING, rng)
        review = {"review_id": f"r-{order.id}", "order_id": order.id, "rating": rating}
        yield posted_at, "review.posted", product.told(order.locale) | review
