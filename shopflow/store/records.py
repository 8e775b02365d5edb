"""What the store hands out and takes in besides the domain's own values: plain frozen records.

They say nothing of how they are kept; the operations are in `shopflow.store.protocol`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from shopflow.domain.event import DeliveryReport, Event
from shopflow.domain.ids import CustomerId, EnrolmentId, EventId, MessageId
from shopflow.domain.journal import JournalEntry
from shopflow.domain.message import Message
from shopflow.errors import Conflict
from shopflow.store.sweeps import Sweep
from shopflow.store.trials import KeptTrial


class DeliveryState(StrEnum):
    """Where a message stands between the decision and the provider's last word."""

    QUEUED = "queued"
    #: Held by a deliverer; nothing has left.
    LEASED = "leased"
    #: The channel has been called; without a receipt nobody knows what left.
    ATTEMPTED = "attempted"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    DROPPED = "dropped"
    #: Begun, never answered and not repeated by itself.
    UNCERTAIN = "uncertain"
    #: Handed back to its step, which may let it go after all.
    RETURNED = "returned"


#: How many messages in doubt a status lists.
UNCERTAIN_SHOWN = 100

#: Trials that a status lists.
TRIALS_SHOWN = 10

#: States from which a message may still leave.
PENDING = frozenset({DeliveryState.QUEUED, DeliveryState.LEASED, DeliveryState.ATTEMPTED})


class Cursor(NamedTuple):
    """The right to read a stream: the epoch of this reader, and where to go on ("" = start)."""

    epoch: int
    position: str


class Fence(NamedTuple):
    """What is done behind it is refused once another has taken the stream over."""

    stream: str
    epoch: int


class Arrival(NamedTuple):
    """A valid event on its way in: the partition that it came to, and the bytes as sent."""

    partition: int
    event: Event
    raw: bytes
    #: One of many: known by its key so that it is decided once, kept and counted elsewhere.
    copied: bool = False


class Wait(NamedTuple):
    """An enrolment that waits for an event which is not its customer's own."""

    event_type: str
    #: What the event has to be about, such as a sku.
    key: str
    enrolment_id: EnrolmentId
    customer_id: CustomerId
    since: datetime


class Pace(NamedTuple):
    """Turns at an even distance, kept for all that deliver together under one name."""

    name: str
    distance: timedelta
    #: How far ahead of now a lease takes turns.
    ahead: timedelta = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedMessage:
    """A message in the hands of one deliverer."""

    message: Message
    #: The number of the attempt that comes now, counted from 1.
    attempt: int
    #: Attempts before this one that were begun and never answered.
    uncertain: int = 0
    #: Not before this, by the pace that it was leased at.
    turn: datetime | None = None
    #: The turn of its own that it came back for, such as that of its recipient's domain.
    own_turn: datetime | None = None


