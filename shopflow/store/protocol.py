"""What the runtime may ask of a store; memory and SQL keep the same promises.

One batch is one transaction: all of it is kept or nothing. Inputs of one customer are decided by
one reader at a time, which the epoch of its stream's cursor enforces.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Protocol

from shopflow.domain.customer import Customer
from shopflow.domain.event import Event, Input
from shopflow.domain.ids import CustomerId, EventId, MessageId
from shopflow.domain.journal import Cancel, JournalEntry, LedgerEntry
from shopflow.domain.message import Message
from shopflow.store.records import (
    Arrival,
    Cursor,
    DeliveryState,
    LeasedMessage,
    Pause,
    Recovered,
    Retry,
    Settled,
    StatRow,
    StatusReport,
    StoredDeadLetter,
    StoredEvent,
    StoredMessage,
    StoredRuleset,
    Suppression,
    Timeline,
    Wait,
)


class Batch(Protocol):
    """One open transaction; leaving its block commits, an exception takes everything back."""

    def advance(self, position: str, read_to: datetime | None = None) -> None:
        """The stream's cursor stands at this position; what was read goes up to this time."""

    def accept_events(self, arrivals: Sequence[Arrival]) -> list[bool]:
        """Which events are new, in order; False is a duplicate, also of one in the same call.

        Counts each as `accepted` or `duplicate`.
        """

    def dead_letter(
        self,
        reason: str,
        *,
        at: datetime,
        raw: bytes = b"",
        detail: str = "",
        event: Event | None = None,
    ) -> None:
        """The input is kept aside with its reason.

        It is counted as `dead_letter` when it came in with this batch's stream; what shopflow
        itself emitted was counted by the event that led to it.
        """

    def take_dead_letters(
        self, *, numbers: Collection[int] | None = None, reason: str | None = None, limit: int = 100
    ) -> list[StoredDeadLetter]:
        """Dead letters of these numbers and this reason, oldest first; kept no longer.

        To try one again, hand it on before this batch commits: cut off in between, it is taken
        twice and recognised as a duplicate.
        """

    def load(self, ids: Iterable[CustomerId]) -> dict[CustomerId, Customer]:
        """The customers of these ids that exist, whole, as last saved.

        No other batch writes them, or makes those that are missing, before this one ends.
        """

    def due(self, until: datetime, *, limit: int, partition: int | None = None) -> list[CustomerId]:
        """Who has a timer at or before `until`, earliest first, ties by id."""

    def take_inbox(
        self, *, limit: int, partition: int | None = None
    ) -> list[tuple[CustomerId, Input]]:
        """What was told longest ago, in order; gone from the inbox once this batch commits."""

    def tell(self, to: CustomerId, what: Input) -> None:
        """The input waits in this customer's inbox from the commit on."""

    def save(self, customers: Iterable[Customer]) -> None:
        """The customers are as given, and due at their `next_due_at`.

        Raises:
            Unstorable: A state is over 64 KiB or holds a value that is no plain JSON.
        """

    def journal(self, entries: Sequence[JournalEntry]) -> None:
        """The entries are in the journal, in order, and counted in the statistics."""

    def queue(self, messages: Sequence[Message]) -> None:
        """The messages are in the outbox; one whose id is there already changes nothing."""

    def requeue(self, messages: Sequence[Message]) -> None:
        """Messages that were handed back may leave after all, as they are given here."""

    def cancel(self, cancels: Sequence[Cancel]) -> set[MessageId]:
        """Those that will not leave: a message that is leased or further stays as it is."""

    def ledger(self, entries: Sequence[LedgerEntry]) -> None:
        """The entries stand in the consent ledger."""

    def suppress(self, suppressions: Sequence[Suppression]) -> None:
        """The address hashes are suppressed."""

    def count_stats(self, rows: Iterable[StatRow]) -> None:
        """The statistics are higher by these rows."""

    def save_products(self, products: Mapping[str, Mapping[str, object]], at: datetime) -> None:
        """The catalogue knows these skus as given, unless it has newer word of them."""

    def add_waits(self, waits: Sequence[Wait]) -> None:
        """The enrolments wait; one that waits for the same already keeps its place.

        Once this batch has committed, `Views.latest_events` tells whether one came too late.
        """

    def drop_waits(self, waits: Iterable[Wait]) -> None:
        """The enrolments no longer wait."""

    def note_events(self, latest: Mapping[tuple[str, str], datetime]) -> None:
        """Of each (event type, key) there was an event at this time, unless a later is known.

        Commit it before reading who waits: then every wait is either read or sees this time.
        """

    def set_occurrence(self, schedule: str, at: datetime) -> None:
        """The last occurrence of the schedule that was taken care of."""


