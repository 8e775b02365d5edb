"""What the runtime may ask of a store; memory and SQL keep the same promises.

One batch is one transaction: all of it is kept or nothing. Inputs of one customer are decided by
one reader at a time, which the epoch of its stream's cursor enforces.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from shopflow.domain.customer import Customer
from shopflow.domain.event import Event, Input
from shopflow.domain.ids import CustomerId, EnrolmentId, EventId, MessageId
from shopflow.domain.journal import Cancel, JournalEntry, LedgerEntry
from shopflow.domain.message import Message
from shopflow.store.catalogue import CatalogueDesk, CatalogueView
from shopflow.store.codes import CodeDesk, Codes
from shopflow.store.deployments import Deployments
from shopflow.store.door import DoorWrites
from shopflow.store.keys import Keys
from shopflow.store.outgoing import Outbox, Traffic
from shopflow.store.people import Lifted, People, Tombstone
from shopflow.store.recommendations import Recommendations
from shopflow.store.records import (
    Arrival,
    Cursor,
    DeliveryState,
    Heard,
    Pause,
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
from shopflow.store.sweeps import SweepReads, SweepWrites
from shopflow.store.trials import TrialReads, TrialWrites
from shopflow.store.vitals import Revision, StoreVitals


class Batch(SweepWrites, TrialWrites, DoorWrites, CodeDesk, CatalogueDesk, Protocol):
    """One open transaction; leaving its block commits, an exception takes everything back."""

    def advance(self, position: str, read_to: datetime | None = None) -> None:
        """The stream's cursor stands at this position; what was read goes up to this time."""

    def accept_events(self, arrivals: Sequence[Arrival]) -> list[bool]:
        """Which events are new, in order; False is a duplicate, also of one in the same call.

        Counts each as `accepted` or `duplicate`.
        """

    def knows(self, arrival: Arrival) -> bool:
        """True when the event has been accepted before."""

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

    def cancel(self, cancels: Sequence[Cancel]) -> dict[MessageId, Message]:
        """Those that will not leave: a message whose attempt has begun stays as it is."""

    def ledger(self, entries: Sequence[LedgerEntry]) -> None:
        """The entries stand in the consent ledger."""

    def suppress(self, suppressions: Sequence[Suppression]) -> None:
        """The hashes are suppressed; where one is already, the later word stays."""

    def lift(self, lifted: Sequence[Lifted]) -> None:
        """What stopped marketing to these hashes before then is gone."""

    def tombstones(self, after: int) -> list[Tombstone]:
        """Who was erased, behind that number, in order; nobody is erased before this batch ends."""

    def count_stats(self, rows: Iterable[StatRow]) -> None:
        """The statistics are higher by these rows."""

    def add_waits(self, waits: Sequence[Wait]) -> None:
        """The enrolments wait; one that waits for the same already keeps its place."""

    def drop_waits(self, waits: Iterable[Wait]) -> None:
        """The enrolments no longer wait."""

    def note_heard(self, heard: Sequence[Heard]) -> None:
        """What was heard of these messages is kept with them; the first word on each stays."""

    def set_occurrence(self, schedule: str, at: datetime) -> None:
        """The last occurrence of the schedule that was taken care of."""


class Views(SweepReads, TrialReads, CatalogueView, Protocol):
    """Reads outside of any batch, for people and for the runtime; nothing here changes anything."""

    def status(self) -> StatusReport:
        """The state of the whole in numbers."""

    def customer(self, customer_id: CustomerId) -> Customer | None:
        """The customer, or None when there is no such row."""

    def customers(self, ids: Iterable[CustomerId]) -> dict[CustomerId, Customer]:
        """The customers of these ids that exist, as last committed."""

    def next_due_at(self, partition: int | None = None) -> datetime | None:
        """The earliest timer of all customers, or earlier."""

    def told_partitions(self, only: int | None = None) -> list[int]:
        """The partitions in whose inbox something waits, in order; or only this one, if it has."""

    def timeline(self, customer_id: CustomerId) -> Timeline:
        """Events, journal and messages of the customer."""

    def event(self, event_id: EventId) -> StoredEvent | None:
        """The newest accepted event of this id."""

    def journal_of_event(self, event_id: EventId) -> list[JournalEntry]:
        """What was decided because of this event."""

    def customer_of(self, enrolment_id: EnrolmentId) -> CustomerId | None:
        """Whose enrolment it is, or was; None when the journal knows nothing of it.

        Looked for in the journal from its end, which takes its time where it is long ago: for
        people only.
        """

    def messages(
        self,
        *,
        state: DeliveryState | None = None,
        workflow: str | None = None,
        customer: CustomerId | None = None,
        channel: str | None = None,
        limit: int = 100,
    ) -> list[StoredMessage]:
        """The newest messages of a state, a workflow, a customer and a channel."""

    def dead_letters(
        self, *, numbers: Collection[int] | None = None, reason: str | None = None, limit: int = 100
    ) -> list[StoredDeadLetter]:
        """The newest dead letters of these numbers and this reason."""

    def waiting(
        self,
        event_type: str,
        key: str,
        *,
        partition: int | None = None,
        after: Wait | None = None,
        limit: int = 1_000,
    ) -> list[Wait]:
        """Who waits for such an event, longest first; the page behind the wait `after`."""

    def vitals(self) -> StoreVitals:
        """What waits and what is wrong, at little cost."""

    def stats(self) -> list[StatRow]:
        """All statistics, in the order of their keys."""

    def sums(self, *, since: int = 0, before: int = 10**8) -> list[StatRow]:
        """Statistics by workflow, channel and result only, of days from one to before the other."""

    def suppressions(self, hashes: Iterable[str]) -> list[Suppression]:
        """The suppressions of these address hashes."""

    def occurrences(self) -> dict[str, datetime]:
        """The last occurrence of each schedule that was taken care of."""

    def pauses(self) -> list[Pause]:
        """The kill switches that are on."""

    def rulesets(self) -> list[StoredRuleset]:
        """The deployed revisions, newest first."""

    def newest_revision(self) -> Revision | None:
        """The newest of them, without its document; None before the first deploy."""

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
    def codes(self) -> Codes:
        """The pools of codes."""

    @property
    def keys(self) -> Keys:
        """The keys that seal links."""

    @property
    def deployments(self) -> Deployments:
        """The rules that were put to work."""

    @property
    def views(self) -> Views:
        """What can be read outside of a batch."""

    @property
    def recommendations(self) -> Recommendations:
        """What products are recommended by."""

    @property
    def people(self) -> People:
        """What is kept of single persons."""

    @property
    def traffic(self) -> Traffic:
        """What breakers look at."""

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

    def sync(self) -> None:
        """What was committed outlives a power cut, as far as the disk does what it says."""

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

    def forget_dead_letters(self, before: datetime) -> bool:
        """A page of the dead letters from before then is gone; False when none was left."""

    def deploy(self, digest: str, document: Mapping[str, object], at: datetime) -> None:
        """The revision is the newest one deployed."""

    def pause(self, pause: Pause) -> None:
        """The kill switch is on; the journal tells it, as an entry of no customer."""

    def resume(self, scope: str, *, at: datetime, reason: str = "") -> bool:
        """The kill switch is off, which the journal tells; False when it was not on."""

    def close(self) -> None:
        """Lets go of files and connections; harmless when called twice."""
