"""What people do with a shop besides buying: accounts, requests, returns, invoices, points, games.

When they come and what they buy is decided in `shopflow.demo.shop`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from shopflow.demo import habits
from shopflow.demo.assortment import ASSORTMENT, CURRENCY, SHOP_URL
from shopflow.demo.fulfilment import Happening, Order
from shopflow.demo.hours import VISITING, WORKING, at_some_hour
from shopflow.demo.people import Person, nearest_store

#: How long after the account is opened the turns of its life may come.
ACCOUNT_LIFE = timedelta(days=60)
#: Points for each euro.
POINTS = 2
CONTEST = {"contest_id": "un-hiver-en-laine", "contest_name": "Un hiver en laine"}
_POSTCODES = ("75011", "92100", "69002", "33000", "44000", "59000")
_TOPICS = ("delivery", "product", "invoice", "complaint")


def account_life(person: Person, since: datetime, rng: Random) -> Iterator[Happening]:
    """All that comes of an account in its first weeks, in no particular order."""
    yield from _facts(person, since, rng)
    yield from _security(person, since, rng)
    yield from _requests(since, rng)
    if habits.ASKS_FOR_GUIDE.falls(rng):
        guide = {"resource": "care-guide", "resource_url": f"{SHOP_URL}/guides/care.pdf"}
        yield _some_day(since, rng), "lead.requested", guide | person.contact
    if habits.ENTERS_CONTEST.falls(rng):
        entered = _some_day(since, rng)
        draw = at_some_hour(entered + timedelta(days=14), WORKING, rng)
        told = {"ends_at": f"{draw:%Y-%m-%dT%H:%M:%SZ}", "prize": "un plaid"}
        yield entered, "contest.entered", CONTEST | told
        won = habits.WINS_CONTEST.falls(rng)
        yield draw, "contest.won" if won else "contest.lost", dict(CONTEST)


def around_order(order: Order, happenings: list[Happening], rng: Random) -> Iterator[Happening]:
    """What comes beside the way of the order itself: invoices, returns, answers."""
    if habits.ORDERS_FOR_COMPANY.falls(rng):
        yield from _invoice(order, rng)
    delivered = next((at for at, kind, _ in happenings if kind == "order.delivered"), None)
    if delivered is None:
        return
    if habits.SENDS_BACK.falls(rng):
        yield from _return(order, delivered, rng)
    elif habits.ANSWERS_QUESTION.falls(rng):
        score = rng.choices((10, 9, 8, 7, 5, 2), (30, 25, 20, 12, 8, 5))[0]
        answered = at_some_hour(delivered + timedelta(days=rng.uniform(31, 36)), VISITING, rng)
        yield answered, "question.answered", {"question_id": "nps", "score": score}


def points_for(order: Order, balance: int) -> Happening:
    """The order is worth points, which end if nothing is done with them."""
    gained = POINTS * order.subtotal // 100
    ends = order.placed_at + timedelta(days=32)
    told: dict[str, object] = {
        "balance": balance + gained,
        "change": gained,
        "reason": "order",
        "order_id": order.id,
        "points_value": (balance + gained) / 100,
        "currency": CURRENCY,
        "next_expiry_on": ends.date().isoformat(),
        "next_expiry_points": gained,
    }
    return order.placed_at + timedelta(minutes=1), "points.changed", told


def shop_news(opening: datetime, rng: Random) -> Iterator[Happening]:
    """What becomes of the products: some sell out and come back, some get cheaper."""
    chosen = rng.sample(ASSORTMENT, 12)
    for product in chosen[:4]:
        gone = opening + timedelta(days=rng.uniform(2, 8))
        yield gone, "product.sold_out", {"sku": product.sku}
        back = gone + timedelta(days=rng.uniform(4, 12))
        yield at_some_hour(back, WORKING, rng), "product.restocked", product.told("fr")
    for product in chosen[4:]:
        price = round(product.cents * 0.8) / 100
        told = product.told("fr") | {"price": price, "previous_price": product.cents / 100}
        day = opening + timedelta(days=rng.uniform(3, 25))
        yield at_some_hour(day, WORKING, rng), "product.price_dropped", told


def _facts(person: Person, since: datetime, rng: Random) -> Iterator[Happening]:
    """Facts that people tell of themselves."""
    facts: dict[str, object] = {}
    if habits.TELLS_BIRTHDAY.falls(rng):
        day = f"{rng.randint(1950, 2006)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
        facts |= {"birthday": day, "nearest_store": nearest_store(person)}
    if habits.TELLS_CHILDREN.falls(rng):
        party = since + timedelta(days=rng.uniform(22, 80))
        year = party.year - rng.randint(1, 9)
        facts["children"] = [{"month": party.month, "day": party.day, "birth_year": year}]
    if habits.TELLS_POSTCODE.falls(rng) and person.country == "FR":
        facts["postcode"] = rng.choice(_POSTCODES)
    if facts:
        yield since + timedelta(minutes=rng.randint(2, 60)), "customer.updated", facts


def _security(person: Person, since: datetime, rng: Random) -> Iterator[Happening]:
    """Passwords that are forgotten, addresses that change, and accounts that end."""
    if habits.FORGETS_PASSWORD.falls(rng):
        at = _some_day(since, rng)
        link = f"{SHOP_URL}/{person.locale}/account/reset/{rng.getrandbits(64):016x}"
        until = f"{at + timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}"
        told = {"reset_url": link, "expires_at": until, "locale": person.locale}
        yield at, "account.password_reset_requested", told
        changed = at + timedelta(minutes=rng.randint(2, 30))
        yield changed, "account.password_changed", {"locale": person.locale}
    if habits.CHANGES_ADDRESS.falls(rng):
        at = _some_day(since, rng)
        name, _, domain = person.email.partition("@")
        new = f"{name}.bis@{domain}"
        told = {"new_email": new, "locale": person.locale}
        yield at, "account.email_change_requested", told
        if habits.CONFIRMS_OPT_IN.falls(rng):
            confirmed = {"email": new, "locale": person.locale}
            yield at + timedelta(minutes=rng.randint(2, 90)), "account.email_changed", confirmed
    if habits.CLOSES_ACCOUNT.falls(rng):
        yield _some_day(since, rng), "account.closed", {"locale": person.locale}


def _requests(since: datetime, rng: Random) -> Iterator[Happening]:
    """Questions to the shop; each becomes a ticket, and is closed in days."""
    if not habits.ASKS_FOR_HELP.falls(rng):
        return
    at = _some_day(since, rng)
    topic = rng.choice(_TOPICS)
    yield at, "contact.submitted", {"topic": topic, "subject": f"A question about: {topic}"}
    ticket = {"ticket_id": f"t-{rng.getrandbits(40):010x}", "topic": topic}
    yield at + timedelta(minutes=1), "ticket.opened", dict(ticket)
    solved = at_some_hour(at + timedelta(days=rng.uniform(0.1, 3)), WORKING, rng)
    yield solved, "ticket.closed", dict(ticket)


def _invoice(order: Order, rng: Random) -> Iterator[Happening]:
    issued = order.placed_at + timedelta(hours=1)
    due = order.placed_at + timedelta(days=8)
    told: dict[str, object] = {
        "invoice_id": f"i-{order.id}",
        "invoice_number": f"F-{issued:%Y}-{order.id[2:]}",
        "invoice_url": f"{SHOP_URL}/{order.locale}/invoices/{order.id}",
        "order_id": order.id,
        "amount": order.total / 100,
        "currency": CURRENCY,
        "due_on": due.date().isoformat(),
    }
    yield issued, "invoice.issued", told
    if habits.PAYS_INVOICE_ON_TIME.falls(rng):
        paid = due - timedelta(days=rng.uniform(0, 6))
    else:
        paid = due + timedelta(days=rng.uniform(3.5, 20))
    yield at_some_hour(paid, WORKING, rng), "invoice.paid", told


def _return(order: Order, delivered: datetime, rng: Random) -> Iterator[Happening]:
    opened = at_some_hour(delivered + timedelta(days=rng.uniform(0.5, 6)), VISITING, rng)
    told: dict[str, object] = {
        "return_id": f"b-{order.id}",
        "return_url": f"{SHOP_URL}/{order.locale}/returns/{order.id}",
        "order_id": order.id,
        "items": order.told["items"],
        "total": order.subtotal / 100,
        "currency": CURRENCY,
    }
    known = not order.by_transfer
    yield opened, "return.opened", told | {"bank_account_known": known}
    if not known:
        later = opened + timedelta(days=rng.uniform(0.5, 7))
        yield later, "return.updated", told | {"bank_account_known": True}
    received = at_some_hour(opened + timedelta(days=rng.uniform(8, 11)), WORKING, rng)
    yield received, "return.received", told | {"declared": True}
    accepted = received + timedelta(hours=rng.uniform(1, 30))
    yield accepted, "return.accepted", dict(told)
    refund = {"refund_id": f"f-{order.id}", "amount": order.subtotal / 100}
    yield accepted + timedelta(hours=2), "return.completed", told | refund


def _some_day(since: datetime, rng: Random) -> datetime:
    return at_some_hour(since + rng.random() * ACCOUNT_LIFE, VISITING, rng)