class Outbox(Protocol):
    """The delivery side: each call is a transaction of its own, committed when it returns."""

    def lease(
        self, channel: str, *, limit: int, now: datetime, owner: str, lease_for: timedelta
    ) -> list[LeasedMessage]:
        """Messages of the channel that may go now, each in one owner's hands only.

        Service first, then by priority, then the oldest decision. What a pause covers stays
        queued. A message past its `send_by` is among them: it is to be handed back.
        """

    def start_attempt(
        self, ids: Sequence[MessageId], *, owner: str, now: datetime
    ) -> set[MessageId]:
        """Those marked as attempted; one that is missing is no longer in this owner's hands."""

    def record(
        self, *, owner: str, settled: Sequence[Settled] = (), retries: Sequence[Retry] = ()
    ) -> set[MessageId]:
        """Those whose state changed; each of the settled ones told its customer and was counted.

        An acceptance counts from anyone, since the message has left; the message is then kept as
        the report has it, where secrets may be blanked. Any other word counts only from the owner
        of the lease.
        """

    def recover(
        self,
        *,
        now: datetime,
        resend: Collection[str],
        owner: str | None = None,
        channel: str | None = None,
    ) -> Recovered:
        """Takes back leases that have run out by `now`, and every lease of `owner`.

        With a channel, only its messages.

        Attempts without a receipt go again on the channels of `resend`; on others they stay
        uncertain, and their customers are told.
        """

    def pending(self) -> int:
        """How many messages may still leave."""

    def next_attempt_at(self) -> datetime | None:
        """The earliest time at which a queued message may go."""


class Views(Protocol):
    """Reads outside of any batch, for people and for the runtime; nothing here changes anything."""

    def status(self) -> StatusReport:
        """The state of the whole in numbers."""

    def customer(self, customer_id: CustomerId) -> Customer | None:
        """The customer, or None when there is no such row."""

    def customers(self, ids: Iterable[CustomerId]) -> dict[CustomerId, Customer]:
        """The customers of these ids that exist, as last committed."""

    def next_due_at(self, partition: int | None = None) -> datetime | None:
        """The earliest timer of all customers, or earlier."""

    def told_partitions(self) -> list[int]:
        """The partitions in whose inbox something waits, in order."""

    def timeline(self, customer_id: CustomerId) -> Timeline:
        """Events, journal and messages of the customer."""

    def event(self, event_id: EventId) -> StoredEvent | None:
        """The newest accepted event of this id."""

    def journal_of_event(self, event_id: EventId) -> list[JournalEntry]:
        """What was decided because of this event."""

    def messages(
        self,
        *,
        state: DeliveryState | None = None,
        workflow: str | None = None,
        limit: int = 100,
    ) -> list[StoredMessage]:
        """The newest messages of a state and a workflow."""

    def dead_letters(
        self, *, reason: str | None = None, limit: int = 100
    ) -> list[StoredDeadLetter]:
        """The newest dead letters."""

    def waiting(
        self, event_type: str, key: str, *, after: Wait | None = None, limit: int = 1_000
    ) -> list[Wait]:
        """Who waits for such an event, longest first; the page behind the wait `after`."""

    def latest_events(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], datetime]:
        """The time of the latest event of each (event type, key) that was noted."""

    def stats(self) -> list[StatRow]:
        """All statistics, in the order of their keys."""

    def products(self) -> dict[str, Mapping[str, object]]:
        """What the catalogue knows, by sku."""

    def suppressions(self, hashes: Iterable[str]) -> list[Suppression]:
        """The suppressions of these address hashes."""

    def occurrences(self) -> dict[str, datetime]:
        """The last occurrence of each schedule that was taken care of."""

    def pauses(self) -> list[Pause]:
        """The kill switches that are on."""

    def rulesets(self) -> list[StoredRuleset]:
        """The deployed revisions, newest first."""

    def retained_workflows(self) -> dict[str, object]:
        """Workflow documents of every deployed revision, by the digest of the workflow.

        They are what a ruleset's document holds under `workflows`.
        """


class Store(Protocol):
    """The state of the whole: opened by `shopflow.store.open_store`, closed once."""

    @property
    def partitions(self) -> int:
        """Into how many parts customers are split; fixed when the database is made."""

    @property
    def outbox(self) -> Outbox:
        """The delivery side."""

    @property
    def views(self) -> Views:
        """What can be read outside of a batch."""

    def partition_of(self, subject: str) -> int:
        """The partition of an id as sent; the same on every machine."""

    def take_over(self, stream: str) -> Cursor:
        """The caller is the stream's one reader; batches of an earlier reader are refused."""

    def transaction(
        self, stream: str | None = None, epoch: int | None = None
    ) -> AbstractContextManager[Batch]:
        """One batch; with a stream, only while `epoch` is its reader's.

        Raises:
            Conflict: Another reader took over the stream; nothing was written.
            StoreError: The database refuses; says why and what to do.
        """

    def wake_all(self, at: datetime, *, partition: int | None = None) -> None:
        """Every customer is due at `at` at the latest: new rules may want something of them.

        With a partition, only its customers. Each partition is a transaction of its own.
        """

    def make_room(self, until: datetime) -> None:
        """Events and journal have a place for every day up to then, made ahead of need."""

    def forget_events(
        self,
        before: datetime,
        *,
        types: Collection[str] | None = None,
        since: datetime | None = None,
    ) -> bool:
        """A page of the events of earlier days is gone, and with it the knowledge of duplicates.

        Only of these types, only from the day of `since`, where given. False when none was left;
        so call it until then.
        """

    def forget_journal(self, before: datetime) -> bool:
        """A page of the journal of earlier days is gone; False when none was left."""

    def deploy(self, digest: str, document: Mapping[str, object], at: datetime) -> None:
        """The revision is the newest one deployed."""

    def pause(self, pause: Pause) -> None:
        """The kill switch is on."""

    def resume(self, scope: str) -> bool:
        """The kill switch is off; False when it was not on."""

    def close(self) -> None:
        """Lets go of files and connections; harmless when called twice."""
