"""Batches as a shop's events and rules give them: what is read, and what deciding it wrote.

Sizes and shares are those of the shipped workflows on a simulated month: a customer's state of
1.3 KB, half a journal entry an event, a message for every eighth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random

import orjson

from shopflow.bench.workload import some_events
from shopflow.domain.customer import (
    Consent,
    ConsentState,
    Customer,
    Enrolment,
    Mark,
    RecentEvent,
)
from shopflow.domain.ids import CustomerId, EnrolmentId, EventId, MessageId, StepId, WorkflowId
from shopflow.domain.journal import JournalEntry, Kind
from shopflow.domain.message import Message
from shopflow.domain.policy import MessageClass
from shopflow.store.records import Arrival
from shopflow.store.tally import partition_of

PARTITIONS = 64
#: Of the events, so many lead to a journal entry, and so many to a message.
JOURNALLED, QUEUED = 0.5, 0.13
#: Of the events, so many came before.
DUPLICATES = 0.02

_START = datetime(2026, 3, 3, 6, tzinfo=UTC)
_WORKFLOWS = tuple(
    WorkflowId(f"{kind}-{number}") for kind in ("welcome", "cart", "review") for number in range(8)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One batch in the domain's own values."""

    position: str
    read_to: datetime
    arrivals: Sequence[Arrival]
    ids: Sequence[CustomerId]
    #: What each customer has become; the rest of the value is as it was read.
    changes: Mapping[CustomerId, tuple[datetime, datetime]]
    entries: Sequence[JournalEntry]
    messages: Sequence[Message]

    def decided(self, loaded: Mapping[CustomerId, Customer]) -> list[Customer]:
        """The customers as deciding would leave them."""
        return [
            replace(customer, watermark=watermark, next_due_at=due)
            for key, (watermark, due) in self.changes.items()
            if (customer := loaded.get(key)) is not None
        ]


def customer_id(number: int) -> CustomerId:
    """The id of the customer of this number."""
    return CustomerId(f"c-{number:08}")


def a_customer(chance: Random, number: int) -> Customer:
    """A customer as a month of mails leaves one."""
    at = _START - timedelta(minutes=chance.randrange(20_000))
    later = at + timedelta(days=2)
    entered = chance.sample(_WORKFLOWS, 6)
    return Customer(
        id=customer_id(number),
        attributes={
            "email": f"prenom.nom{number}@courriel.example",
            "first_name": "Prénom",
            "last_name": "Nom",
            "locale": "fr",
            "timezone": "Europe/Paris",
            "country": "FR",
        },
        traits={
            "orders_count": chance.randrange(9),
            "total_spent": str(chance.randrange(20_000) / 100),
            "last_visit_at": [chance.randrange(10**15), later.isoformat()],
            "views_30d": [[chance.randrange(10**15), 1] for _ in range(3)],
        },
        consents={("email", "marketing"): Consent(state=ConsentState.GRANTED, at=at)},
        enrolments=tuple(_enrolment(number, name, at) for name in entered[: number % 3]),
        marks={
            (name, key): Mark(entered_at=at, last_message_at=later, used_at=later)
            for name, key in zip(entered, ("", None) * 3, strict=True)
        },
        recent=tuple(
            RecentEvent(id=EventId(f"e-{number}-{n}"), type="order.placed", occurred_at=at, data={})
            for n in range(3)
        ),
        watermark=at,
        next_due_at=later,
    )


def some_work(chance: Random, size: int, *, number: int, customers: int, prefix: str) -> Work:
    """The batch of this number: its customers are those after the batch before, round and round."""
    ids = [customer_id((number * size + place) % customers) for place in range(size)]
    now = _START + timedelta(seconds=number)
    arrivals = []
    for place, (key, drawn) in enumerate(zip(ids, some_events(chance, size), strict=True)):
        event = replace(
            drawn,
            id=EventId(f"{prefix}-{number}-{place}"),
            occurred_at=now + timedelta(milliseconds=place),
            customer_id=key,
        )
        raw = orjson.dumps(
            {
                "id": event.id,
                "type": event.type,
                "occurred_at": event.occurred_at,
                "customer_id": key,
                "data": event.data,
            }
        )
        arrivals.append(Arrival(partition_of(key, PARTITIONS), event, raw))
    twice = max(1, int(size * DUPLICATES))
    return Work(
        position=str(number),
        read_to=now,
        arrivals=[*arrivals[: size - twice], *arrivals[:twice]],
        ids=ids,
        changes={key: (now, now + timedelta(hours=1 + chance.randrange(99))) for key in ids},
        entries=[_entry(chance, *pair) for pair in _some(chance, arrivals, JOURNALLED)],
        messages=[_message(chance, *pair) for pair in _some(chance, arrivals, QUEUED)],
    )


def _some(
    chance: Random, arrivals: Sequence[Arrival], share: float
) -> list[tuple[CustomerId, Arrival]]:
    found = chance.sample(arrivals, max(1, int(len(arrivals) * share)))
    return [(one.event.concerns, one) for one in found if one.event.concerns is not None]


def _enrolment(number: int, name: WorkflowId, at: datetime) -> Enrolment:
    return Enrolment(
        id=EnrolmentId(f"{number:032x}"),
        workflow=name,
        version=1,
        digest="0123456789abcdef" * 2,
        key=f"k-{number}",
        entered_at=at,
        trigger_event_id=EventId(f"e-{number}"),
        trigger={"cart_id": f"k-{number}", "total": 90.0, "cart_url": "https://shop.example/r"},
        step=StepId("settle"),
        cursor_at=at,
        due_at=at + timedelta(days=2),
    )


def _entry(chance: Random, key: CustomerId, arrival: Arrival) -> JournalEntry:
    return JournalEntry(
        at=arrival.event.occurred_at,
        customer_id=key,
        kind=chance.choice((Kind.ENTERED, Kind.STEP, Kind.EXITED)),
        workflow=chance.choice(_WORKFLOWS),
        version=1,
        digest="0123456789abcdef" * 2,
        enrolment_id=EnrolmentId(f"{chance.getrandbits(128):032x}"),
        step=StepId("settle"),
        event_id=arrival.event.id,
        values={"event.total": 90.0},
    )


def _message(chance: Random, key: CustomerId, arrival: Arrival) -> Message:
    at = arrival.event.occurred_at
    return Message(
        id=MessageId(f"{chance.getrandbits(128):032x}"),
        customer_id=key,
        enrolment_id=EnrolmentId(f"{chance.getrandbits(128):032x}"),
        workflow=chance.choice(_WORKFLOWS),
        version=1,
        digest="0123456789abcdef" * 2,
        step=StepId("reminder"),
        visit=1,
        channel="email",
        purpose="cart_recovery",
        message_class=MessageClass.MARKETING,
        priority=60,
        template="cart/reminder",
        locale="fr",
        address="prenom.nom@courriel.example",
        variables={"items": [{"sku": "A1", "name": "Lampe", "price": 90.0}], "cart_url": "https:"},
        trigger_event_id=arrival.event.id,
        decided_at=at,
        cursor_at=at,
        send_by=at + timedelta(hours=24),
    )