class Begun(NamedTuple):
    """An attempt begins: the channel is called as soon as this is kept."""

    message_id: MessageId
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The last word on an attempt; its report reaches the customer through the inbox."""

    report: DeliveryReport
    provider_id: str = ""
    #: In the project's currency.
    cost: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Another attempt later, kept in the outbox."""

    message_id: MessageId
    at: datetime
    reason: str
    #: The attempt was begun and its answer lost: the next one may be a double.
    uncertain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMessage:
    """A message and its life so far."""

    message: Message
    state: DeliveryState
    attempts: int = 0
    uncertain: int = 0
    next_attempt_at: datetime | None = None
    reason: str = ""
    provider_id: str = ""
    #: When it came to its present state.
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What a dead deliverer left behind and what became of it."""

    #: Leased, never attempted: queued again, no doubt about them.
    requeued: int = 0
    #: Attempted without a receipt and queued again: each may leave twice.
    resent: tuple[StoredMessage, ...] = ()
    #: Attempted without a receipt and not repeated.
    held: tuple[StoredMessage, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """An accepted event as it is kept."""

    id: EventId
    type: str
    partition: int
    occurred_at: datetime
    customer_id: CustomerId | None
    payload: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDeadLetter:
    """An input that could not be processed, with the reason."""

    seq: int
    at: datetime
    reason: str
    detail: str = ""
    stream: str = ""
    event_id: EventId | None = None
    customer_id: CustomerId | None = None
    payload: str = ""


class StatKey(NamedTuple):
    """What a number of the statistics counts; `day` reads as 20260303."""

    day: int
    partition: int
    workflow: str = ""
    version: int = 0
    step: str = ""
    channel: str = ""
    variant: str = ""
    result: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatRow:
    """So many of it, and the money in it, exact to a millionth."""

    key: StatKey
    count: int = 1
    value: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPosition:
    """How far a stream has been read and processed."""

    stream: str
    epoch: int
    position: str
    #: Time of the last input that was committed; the lag counts from it.
    read_to: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRuleset:
    """A deployed revision of the rules."""

    digest: str
    document: Mapping[str, object]
    deployed_at: datetime


class Source(StrEnum):
    """Who switched a kill switch."""

    PERSON = "person"
    BREAKER = "breaker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A kill switch that is on; the scope is `all`, `marketing`, `channel:x` or `workflow:x`.

    A breaker also pauses `sender:channel/class`: the classes that share that class's sender.
    """

    scope: str
    reason: str
    at: datetime
    source: Source = Source.PERSON


class Fate(StrEnum):
    """What was heard of a message after it had been accepted."""

    BOUNCED = "bounced"
    COMPLAINED = "complained"


class Heard(NamedTuple):
    """Word of a message that had been accepted; without its id, of the customer's last one."""

    fate: Fate
    #: Empty when it was not said.
    message_id: MessageId
    customer_id: CustomerId
    channel: str


class LatestSends(NamedTuple):
    """How the latest sends of a sender ended."""

    sends: int
    bounced: int
    complained: int


class HourOfSends(NamedTuple):
    """A workflow's accepted messages in an hour, and in the busiest hour of the 30 days before."""

    sends: int
    busiest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """An address that is not written to, known by its salted hash only."""

    hash: str
    #: Empty for every channel.
    channel: str = ""
    scope: str
    reason: str = ""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """All that is kept of one customer, each part oldest first."""

    events: tuple[StoredEvent, ...] = ()
    journal: tuple[JournalEntry, ...] = ()
    messages: tuple[StoredMessage, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """The state of the whole in numbers."""

    #: `accepted`, `duplicate`, `dead_letter`: together, the events that came in.
    events: Mapping[str, int] = field(default_factory=dict)
    customers: int = 0
    inbox: int = 0
    messages: Mapping[DeliveryState, int] = field(default_factory=dict)
    #: Workflow -> result -> count, "" for what is of none; the results are told in
    #: `shopflow.store.tally`.
    workflows: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    #: Reason -> count of the dead letters that are kept.
    dead_letters: Mapping[str, int] = field(default_factory=dict)
    cursors: tuple[StreamPosition, ...] = ()
    #: The newest messages with an attempt that was never answered, resent or held.
    uncertain: tuple[StoredMessage, ...] = ()
    pauses: tuple[Pause, ...] = ()
    #: Enrolments that wait for an event which is not their customer's own.
    waits: int = 0
    sweeps: tuple[Sweep, ...] = ()
    #: Those that began last, the newest first.
    trials: tuple[KeptTrial, ...] = ()


def retained_workflows(rulesets: Iterable[StoredRuleset]) -> dict[str, object]:
    """What the documents hold under `workflows`: by the digest of each, its document."""
    kept: dict[str, object] = {}
    for ruleset in rulesets:
        workflows = ruleset.document.get("workflows")
        if isinstance(workflows, Mapping):
            kept.update(workflows)
    return kept


def lost(fence: Fence) -> Conflict:
    """What a reader gets whose stream another one took over."""
    return Conflict("another reader took over the stream {} (this one had epoch {})".format(*fence))
