"""What a database holds of the past, as a stream that can be replayed.

The event log forgets after a while, and with it how people came to their consents and addresses.
So what the ledger and the customers still know, and no kept event tells, is told by an event of its
own: consents at their time, contact points before everything else.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from shopflow.domain.coupon import CodeState
from shopflow.domain.customer import ConsentState, Customer
from shopflow.domain.event import Event
from shopflow.domain.ids import CustomerId, EventId, is_subject
from shopflow.domain.journal import LedgerEntry
from shopflow.engine.profile import CONTACT_ATTRIBUTES, CONTACT_EVENTS, PROFILE_EVENTS
from shopflow.gitops.plan.replayed import Place
from shopflow.runtime.ingest import MAX_ID, as_sent
from shopflow.store.protocol import Store
from shopflow.store.records import StoredEvent

#: Customers that are read at a time.
PAGE = 1_000
#: The event that leads to each state; what rules decide by themselves, a replay decides again.
_WORDS = {
    ConsentState.PENDING: "consent.granted",
    ConsentState.GRANTED: "consent.confirmed",
    ConsentState.DENIED: "consent.denied",
    ConsentState.WITHDRAWN: "consent.withdrawn",
}
_UPDATED = "customer.updated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """How things stand in a database just now."""

    standing: Counter[Place]
    #: Pool -> codes that nobody has.
    pools: Counter[str]


def recorded(store: Store, types: Collection[str]) -> Iterator[StoredEvent]:
    """The kept events of these types, oldest first, and what only ledger and customers know."""
    told, known, first = set[str](), set[str](), None
    for event in store.recommendations.past(types):
        first = first or event.occurred_at
        known.add(event.id)
        if event.customer_id is not None and event.type in PROFILE_EVENTS | CONTACT_EVENTS:
            told.add(event.customer_id)
    if first is None:
        return
    before = list(_before(store, told, known, first - timedelta(seconds=1)))
    yield from heapq.merge(
        sorted(before, key=_by_time), store.recommendations.past(types), key=_by_time
    )


def write(events: Iterable[StoredEvent], path: Path) -> int:
    """The events as lines of a file; returns how many. Erased ones have no words left."""
    count = 0
    with path.open("wb") as file:
        for event in events:
            if event.payload:
                file.write(event.payload.encode() + b"\n")
                count += 1
    return count


def live(store: Store, now: datetime) -> Live:
    """Where enrolments stand, and what is left of each pool."""
    standing = Counter(
        Place(one.workflow, one.digest, one.step or "")
        for customer in _everybody(store)
        for one in customer.enrolments
    )
    pools = Counter(
        {one.pool: one.counts.get(CodeState.FREE, 0) - one.ended
         for one in store.codes.pools(now=now)}
    )  # fmt: skip
    return Live(standing=standing, pools=pools)


def _before(
    store: Store, told: Collection[str], known: Collection[str], first: datetime
) -> Iterator[StoredEvent]:
    for page in _pages(store):
        for customer in page:
            known_of = customer.attributes
            data = {name: known_of[name] for name in CONTACT_ATTRIBUTES if name in known_of}
            if data and customer.id not in told:
                yield _event(store, f"known-{customer.id}", _UPDATED, first, customer.id, data)
        for entry in store.people.ledger([customer.id for customer in page]):
            if entry.event_id not in known and entry.consent.state in _WORDS:
                yield _consent(store, entry)


def _consent(store: Store, entry: LedgerEntry) -> StoredEvent:
    kind, at = _WORDS[entry.consent.state], entry.consent.at
    name = f"ledger-{entry.customer_id}-{entry.channel}-{entry.purpose}-{at.isoformat()}"
    data = {"channel": entry.channel, "purpose": entry.purpose}
    return _event(store, name, kind, at, entry.customer_id, data)


def _event(
    store: Store,
    name: str,
    kind: str,
    at: datetime,
    customer: CustomerId,
    data: Mapping[str, object],
) -> StoredEvent:
    told = EventId(name[-MAX_ID:])
    event = Event(id=told, type=kind, occurred_at=at, data=data, customer_id=customer)
    return StoredEvent(
        id=event.id,
        type=kind,
        partition=store.partition_of(customer),
        occurred_at=at,
        customer_id=customer,
        payload=as_sent(event).decode(),
    )


def _everybody(store: Store) -> Iterator[Customer]:
    for page in _pages(store):
        yield from page


def _pages(store: Store) -> Iterator[list[Customer]]:
    """People, a page at a time; aliases and rows of things left out."""
    for partition in range(store.partitions):
        after = ""
        while page := store.views.customers_after(partition, after, limit=PAGE):
            yield [one for one in page if one.alias_of is None and not is_subject(one.id)]
            after = page[-1].id


def _by_time(event: StoredEvent) -> tuple[datetime, str]:
    return event.occurred_at, event.id
