"""The tables of the memory store and the way back: each change can be undone until its commit.

What a change means is left to the batch and the outbox.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from threading import RLock
from typing import TypeVar

from shopflow.domain.coupon import CodeState
from shopflow.domain.customer import Customer
from shopflow.domain.event import Input
from shopflow.domain.ids import CustomerId, DrawId, EnrolmentId, EventId, MessageId, TrialId
from shopflow.domain.journal import JournalEntry, LedgerEntry
from shopflow.domain.recommendation import Strategy
from shopflow.domain.trial import Result, Trial
from shopflow.store.codes import StoredCode
from shopflow.store.deployments import Deployment
from shopflow.store.door import AddressLink
from shopflow.store.people import Tombstone
from shopflow.store.records import (
    DeliveryState,
    Fate,
    Fence,
    Pause,
    StatKey,
    StoredDeadLetter,
    StoredEvent,
    StoredMessage,
    StoredRuleset,
    StreamPosition,
    Suppression,
    Wait,
    lost,
)
from shopflow.store.sweeps import Sweep
from shopflow.store.tally import Tally, partition_of

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A message in the outbox and who holds it."""

    stored: StoredMessage
    owner: str = ""
    lease_until: datetime | None = None
    fate: Fate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRow:
    """A code, and who holds it."""

    stored: StoredCode
    owner: str = ""
    taken_until: datetime | None = None
    draw: DrawId | None = None

    def is_free(self, now: datetime) -> bool:
        """True when anyone may take it."""
        stored = self.stored
        if stored.ends_at is not None and stored.ends_at <= now:
            return False
        over = self.taken_until is not None and self.taken_until <= now
        return stored.state is CodeState.FREE or (stored.state is CodeState.TAKEN and over)


