"""The customers of `bench run`: what two months of their own events have made of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from shopflow.bench.run_events import Shop, customer_id
from shopflow.domain.customer import Consent, ConsentState, Customer
from shopflow.domain.event import Event, Facts, Tick
from shopflow.domain.ids import CustomerId, EnrolmentId, EventId, MessageId, derive
from shopflow.engine import Rulebook, decide

#: When the measured events begin.
NOW = datetime(2026, 3, 3, 10, tzinfo=UTC)
#: How long customers have been known, and how many events each of them has behind it.
HISTORY, EVENTS = timedelta(days=60), 24
#: Customers whose history is really decided; the others are like one of them.
LIVED = 1_500
#: Of the customers, so many agreed to marketing, and so many told their birthday.
AGREED, BIRTHDAY = 0.6, 0.3

_FACTS = Facts(event_clock=True)


def pace(customers: int) -> timedelta:
    """The time between two events of a shop with so many customers who come as often as these."""
    return HISTORY / (customers * EVENTS)


def people(rulebook: Rulebook, chance: Random, count: int) -> Iterator[Customer]:
    """So many customers, as they stand at `NOW`."""
    lived = list(_lived(rulebook, chance, min(count, LIVED)))
    for number in range(count):
        yield _like(lived[number % len(lived)], customer_id(number))


def _lived(rulebook: Rulebook, chance: Random, count: int) -> Iterator[Customer]:
    start = NOW - HISTORY
    known = {customer_id(number): _new(chance, number, start) for number in range(count)}
    shop = Shop(chance, count, start, pace=pace(count), visits=max(1, count // 250), name="h")
    for sent in shop.events(count * EVENTS):
        event = sent.event
        if event.customer_id is None:
            continue
        known[event.customer_id] = _after(rulebook, known[event.customer_id], event)
    for customer in known.values():
        yield decide(rulebook, customer, Tick(at=NOW), at=NOW, clock=NOW, facts=_FACTS).customer


def _after(rulebook: Rulebook, customer: Customer, event: Event) -> Customer:
    at = event.occurred_at
    if customer.next_due_at is not None and customer.next_due_at < at:
        tick = Tick(at=at)
        customer = decide(rulebook, customer, tick, at=at, clock=at, facts=_FACTS).customer
    return decide(rulebook, customer, event, at=at, clock=at, facts=_FACTS).customer


def _new(chance: Random, number: int, at: datetime) -> Customer:
    attributes: dict[str, object] = {
        "email": f"camille.{number}@mail.example",
        "first_name": "Camille",
        "last_name": "Martin",
        "locale": "fr",
        "timezone": "Europe/Paris",
    }
    if chance.random() < BIRTHDAY:
        attributes["birthday"] = f"{chance.randint(1950, 2005)}-{chance.randint(1, 12):02}-14"
    agreed = chance.random() < AGREED
    consent = Consent(state=ConsentState.GRANTED, at=at)
    return Customer(
        id=customer_id(number),
        attributes=attributes,
        consents={("email", "marketing"): consent} if agreed else {},
    )


def _like(customer: Customer, key: CustomerId) -> Customer:
    """The same life, as another person's: with ids of its own."""
    if customer.id == key:
        return customer

    def own(name: str) -> EnrolmentId:
        return EnrolmentId(derive(key, name))

    return replace(
        customer,
        id=key,
        attributes={**customer.attributes, "email": f"{key}@mail.example"},
        enrolments=tuple(
            replace(one, id=own(one.id), trigger_event_id=EventId(own(one.trigger_event_id)))
            for one in customer.enrolments
        ),
        sent=tuple(
            replace(
                one,
                enrolment_id=own(one.enrolment_id),
                message_id=MessageId(own(one.message_id)),
            )
            for one in customer.sent
        ),
        goals=tuple(replace(one, enrolment_id=own(one.enrolment_id)) for one in customer.goals),
    )
