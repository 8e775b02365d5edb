"""Wishes: what a person says on a page of ours, decided and kept before the page answers.

A wish is an event like any other and is decided by the same rules. It only does not wait in its
customer's stream: the transaction that keeps it changes the consent and stops every message that
may no longer leave, so nothing whose delivery begins after the answer goes against it. Timers are
left to the stream, which may hold what comes before them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

import orjson

from shopflow.domain.customer import Customer
from shopflow.domain.event import Event
from shopflow.domain.ids import CustomerId
from shopflow.errors import StoreError
from shopflow.runtime.ingest import Accepted, Ingest, as_sent, routing_id
from shopflow.runtime.serving import served
from shopflow.runtime.stream import ALONE
from shopflow.runtime.workset import Rules, Workset
from shopflow.store.protocol import Batch, Store
from shopflow.store.records import Arrival

_EVER = datetime.min.replace(tzinfo=UTC)
#: Seconds before each further attempt, where what refused a wish passes by itself.
PAUSES = (0.02, 0.1, 0.5)


class WishRefused(Exception):  # noqa: N818 - the name is the claim
    """Raised for a wish that is no event by its schema; names the place, never a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One thing that a person wants: the event that says so."""

    type: str
    data: Mapping[str, object] = field(default_factory=dict)
    #: What stands for it: what was taken before is not taken again. Empty: it is one of its own.
    once: str = ""


#: What to make of the person as they stand: nothing, where it has become pointless or forbidden.
Asked = Callable[[Customer], Sequence[Wish]]


class Wishes:
    """Decides wishes against one rulebook; for one thread at a time."""

    def __init__(self, store: Store, rules: Rules, ingest: Ingest) -> None:
        self.store = store
        self._rules = rules
        self._ingest = ingest
        #: Called once messages are kept that may leave at once.
        self.when_queued: Callable[[], None] = lambda: None

    @property
    def rules(self) -> Rules:
        """What wishes are decided by."""
        return self._rules

    def customer(self, customer_id: str) -> Customer:
        """The person of that id, or whom that visitor turned out to be; as last committed."""
        found = self.store.views.customer(CustomerId(customer_id))
        if found is not None and found.alias_of is not None:
            found = self.store.views.customer(found.alias_of)
        return found or Customer(id=CustomerId(customer_id))

    def take(self, customer_id: str, asked: Asked, *, anonymous: bool = False) -> Customer:
        """The person afterwards; what was asked is kept and decided once this returns.

        `asked` sees the person as nobody else can change them meanwhile. An anonymous one is a
        visitor whom no customer's id is known of.

        Raises:
            WishRefused: What is wished is no event.
            StoreError: It cannot be kept; whether it was, nobody can tell.
        """
        stamp = uuid4().hex
        for pause in (*PAUSES, None):
            try:
                take = partial(self._take, customer_id, asked, stamp, anonymous)
                return served(self._rules, take, ALONE)
            except StoreError as error:
                if pause is None or not error.retryable:
                    raise
                time.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _take(self, customer_id: str, asked: Asked, stamp: str, anonymous: bool) -> Customer:  # noqa: FBT001 - a fact
        key = CustomerId(customer_id)
        with self.store.transaction() as batch:
            found = batch.load([key]).get(key)
            if found is None and not anonymous and self._is_erased(batch, key):
                # A link outlives its person, and must not bring anything of them back.
                return Customer(id=key)
            if found is not None and found.alias_of is not None:
                key, anonymous = found.alias_of, False
            now = datetime.now(UTC)
            rules = self._rules.of_partition(self.store.partition_of(key))
            work = Workset(batch, rules, clock=now, ours=lambda other: other == key)
            events = [
                self._event(wish, key, now, f"{stamp}-{number}", anonymous=anonymous)
                for number, wish in enumerate(asked(work.customer(key)))
                if not wish.once or self._is_first(batch, wish, now)
            ]
            kept = [self._ingest.secrets.blanked(event) for event in events]
            home = self.store.partition_of
            new = batch.accept_events(
                [Arrival(home(routing_id(one)), one, as_sent(one)) for one in kept]
            )
            for event, is_new in zip(events, new, strict=True):
                if is_new:
                    work.decide(key, event)
            queued = work.write()
            person = work.customer(key)
        self.store.sync()
        if queued:
            self.when_queued()
        return person

    def _is_first(self, batch: Batch, wish: Wish, now: datetime) -> bool:
        hashes = self._rules.hashes
        return hashes is None or batch.take_once(hashes.once(wish.once), now)

    def _is_erased(self, batch: Batch, key: CustomerId) -> bool:
        stones = self._rules.tombstones
        if stones is None:
            return False
        stones.refresh(batch)
        return stones.refuse((key,), _EVER)

    def _event(
        self, wish: Wish, key: CustomerId, now: datetime, event_id: str, *, anonymous: bool
    ) -> Event:
        raw = orjson.dumps(
            {
                "id": event_id,
                "type": wish.type,
                "occurred_at": now.isoformat().replace("+00:00", "Z"),
                "anonymous_id" if anonymous else "customer_id": key,
                "data": wish.data,
            }
        )
        read = self._ingest.read(raw, received_at=now)
        if not isinstance(read, Accepted):
            raise WishRefused(f"{wish.type}: {read.detail}")
        return replace(read.event, ahead=True)
