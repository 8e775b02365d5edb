"""What the engine decides on: the shop's events, the passing of time, and word from deliveries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from shopflow.domain.coupon import CodeInHand
from shopflow.domain.ids import CustomerId, EnrolmentId, EventId, TrialId
from shopflow.domain.trial import Trial

if TYPE_CHECKING:
    from shopflow.domain.customer import Customer
    from shopflow.domain.message import Message

#: Starts workflows whose trigger is `manual`; its data is {"workflow": id, "data": {...}}.
MANUAL_START = "workflow.requested"
#: Tells that an anonymous visitor is a known customer; its data names the customer_id.
IDENTIFIED = "customer.identified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened in the shop, already validated; `occurred_at` is aware UTC."""

    id: EventId
    type: str
    occurred_at: datetime
    data: Mapping[str, object]
    customer_id: CustomerId | None = None
    anonymous_id: str | None = None
    #: How many emits led to this event; the ninth is refused.
    hops: int = 0
    #: A wish: decided before what waits in its customer's stream, so it fires no timer.
    ahead: bool = False

    @property
    def concerns(self) -> CustomerId | None:
        """The customer row that this event is decided on; None for an event about a product."""
        if self.type == IDENTIFIED:
            visitor = self.anonymous_id or self.data.get("anonymous_id")
            if isinstance(visitor, str):
                return CustomerId(visitor)
        if self.customer_id is not None:
            return self.customer_id
        return CustomerId(self.anonymous_id) if self.anonymous_id else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Time has come to `at`: every timer due by then fires."""

    at: datetime
    #: A drain runs the timers that are left but starts nothing new by calendar.
    timers_only: bool = False


class Outcome(StrEnum):
    """What became of an attempt to deliver a message."""

    ACCEPTED = "accepted"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    #: Past its `send_by`: handed back so that its step passes the gates again.
    RETURNED = "returned"
    #: Withheld by the deliverer's last check; the reason says why.
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReport:
    """Word from the deliverer about one message of this customer."""

    message: Message
    outcome: Outcome
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """The value of an anonymous visitor who turned out to be this customer."""

    customer: Customer
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """An event about no customer, told to the enrolments of one customer that wait for it."""

    event: Event
    enrolments: tuple[EnrolmentId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What decide may look up beside the customer: a read-only snapshot."""

    #: sku -> {"in_stock": bool, "price": …}; a sku that is not there counts as in stock.
    products: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    #: Codes taken ahead, by pool; a pool that is not there has none.
    codes: Mapping[str, Sequence[CodeInHand]] = field(default_factory=dict)
    #: (pool, code) that a pattern made and somebody else has.
    known_codes: AbstractSet[tuple[str, str]] = frozenset()
    #: What makes the codes of patterns hard to guess.
    salt: str = ""
    #: Since when each workflow is live here; no calendar occurrence from before counts.
    live_since: Mapping[str, datetime] = field(default_factory=dict)
    #: Events about no customer that concern everybody in an audience, oldest first.
    occasions: tuple[Event, ...] = ()
    #: What started for everybody by then has been taken care of.
    swept_to: datetime | None = None
    #: Trials that have begun, as far as they are known.
    trials: Mapping[TrialId, Trial] = field(default_factory=dict)
    #: The clock follows the events: what is queued counts as accepted at its own instant.
    event_clock: bool = False


Input = Event | Tick | DeliveryReport | Merge | News


def time_of(given: Input) -> datetime:
    """The instant that an input is decided at."""
    match given:
        case Event():
            return given.occurred_at
        case News():
            return given.event.occurred_at
        case Tick() | DeliveryReport() | Merge():
            return given.at
