"""One batch of the memory store; locking and the way back are its state's."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice

from shopflow.domain.coupon import Reserve
from shopflow.domain.customer import Customer
from shopflow.domain.event import Event, Input
from shopflow.domain.ids import CustomerId, EventId, MessageId, TrialId
from shopflow.domain.journal import Cancel, CodeChange, JournalEntry, LedgerEntry
from shopflow.domain.message import Message
from shopflow.domain.trial import CountResult, Trial
from shopflow.store import memory_codes, memory_people
from shopflow.store.catalogue import Products
from shopflow.store.delivery import CANCELLABLE, came_in
from shopflow.store.door import AddressLink
from shopflow.store.memory_state import Row, State
from shopflow.store.memory_traffic import note_heard
from shopflow.store.people import Lifted, Tombstone
from shopflow.store.records import (
    Arrival,
    DeliveryState,
    Heard,
    StatRow,
    StoredDeadLetter,
    StoredEvent,
    StoredMessage,
    Suppression,
    Wait,
)
from shopflow.store.sweeps import Sweep
from shopflow.store.tally import Tally, day_of


class MemoryBatch:
    """A `Batch` whose changes show at once and are undone when its block fails."""

    def __init__(self, state: State, tally: Tally, stream: str | None) -> None:
        self._state = state
        self._tally = tally
        self._stream = stream

    def advance(self, position: str, read_to: datetime | None = None) -> None:
        """See `Batch`."""
        if self._stream is None:
            raise ValueError("this batch reads no stream, so there is no cursor to move")
        cursor = self._state.cursors[self._stream]
        later = max(filter(None, (read_to, cursor.read_to)), default=None)
        moved = replace(cursor, position=position, read_to=later)
        self._state.put(self._state.cursors, self._stream, moved)

    def accept_events(self, arrivals: Sequence[Arrival]) -> list[bool]:
        """See `Batch`."""
        state = self._state
        news = []
        for arrival in arrivals:
            key = _event_key(arrival)
            news.append(key not in state.event_keys)
            if news[-1]:
                kept = _stored(arrival) if state.history and not arrival.copied else None
                state.put(state.event_keys, key, kept)
            if not arrival.copied:
                self._tally.add_events([(key[0], arrival.partition, news[-1])])
        return news

    def knows(self, arrival: Arrival) -> bool:
        """See `Batch`."""
        return _event_key(arrival) in self._state.event_keys

    def dead_letter(
        self,
        reason: str,
        *,
        at: datetime,
        raw: bytes = b"",
        detail: str = "",
        event: Event | None = None,
    ) -> None:
        """See `Batch`."""
        letter = StoredDeadLetter(
            seq=next(self._state.letter_seq),
            at=at,
            reason=reason,
            detail=detail,
            stream=self._stream or "",
            event_id=event.id if event else None,
            customer_id=event.concerns if event else None,
            payload=raw.decode("utf-8", "backslashreplace"),
        )
        self._state.put(self._state.dead_letters, letter.seq, letter)
        if came_in(self._stream, event):
            self._tally.add_dead_letter(at, letter.customer_id)

    def take_dead_letters(
        self, *, numbers: Collection[int] | None = None, reason: str | None = None, limit: int = 100
    ) -> list[StoredDeadLetter]:
        """See `Batch`."""
        found = [
            letter
            for seq, letter in sorted(self._state.dead_letters.items())
            if (numbers is None or seq in numbers) and reason in {None, letter.reason}
        ][:limit]
        for letter in found:
            self._state.drop(self._state.dead_letters, letter.seq)
        return found

    def load(self, ids: Iterable[CustomerId]) -> dict[CustomerId, Customer]:
        """See `Batch`."""
        customers = self._state.customers
        return {key: customers[key] for key in ids if key in customers}

    def due(self, until: datetime, *, limit: int, partition: int | None = None) -> list[CustomerId]:
        """See `Batch`."""
        state = self._state
        partitions = range(state.partitions) if partition is None else (partition,)
        timers = heapq.merge(*(state.due(number, until, limit) for number in partitions))
        return [customer_id for _, customer_id in islice(timers, limit)]

    def take_inbox(
        self, *, limit: int, partition: int | None = None
    ) -> list[tuple[CustomerId, Input]]:
        """See `Batch`."""
        boxes = self._state.inbox if partition is None else [self._state.inbox[partition]]
        first = heapq.nsmallest(limit, ((seq, box) for box in boxes for seq in box), key=_seq)
        taken = (self._state.drop(box, seq) for seq, box in first)
        return [entry for entry in taken if entry is not None]

    def tell(self, to: CustomerId, what: Input) -> None:
        """See `Batch`."""
        self._state.tell(to, what)

    def save(self, customers: Iterable[Customer]) -> None:
        """See `Batch`."""
        for customer in customers:
            self._state.put_customer(customer)

    def journal(self, entries: Sequence[JournalEntry]) -> None:
        """See `Batch`."""
        for entry in entries:
            self._tally.add_entry(entry)
            if self._state.history:
                self._state.append(self._state.journal, entry)

    def queue(self, messages: Sequence[Message]) -> None:
        """See `Batch`."""
        for message in messages:
            if message.id not in self._state.rows:
                self._state.put_row(_queued(message))

    def requeue(self, messages: Sequence[Message]) -> None:
        """See `Batch`."""
        for message in messages:
            row = self._state.rows.get(message.id)
            if row is not None and row.stored.state is DeliveryState.RETURNED:
                kept = replace(
                    _queued(message).stored,
                    attempts=row.stored.attempts,
                    uncertain=row.stored.uncertain,
                )
                self._state.put_row(Row(stored=kept))

    def cancel(self, cancels: Sequence[Cancel]) -> dict[MessageId, Message]:
        """See `Batch`."""
        stopped = {}
        for cancel in cancels:
            row = self._state.rows.get(cancel.message_id)
            if row is not None and row.stored.state in CANCELLABLE:
                at = row.stored.changed_at
                self._state.move(row, DeliveryState.DROPPED, at, cancel.reason)
                stopped[cancel.message_id] = row.stored.message
        return stopped

    def change_codes(self, changes: Sequence[CodeChange], *, owner: str) -> list[Reserve]:
        """See `Batch`."""
        return memory_codes.change(self._state, changes, owner)

    def ledger(self, entries: Sequence[LedgerEntry]) -> None:
        """See `Batch`."""
        for entry in entries:
            self._state.append(self._state.ledger, entry)

    def suppress(self, suppressions: Sequence[Suppression]) -> None:
        """See `Batch`."""
        for suppression in suppressions:
            memory_people.suppress(self._state, suppression)

    def lift(self, lifted: Sequence[Lifted]) -> None:
        """See `Batch`."""
        for one in lifted:
            for key in memory_people.lifted_by(self._state, one):
                self._state.drop(self._state.suppressions, key)

    def tombstones(self, after: int) -> list[Tombstone]:
        """See `Batch`."""
        return [stone for stone in self._state.tombstones if stone.seq > after]

    def count_stats(self, rows: Iterable[StatRow]) -> None:
        """See `Batch`."""
        self._tally.add_rows(rows)

    def load_products(self, skus: Collection[str]) -> Products:
        """See `Batch`."""
        table = self._state.products
        return {sku: table[sku][1] for sku in skus if sku in table}

    def save_products(self, products: Products, at: datetime) -> None:
        """See `Batch`."""
        table = self._state.products
        for sku, product in products.items():
            if sku not in table or table[sku][0] <= at:
                self._state.put(table, sku, (at, dict(product)))

    def add_waits(self, waits: Sequence[Wait]) -> None:
        """See `Batch`."""
        for wait in waits:
            if wait[:3] not in self._state.waits:
                self._state.put(self._state.waits, wait[:3], wait)

    def drop_waits(self, waits: Iterable[Wait]) -> None:
        """See `Batch`."""
        for wait in waits:
            self._state.drop(self._state.waits, wait[:3])

    def note_heard(self, heard: Sequence[Heard]) -> None:
        """See `Batch`."""
        note_heard(self._state, heard)

    def begin_sweep(self, sweep: Sweep) -> None:
        """See `Batch`."""
        if sweep.key not in self._state.sweeps:
            self._state.put(self._state.sweeps, sweep.key, sweep)

    def keep_sweep(self, sweep: Sweep) -> None:
        """See `Batch`."""
        self._state.put(self._state.sweeps, sweep.key, sweep)

    def forget_sweeps(self, before: datetime) -> None:
        """See `Batch`."""
        for sweep in list(self._state.sweeps.values()):
            if sweep.done and sweep.at < before:
                self._state.drop(self._state.sweeps, sweep.key)

    def begin_trials(self, begun: Sequence[Trial]) -> list[Trial]:
        """See `Batch`."""
        for trial in begun:
            if trial.id not in self._state.trials:
                self._state.put(self._state.trials, trial.id, trial)
        return [self._state.trials[trial.id] for trial in begun]

    def count_results(self, results: Iterable[CountResult]) -> None:
        """See `Batch`."""
        table = self._state.trial_results
        for one in results:
            self._tally.add_result(one)
            key = one.watch.trial, one.watch.branch
            known = table.get(key, {})
            self._state.put(table, key, {**known, one.result: known.get(one.result, 0) + 1})

    def decide_trial(self, trial: TrialId, winner: str) -> bool:
        """See `Batch`."""
        known = self._state.trials[trial]
        if known.winner:
            return False
        self._state.put(self._state.trials, trial, replace(known, winner=winner))
        return True

    def link_addresses(self, gone: Collection[AddressLink], new: Collection[AddressLink]) -> None:
        """See `Batch`."""
        for link in gone:
            self._state.drop(self._state.addresses, link)
        for link in new:
            self._state.put(self._state.addresses, link, None)

    def take_once(self, key: str, at: datetime) -> bool:
        """See `Batch`."""
        if key in self._state.taken_once:
            return False
        self._state.put(self._state.taken_once, key, at)
        return True

    def set_occurrence(self, schedule: str, at: datetime) -> None:
        """See `Batch`."""
        self._state.put(self._state.occurrences, schedule, at)


def _seq(place: tuple[int, object]) -> int:
    return place[0]


def _queued(message: Message) -> Row:
    return Row(
        stored=StoredMessage(
            message=message,
            state=DeliveryState.QUEUED,
            next_attempt_at=message.decided_at,
            changed_at=message.decided_at,
        )
    )


def _event_key(arrival: Arrival) -> tuple[int, int, EventId]:
    return day_of(arrival.event.occurred_at), arrival.partition, arrival.event.id


def _stored(arrival: Arrival) -> StoredEvent:
    event = arrival.event
    return StoredEvent(
        id=event.id,
        type=event.type,
        partition=arrival.partition,
        occurred_at=event.occurred_at,
        customer_id=event.concerns,
        payload=arrival.raw.decode(),
    )