class State:
    """Every table as a dict or a list, one lock over all of them."""

    def __init__(self, partitions: int, *, history: bool) -> None:
        self.partitions = partitions
        self.history = history
        self.lock = RLock()
        self.cursors: dict[str, StreamPosition] = {}
        self.customers: dict[CustomerId, Customer] = {}
        self.event_keys: dict[tuple[int, int, EventId], StoredEvent | None] = {}
        self.inbox: list[dict[int, tuple[CustomerId, Input]]] = [{} for _ in range(partitions)]
        self.rows: dict[MessageId, Row] = {}
        self.queued: dict[MessageId, Row] = {}
        self.journal: list[JournalEntry] = []
        self.ledger: list[LedgerEntry] = []
        self.dead_letters: dict[int, StoredDeadLetter] = {}
        self.sweeps: dict[tuple[int, datetime, str], Sweep] = {}
        self.trials: dict[TrialId, Trial] = {}
        #: Trial and branch -> what is counted.
        self.trial_results: dict[tuple[TrialId, str], Mapping[Result, int]] = {}
        self.waits: dict[tuple[str, str, EnrolmentId], Wait] = {}
        self.stats: dict[StatKey, list[int]] = {}
        self.codes: dict[tuple[str, str], CodeRow] = {}
        #: Where the code of a draw is, or was.
        self.draws: dict[DrawId, tuple[str, str]] = {}
        self.products: dict[str, tuple[datetime, dict[str, object]]] = {}
        self.rankings: dict[tuple[Strategy, str], tuple[datetime, dict[str, float]]] = {}
        self.suppressions: dict[tuple[str, str, str], Suppression] = {}
        self.tombstones: list[Tombstone] = []
        #: What is fixed for this state, by name.
        self.settings: dict[str, str] = {}
        self.addresses: dict[AddressLink, None] = {}
        self.taken_once: dict[str, datetime] = {}
        self.occurrences: dict[str, datetime] = {}
        self.pauses: dict[str, Pause] = {}
        self.resumed: dict[str, datetime] = {}
        #: First turns that nobody has been given, and accepted messages by workflow and hour.
        self.paces: dict[str, datetime] = {}
        self.hours: dict[tuple[str, int], int] = {}
        self.rulesets: dict[str, StoredRuleset] = {}
        self.deployments: list[Deployment] = []
        self._inbox_seq = itertools.count(1)
        self.letter_seq = itertools.count(1)
        self._timers: list[list[tuple[datetime, CustomerId]]] = [[] for _ in range(partitions)]
        self._undo: list[Callable[[], object]] = []

    @contextmanager
    def changing(self) -> Iterator[Tally]:
        """All changes inside stay, with what was counted, or none does."""
        with self.lock:
            tally = Tally(self.partition_of)
            try:
                yield tally
            except BaseException:
                for step in reversed(self._undo):
                    step()
                raise
            else:
                self._add_up(tally)
            finally:
                self._undo.clear()

    def hold(self, fence: Fence) -> None:
        """Nobody takes the stream over before this change is done.

        Raises:
            Conflict: Somebody has.
        """
        cursor = self.cursors.get(fence.stream)
        if cursor is None or cursor.epoch != fence.epoch:
            raise lost(fence)

    def put(self, table: dict[K, V], key: K, value: V) -> None:
        """The table holds this value at the key."""
        if key in table:
            old = table[key]
            self._undo.append(lambda: table.__setitem__(key, old))
        else:
            self._undo.append(lambda: table.pop(key))
        table[key] = value

    def drop(self, table: dict[K, V], key: K) -> V | None:
        """The table no longer holds the key; what it held is given back."""
        if key not in table:
            return None
        old = table.pop(key)
        self._undo.append(lambda: table.__setitem__(key, old))
        return old

    def append(self, table: list[V], value: V) -> None:
        """The value is the table's last."""
        self._undo.append(table.pop)
        table.append(value)

    def put_row(self, row: Row) -> None:
        """The outbox holds this row, and knows it as queued when it is."""
        key = row.stored.message.id
        self.put(self.rows, key, row)
        if row.stored.state is DeliveryState.QUEUED:
            self.put(self.queued, key, row)
        else:
            self.drop(self.queued, key)

    def move(self, row: Row, state: DeliveryState, at: datetime, reason: str = "") -> Row:
        """The row, out of anyone's hands, in another state."""
        moved = Row(stored=replace(row.stored, state=state, reason=reason, changed_at=at))
        self.put_row(moved)
        return moved

    def put_customer(self, customer: Customer) -> None:
        """The customer is as given, with its timer."""
        old = self.customers.get(customer.id)
        self.put(self.customers, customer.id, customer)
        if old is not None:
            # Its timer may have been forgotten meanwhile.
            self._undo.append(lambda: self._set_timer(old))
        self._set_timer(customer)

    def tell(self, to: CustomerId, what: Input) -> None:
        """The input is the last in this customer's inbox."""
        self.put(self.inbox[self.partition_of(to)], next(self._inbox_seq), (to, what))

    def partition_of(self, subject: str) -> int:
        """The partition of an id."""
        return partition_of(subject, self.partitions) if self.partitions > 1 else 0

    def due(
        self, partition: int, until: datetime | None, limit: int
    ) -> list[tuple[datetime, CustomerId]]:
        """The first timers of a partition; those that no longer stand are forgotten on the way."""
        timers = self._timers[partition]
        found: list[tuple[datetime, CustomerId]] = []
        while timers and len(found) < limit and (until is None or timers[0][0] <= until):
            timer = heapq.heappop(timers)
            customer = self.customers.get(timer[1])
            stands = customer is not None and customer.next_due_at == timer[0]
            if stands and (not found or found[-1] != timer):
                found.append(timer)
        for timer in found:
            heapq.heappush(timers, timer)
        return found

    def _set_timer(self, customer: Customer) -> None:
        if customer.next_due_at is not None:
            timers = self._timers[self.partition_of(customer.id)]
            heapq.heappush(timers, (customer.next_due_at, customer.id))

    def _add_up(self, tally: Tally) -> None:
        for key, sums in tally.sums.items():
            have = self.stats.setdefault(key, [0, 0, 0])
            for index, amount in enumerate(sums):
                have[index] += amount
