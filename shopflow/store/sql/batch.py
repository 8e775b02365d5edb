"""One batch in SQL; opening, fencing and committing it are the store's."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, case, delete, select, tuple_, update

from shopflow.domain.codec import input_from_json
from shopflow.domain.coupon import Reserve
from shopflow.domain.customer import Customer
from shopflow.domain.event import Event, Input
from shopflow.domain.ids import CustomerId, MessageId, TrialId
from shopflow.domain.journal import Cancel, CodeChange, JournalEntry, LedgerEntry
from shopflow.domain.message import Message
from shopflow.domain.trial import CountResult, Trial
from shopflow.store import tables
from shopflow.store.catalogue import Products
from shopflow.store.delivery import CANCELLABLE, came_in, rank
from shopflow.store.door import AddressLink
from shopflow.store.people import Lifted, Tombstone
from shopflow.store.records import (
    Arrival,
    DeliveryState,
    Heard,
    StatRow,
    StoredDeadLetter,
    Suppression,
    Wait,
)
from shopflow.store.sql import codes, door, people, rows, shapes, trials
from shopflow.store.sql.carrying import (
    load_customers,
    tell_row,
    timers,
    write_tally,
    write_tells,
)
from shopflow.store.sql.database import Database
from shopflow.store.sql.products import load as load_products
from shopflow.store.sql.products import save as save_products
from shopflow.store.sql.traffic import note_heard
from shopflow.store.sweeps import Sweep
from shopflow.store.tables import micros
from shopflow.store.tally import Tally

#: Rows that one statement writes.
PART = 125


class SqlBatch:
    """A `Batch` on an open connection; what it tells and counts is written by `flush`."""

    def __init__(self, database: Database, connection: Connection, stream: str | None) -> None:
        self._database = database
        self._dialect = database.dialect
        self._connection = connection
        self._stream = stream
        self._tally = Tally(database.partition_of)
        self._told: list[rows.Row] = []
        self._position: tuple[str, datetime | None] | None = None

    def flush(self) -> None:
        """What was told, counted and read is written; the batch's last statements."""
        write_tells(self._database, self._connection, self._told)
        write_tally(self._database, self._connection, self._tally)
        if self._position is not None:
            position, read_to = self._position
            kept = None if read_to is None else micros(read_to)
            cursors = tables.cursors
            self._connection.execute(
                update(cursors)
                .where(cursors.c.stream == self._stream)
                .values(position=position, read_to=_later(cursors.c.read_to, kept))
            )

    def advance(self, position: str, read_to: datetime | None = None) -> None:
        """See `Batch`."""
        if self._stream is None:
            raise ValueError("this batch reads no stream, so there is no cursor to move")
        before = self._position[1] if self._position else None
        self._position = position, max(filter(None, (read_to, before)), default=None)

    def accept_events(self, arrivals: Sequence[Arrival]) -> list[bool]:
        """See `Batch`."""
        kept = [rows.event_row(arrival) for arrival in arrivals]
        news = self._dialect.insert_new(self._connection, shapes.EVENTS, kept)
        self._tally.add_events(
            (row[0], row[1], new)
            for arrival, row, new in zip(arrivals, kept, news, strict=True)
            if not arrival.copied
        )
        return news

    def knows(self, arrival: Arrival) -> bool:
        """See `Batch`."""
        table = tables.events
        day, partition, event_id = rows.event_row(arrival)[:3]
        found = self._connection.execute(
            select(table.c.id).where(
                table.c.day == day, table.c.partition == partition, table.c.id == event_id
            )
        )
        return found.first() is not None

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
        subject = event.concerns if event else None
        payload = raw.decode("utf-8", "backslashreplace")
        row = (
            micros(at),
            reason,
            detail,
            self._stream or "",
            event.id if event else None,
            subject,
            payload,
        )
        self._dialect.insert(self._connection, shapes.DEAD_LETTERS, [row])
        if came_in(self._stream, event):
            self._tally.add_dead_letter(at, subject)

    def take_dead_letters(
        self, *, numbers: Collection[int] | None = None, reason: str | None = None, limit: int = 100
    ) -> list[StoredDeadLetter]:
        """See `Batch`."""
        table = tables.dead_letters
        first = select(table.c.seq).order_by(table.c.seq).limit(limit)
        if numbers is not None:
            first = first.where(table.c.seq.in_(sorted(numbers)))
        if reason is not None:
            first = first.where(table.c.reason == reason)
        taken = self._connection.execute(
            delete(table).where(table.c.seq.in_(first.scalar_subquery())).returning(table)
        )
        return sorted(map(rows.dead_letter, taken.mappings()), key=lambda letter: letter.seq)

    def load(self, ids: Iterable[CustomerId]) -> dict[CustomerId, Customer]:
        """See `Batch`."""
        return load_customers(self._database, self._connection, ids, to_write=True)

    def due(self, until: datetime, *, limit: int, partition: int | None = None) -> list[CustomerId]:
        """See `Batch`."""
        statement = timers(self._database.partitions, partition)
        found = self._connection.execute(statement, {"until": micros(until), "most": limit})
        return [CustomerId(row[1]) for row in found]

    def take_inbox(
        self, *, limit: int, partition: int | None = None
    ) -> list[tuple[CustomerId, Input]]:
        """See `Batch`."""
        inbox = tables.inbox
        first = select(inbox.c.seq).order_by(inbox.c.seq).limit(limit)
        if partition is not None:
            first = first.where(inbox.c.partition == partition)
        # By number, not by range: another writer may yet commit a lower one.
        taken = self._connection.execute(
            delete(inbox)
            .where(inbox.c.seq.in_(first.scalar_subquery()))
            .returning(inbox.c.seq, inbox.c.customer_id, inbox.c.input)
        )
        return [
            (CustomerId(customer_id), input_from_json(rows.from_json(text)))
            for _, customer_id, text in sorted(taken)
        ]

    def tell(self, to: CustomerId, what: Input) -> None:
        """See `Batch`."""
        self._told.append(tell_row(self._database, to, what))

    def save(self, customers: Iterable[Customer]) -> None:
        """See `Batch`."""
        partition_of = self._database.partition_of
        # Sorted, so that two writers never wait for each other.
        ordered = sorted(
            {(partition_of(customer.id), customer.id): customer for customer in customers}.items()
        )
        # In parts, so that the database writes one while the next is made here.
        for start in range(0, len(ordered), PART):
            part = ordered[start : start + PART]
            kept = [rows.customer_row(customer, key[0]) for key, customer in part]
            self._dialect.insert(self._connection, shapes.CUSTOMERS, kept)
        aliases = [(one.id, one.alias_of) for _, one in ordered if one.alias_of is not None]
        self._dialect.insert(self._connection, shapes.ALIASES, aliases)

    def journal(self, entries: Sequence[JournalEntry]) -> None:
        """See `Batch`."""
        for entry in entries:
            self._tally.add_entry(entry)
        kept = [rows.journal_row(entry) for entry in entries]
        self._dialect.insert(self._connection, shapes.JOURNAL, kept)

    def queue(self, messages: Sequence[Message]) -> None:
        """See `Batch`."""
        kept = sorted(rows.message_row(message) for message in messages)
        self._dialect.insert(self._connection, shapes.MESSAGES, kept)

    def requeue(self, messages: Sequence[Message]) -> None:
        """See `Batch`."""
        table = tables.messages
        for message in sorted(messages, key=lambda message: message.id):
            decided = micros(message.decided_at)
            self._connection.execute(
                update(table)
                .where(table.c.id == message.id)
                .where(table.c.state == DeliveryState.RETURNED)
                .values(
                    state=DeliveryState.QUEUED.value,
                    reason="",
                    rank=rank(message),
                    decided_at=decided,
                    next_attempt_at=decided,
                    send_by=micros(message.send_by),
                    changed_at=decided,
                    message=rows.message_json(message),
                )
            )

    def cancel(self, cancels: Sequence[Cancel]) -> dict[MessageId, Message]:
        """See `Batch`."""
        table = tables.messages
        stopped = {}
        for cancel in sorted(cancels, key=lambda cancel: cancel.message_id):
            # One that is being leased is waited for: it is leased or not when this looks again.
            done = self._connection.execute(
                update(table)
                .where(table.c.id == cancel.message_id)
                .where(table.c.state.in_([state.value for state in CANCELLABLE]))
                .values(
                    state=DeliveryState.DROPPED.value,
                    reason=cancel.reason,
                    lease_owner="",
                    lease_until=None,
                )
                .returning(table.c.message)
            ).scalar()
            if done is not None:
                stopped[cancel.message_id] = rows.message_of(done)
        return stopped

    def change_codes(self, changes: Sequence[CodeChange], *, owner: str) -> list[Reserve]:
        """See `Batch`."""
        return codes.change(self._database, self._connection, changes, owner)

    def ledger(self, entries: Sequence[LedgerEntry]) -> None:
        """See `Batch`."""
        kept = [rows.ledger_row(entry) for entry in entries]
        self._dialect.insert(self._connection, shapes.CONSENTS, kept)

    def suppress(self, suppressions: Sequence[Suppression]) -> None:
        """See `Batch`."""
        people.suppress(self._database, self._connection, suppressions)

    def lift(self, lifted: Sequence[Lifted]) -> None:
        """See `Batch`."""
        people.lift(self._connection, lifted)

    def tombstones(self, after: int) -> list[Tombstone]:
        """See `Batch`."""
        return people.tombstones(self._connection, after)

    def count_stats(self, rows: Iterable[StatRow]) -> None:
        """See `Batch`."""
        self._tally.add_rows(rows)

    def load_products(self, skus: Collection[str]) -> Products:
        """See `Batch`."""
        return load_products(self._connection, skus)

    def save_products(self, products: Products, at: datetime) -> None:
        """See `Batch`."""
        save_products(self._database, self._connection, products, at)

    def add_waits(self, waits: Sequence[Wait]) -> None:
        """See `Batch`."""
        partition_of = self._database.partition_of
        kept = sorted(rows.wait_row(wait, partition_of(wait.customer_id)) for wait in waits)
        self._dialect.insert(self._connection, shapes.WAITS, kept)

    def drop_waits(self, waits: Iterable[Wait]) -> None:
        """See `Batch`."""
        table = tables.waits
        key = tuple_(table.c.event_type, table.c.key, table.c.enrolment_id)
        gone = sorted({wait[:3] for wait in waits})
        for start in range(0, len(gone), PART):
            self._connection.execute(delete(table).where(key.in_(gone[start : start + PART])))

    def note_heard(self, heard: Sequence[Heard]) -> None:
        """See `Batch`."""
        note_heard(self._connection, heard)

    def begin_sweep(self, sweep: Sweep) -> None:
        """See `Batch`."""
        self._dialect.insert(self._connection, shapes.NEW_SWEEPS, [rows.sweep_row(sweep)])

    def keep_sweep(self, sweep: Sweep) -> None:
        """See `Batch`."""
        self._dialect.insert(self._connection, shapes.SWEEPS, [rows.sweep_row(sweep)])

    def forget_sweeps(self, before: datetime) -> None:
        """See `Batch`."""
        table = tables.sweeps
        self._connection.execute(
            delete(table).where(table.c.done == 1, table.c.at < micros(before))
        )

    def begin_trials(self, begun: Sequence[Trial]) -> list[Trial]:
        """See `Batch`."""
        return trials.begin(self._database, self._connection, begun)

    def count_results(self, results: Iterable[CountResult]) -> None:
        """See `Batch`."""
        counted = list(results)
        for one in counted:
            self._tally.add_result(one)
        trials.count(self._database, self._connection, counted)

    def decide_trial(self, trial: TrialId, winner: str) -> bool:
        """See `Batch`."""
        return trials.decide(self._connection, trial, winner)

    def link_addresses(self, gone: Collection[AddressLink], new: Collection[AddressLink]) -> None:
        """See `Batch`."""
        door.link_addresses(self._database, self._connection, gone, new)

    def take_once(self, key: str, at: datetime) -> bool:
        """See `Batch`."""
        return door.take_once(self._database, self._connection, key, at)

    def set_occurrence(self, schedule: str, at: datetime) -> None:
        """See `Batch`."""
        self._dialect.insert(self._connection, shapes.SCHEDULES, [(schedule, micros(at))])


def _later(kept: ColumnElement[int | None], given: int | None) -> ColumnElement[int | None]:
    if given is None:
        return kept
    return case((kept > given, kept), else_=given)
