"""A simulated month of a shop: seeded people who come, look, buy, pay and change their minds.

It yields events as a real shop would push them, oldest first, and knows nothing of rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from random import Random

from shopflow.demo import habits
from shopflow.demo.assortment import ASSORTMENT, CURRENCY, SHOP_URL, Product
from shopflow.demo.fulfilment import Order, after_order, lines_told
from shopflow.demo.hours import VISITING, at_some_hour
from shopflow.demo.people import Attitude, Person, make_person
from shopflow.demo.service import account_life, around_order, points_for, shop_news
from shopflow.demo.visitor import Visitor

#: Time before the month in which customers came and bought, so that some have grown silent.
HISTORY = timedelta(days=75)
#: One more for so many customers has bought once, long before all others.
OLD_FRIENDS = 40
#: How long ago at most that was: half a year of silence, or what was bought is worn out.
LONG_AGO = (timedelta(days=180), timedelta(days=268))
#: Those of the longer time have looked in since.
LOOKED_IN = timedelta(days=110)
#: Goods worth this much travel free; in cents.
FREE_SHIPPING_FROM = 6000
SHIPPING = 490
#: The day of the month's newsletter.
NEWSLETTER_ON = timedelta(days=11)
#: The version of the consent text on the shop's forms.
CONSENT_TEXT = "2026-01"


def simulate_shop(
    *, customers: int = 2000, days: int = 30, seed: int = 1, start: datetime
) -> Iterator[dict[str, object]]:
    """The events of `days` from `start`, and of a time before; the same seed, the same shop.

    Raises ValueError when start has no time zone.
    """
    if start.tzinfo is None:
        raise ValueError("start needs a time zone, as in datetime(2026, 3, 1, tzinfo=UTC)")
    rng = Random(seed)  # noqa: S311 - a simulation; nothing here is secret
    opening = start.astimezone(UTC)
    shop = _Shop(rng, opening, opening + timedelta(days=days))
    shop.announce()
    for number in range(1, customers + 1):
        known_before = habits.KNOWN_BEFORE.falls(rng)
        day = -rng.uniform(0, HISTORY.days) if known_before else rng.uniform(0, days)
        shop.expect(make_person(number, rng), opening + timedelta(days=day))
    for number in range(customers + 1, customers + 1 + customers // OLD_FRIENDS):
        shop.remember(make_person(number, rng), rng.choice(LONG_AGO))
    return shop.events()


class _Shop:
    """The agenda of what is to happen, worked off in order of time."""

    def __init__(self, rng: Random, opening: datetime, end: datetime) -> None:
        self._rng = rng
        self._opening = opening
        self._end = end
        #: What is to be told, or the visitor who comes: those events are planned at the door.
        self._agenda: list[tuple[datetime, int, Visitor | dict[str, object]]] = []
        self._entries = count()
        self._orders = count(10001)

    def announce(self) -> None:
        """What the shop itself does is on the agenda."""
        for at, event_type, data in shop_news(self._opening, self._rng):
            self._plan(at, {"type": event_type, "data": data})

    def expect(self, person: Person, moment: datetime) -> None:
        """The person's first visit falls on that day."""
        visitor = Visitor(person, anonymous=habits.COMES_UNKNOWN.falls(self._rng))
        self._plan(at_some_hour(moment, VISITING, self._rng), visitor)

    def remember(self, person: Person, ago: timedelta) -> None:
        """The person opened an account and bought once, at most so long before the month."""
        rng = self._rng
        friend = replace(person, attitude=Attitude.KEEN)
        visitor = Visitor(friend, known=True, visits=1)
        day = self._opening - ago + timedelta(days=rng.uniform(0, 25))
        now = at_some_hour(day, VISITING, rng)
        form = friend.contact | {"consents": [_marketing_consent("account form")]}
        self._tell(now, visitor, "customer.registered", form)
        self._confirm(visitor, now)
        visitor.cart[rng.choice(ASSORTMENT)] = 1
        visitor.carts += 1
        self._buy(visitor, now + timedelta(minutes=rng.randint(5, 30)))
        if ago > LONG_AGO[0]:
            self._plan(at_some_hour(self._opening - LOOKED_IN, VISITING, rng), visitor)

    def events(self) -> Iterator[dict[str, object]]:
        """All events up to the end, oldest first."""
        told = count(1)
        while self._agenda:
            at, _, planned = heappop(self._agenda)
            if isinstance(planned, Visitor):
                self._visit(planned, at)
                continue
            at_text = f"{at:%Y-%m-%dT%H:%M:%SZ}"
            yield {"id": f"demo-{next(told):07}", "occurred_at": at_text, **planned}

    def _plan(self, at: datetime, planned: Visitor | dict[str, object]) -> None:
        if at <= self._end:
            heappush(self._agenda, (at, next(self._entries), planned))

    def _tell(
        self, at: datetime, visitor: Visitor, event_type: str, data: Mapping[str, object]
    ) -> None:
        self._plan(at, {"type": event_type, **visitor.ids, "data": data})

    def _identify(self, visitor: Visitor, now: datetime) -> None:
        """The visitor says who they are: what was seen under the cookie is theirs."""
        if visitor.anonymous:
            ids = {**visitor.ids, "customer_id": visitor.person.id}
            self._plan(now, {"type": "customer.identified", **ids, "data": dict(ids)})
            visitor.anonymous = False

    def _visit(self, visitor: Visitor, at: datetime) -> None:
        rng = self._rng
        visitor.visits += 1
        arrival: dict[str, object] = {
            "session_id": visitor.session_id,
            "locale": visitor.person.locale,
        }
        device = rng.choices(("phone", "desktop", "tablet"), (62, 32, 6))[0]
        self._tell(at, visitor, "site.visited", arrival | {"device": device})
        self._advertise(visitor, at)
        now = self._look_around(visitor, at)
        if visitor.visits == 1:
            now = self._introduce(visitor, now)
        if visitor.cart:
            self._decide_on_cart(visitor, now)
        pause = timedelta(days=rng.expovariate(1 / visitor.person.rhythm))
        # Whoever left a cart is likelier to be back soon.
        if visitor.cart and habits.RETURNS_TO_CART.falls(rng):
            pause = timedelta(hours=rng.uniform(2, 40))
        self._plan(at_some_hour(now + max(pause, timedelta(hours=2)), VISITING, rng), visitor)

    def _advertise(self, visitor: Visitor, at: datetime) -> None:
        """What the visitor was brought by, and what the shop shows at the door."""
        rng = self._rng
        if habits.COMES_BY_AD.falls(rng):
            self._tell(at, visitor, "ad.clicked", {"network": "search", "campaign": "spring"})
        if habits.SEES_PROMOTION.falls(rng):
            seen = {"promo_id": "spring-table", "session_id": visitor.session_id}
            self._tell(at + timedelta(seconds=5), visitor, "promo.viewed", seen)
        if habits.LIKES_POST.falls(rng):
            self._tell(at, visitor, "social.liked", {"network": "photos", "post_id": "p-17"})

    def _look_around(self, visitor: Visitor, now: datetime) -> datetime:
        """Some products are seen, some end in the cart."""
        rng = self._rng
        session = {"session_id": visitor.session_id}
        shelf = rng.choice(ASSORTMENT).category
        if habits.SEARCHES.falls(rng):
            words = rng.choice(ASSORTMENT).name(visitor.person.locale).lower()
            now += timedelta(seconds=rng.randint(5, 40))
            self._tell(now, visitor, "search.performed", session | {"query": words, "results": 3})
        for _ in range(1 + min(7, int(rng.expovariate(0.65)))):
            near = [product for product in ASSORTMENT if product.category == shelf]
            product = rng.choice(near if habits.STAYS_ON_SHELF.falls(rng) else ASSORTMENT)
            now += timedelta(seconds=rng.randint(15, 200))
            self._tell(
                now, visitor, "product.viewed", product.told(visitor.person.locale) | session
            )
            if habits.ADDS_TO_WISHLIST.falls(rng):
                wish = product.told(visitor.person.locale) | {"in_stock": True}
                self._tell(now, visitor, "wishlist.added", wish | session)
            if habits.ADDS_TO_CART.falls(rng):
                now += timedelta(seconds=rng.randint(5, 60))
                self._fill_cart(visitor, product, now)
        return now

    def _fill_cart(self, visitor: Visitor, product: Product, now: datetime) -> None:
        if not visitor.cart:
            visitor.carts += 1
        quantity = self._rng.choices((1, 2, 4), (84, 13, 3))[0]
        visitor.cart[product] = visitor.cart.get(product, 0) + quantity
        self._tell(now, visitor, "cart.updated", self._cart_told(visitor, "item_added"))

    def _cart_told(self, visitor: Visitor, action: str) -> dict[str, object]:
        return {
            "action": action,
            "cart_id": visitor.cart_id,
            "cart_url": f"{SHOP_URL}/{visitor.person.locale}/cart/{visitor.cart_id}",
            "items": lines_told(tuple(visitor.cart.items()), visitor.person.locale),
            "total": sum(product.cents * n for product, n in visitor.cart.items()) / 100,
            "currency": CURRENCY,
            "session_id": visitor.session_id,
            "locale": visitor.person.locale,
        }

    def _introduce(self, visitor: Visitor, now: datetime) -> datetime:
        """A newcomer opens an account, takes the newsletter, or stays a guest."""
        rng, person = self._rng, visitor.person
        keen = person.attitude is Attitude.KEEN
        if not habits.LEAVES_ADDRESS.falls(rng):
            return now
        now += timedelta(seconds=rng.randint(30, 150))
        self._identify(visitor, now)
        now += timedelta(seconds=1)
        form = person.contact | {"session_id": visitor.session_id}
        visitor.known = True
        if keen and habits.PREFERS_NEWSLETTER.falls(rng):
            consents = [_marketing_consent("newsletter form")]
            self._tell(now, visitor, "newsletter.subscribed", form | {"consents": consents})
        else:
            consents = [_marketing_consent("account form")] if keen else []
            self._tell(now, visitor, "customer.registered", form | {"consents": consents})
            for at, event_type, data in account_life(person, now, rng):
                self._tell(at, visitor, event_type, data)
        if keen:
            self._confirm(visitor, now)
        return now

    def _confirm(self, visitor: Visitor, now: datetime) -> None:
        """Most follow the link of the confirmation mail, and some regret it weeks later."""
        rng = self._rng
        if not habits.CONFIRMS_OPT_IN.falls(rng):
            return
        confirmed_at = now + timedelta(minutes=rng.expovariate(1 / 45) + 1)
        consent = _marketing_consent("confirmation link")
        self._tell(confirmed_at, visitor, "consent.confirmed", consent)
        issue = self._opening + NEWSLETTER_ON
        if confirmed_at < issue:
            # The list of readers is the shop's; who has left since is not written to.
            asked = {"workflow": "newsletter", "data": {"issue": f"{issue:%Y-%m}"}}
            self._tell(issue, visitor, "workflow.requested", asked)
        if habits.WITHDRAWS.falls(rng):
            regret = at_some_hour(confirmed_at + timedelta(days=rng.uniform(1, 60)), VISITING, rng)
            withdrawal = _marketing_consent("unsubscribe link")
            self._tell(regret, visitor, "consent.withdrawn", withdrawal)

    def _decide_on_cart(self, visitor: Visitor, now: datetime) -> None:
        """The cart is emptied, left, left at the checkout, or bought."""
        rng = self._rng
        now += timedelta(seconds=rng.randint(20, 120))
        looked_at = self._cart_told(visitor, "")
        del looked_at["action"]
        self._tell(now, visitor, "cart.viewed", looked_at)
        now += timedelta(seconds=10)
        if habits.EMPTIES_CART.falls(rng):
            visitor.cart.clear()
            self._tell(now, visitor, "cart.updated", self._cart_told(visitor, "emptied"))
            return
        if not habits.CHECKS_OUT.falls(rng):
            return
        checkout = self._cart_told(visitor, "") | {
            "checkout_id": f"x-{visitor.session_id[2:]}",
            "checkout_url": f"{SHOP_URL}/{visitor.person.locale}/checkout/{visitor.cart_id}",
            "step": 1,
            "step_name": "account",
        }
        del checkout["action"]
        self._tell(now, visitor, "checkout.started", checkout)
        self._identify(visitor, now + timedelta(seconds=10))
        for step, name in ((2, "address"), (3, "shipping"), (4, "payment")):
            if habits.LEAVES_AT_STEP.falls(rng):
                return
            now += timedelta(seconds=rng.randint(15, 90))
            step_told = checkout | {"step": step, "step_name": name}
            self._tell(now, visitor, "checkout.step_viewed", step_told)
        self._buy(visitor, now + timedelta(seconds=rng.randint(20, 120)))

    def _buy(self, visitor: Visitor, now: datetime) -> None:
        rng, person = self._rng, visitor.person
        lines = tuple(visitor.cart.items())
        goods = sum(product.cents * quantity for product, quantity in lines)
        order = Order(
            id=f"o-{next(self._orders)}",
            placed_at=now,
            lines=lines,
            shipping_cents=0 if goods >= FREE_SHIPPING_FROM else SHIPPING,
            locale=person.locale,
            country=person.country,
            by_transfer=person.pays_by_transfer,
        )
        notice = {"text_version": CONSENT_TEXT, "refused": person.attitude is Attitude.PRIVATE}
        placed = (
            order.told
            | person.contact
            | {
                "subtotal": order.subtotal / 100,
                "shipping_total": order.shipping_cents / 100,
                "cart_id": visitor.cart_id,
                "payment_method": order.payment["method"],
                "shipping_method": "home",
                "marketing_notice": notice,
                "session_id": visitor.session_id,
            }
        )
        if person.attitude is Attitude.KEEN and not visitor.known:
            placed["consents"] = [_marketing_consent("checkout")]
            self._confirm(visitor, now)
        visitor.known = True
        visitor.cart.clear()
        if (habits.HAS_CODE if person.hunts_codes else habits.FINDS_CODE).falls(rng):
            code = {"code": f"MERCI-{rng.randrange(10**6):06}", "kind": "gift"}
            placed["coupon_codes"] = [code["code"]]
            self._tell(now, visitor, "coupon.used", code | {"order_id": order.id})
        self._tell(now, visitor, "order.placed", placed)
        self._follow(visitor, order)

    def _follow(self, visitor: Visitor, order: Order) -> None:
        """All that comes of an order is on the agenda."""
        rng = self._rng
        happenings = list(after_order(order, rng))
        happenings += around_order(order, happenings, rng)
        if visitor.person.collects_points:
            happenings.append(points_for(order, visitor.points))
            visitor.points = int(str(happenings[-1][2]["balance"]))
        for at, event_type, data in happenings:
            self._tell(at, visitor, event_type, data)


def _marketing_consent(source: str) -> dict[str, object]:
    return {
        "channel": "email",
        "purpose": "marketing",
        "source": source,
        "text_version": CONSENT_TEXT,
    }
