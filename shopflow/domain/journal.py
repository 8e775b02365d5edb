"""What a decision brings about, each with its reason: messages, journal entries, word to others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from shopflow.domain.coupon import OutOfCodes, Redeem, Reserve, Settle
from shopflow.domain.customer import Consent, Customer, SuppressionScope
from shopflow.domain.event import Event, Input
from shopflow.domain.ids import (
    CustomerId,
    DrawId,
    EnrolmentId,
    EventId,
    MessageId,
    StepId,
    WorkflowId,
)
from shopflow.domain.message import Message
from shopflow.domain.trial import BeginTrial, CountResult


class Reason(StrEnum):
    """Why a send was held back or dropped: one word each, the same everywhere."""

    EXITED = "exited"
    PAUSED = "paused"
    STALE = "stale"
    GUARD = "guard"
    SUPPRESSED = "suppressed"
    NO_ADDRESS = "no_address"
    NO_CONSENT = "no_consent"
    QUIET_HOURS = "quiet_hours"
    CAPPED = "capped"
    HOLDOUT = "holdout"
    SHADOW = "shadow"
    NOT_ALLOWED_HERE = "not_allowed_here"
    #: Its coupon has no code for this customer, and without it the message is not to go.
    NO_COUPON = "no_coupon"
    #: The template or a value could not be made; only this message is hurt.
    TEMPLATE = "template"
    #: Every channel failed for good.
    FAILED = "failed"


class EndReason(StrEnum):
    """How an enrolment ended when no `end` step or exit rule says it."""

    COMPLETED = "completed"
    RESTARTED = "restarted"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    CAPPED = "capped"
    EXPIRED = "expired"
    RETIRED = "retired"
    MERGED = "merged"
    #: A wait or a branch could not be worked out.
    ERROR = "error"


class Kind(StrEnum):
    """What a journal entry tells."""

    ENTERED = "entered"
    REFUSED = "refused"
    EXITED = "exited"
    STEP = "step"
    QUEUED = "queued"
    HELD = "held"
    DROPPED = "dropped"
    DELIVERY = "delivery"
    CONVERTED = "converted"
    CONSENT = "consent"
    #: A condition or value failed at run time.
    ERROR = "error"
    #: What was told as an address is none; the reason says which.
    UNUSABLE = "unusable"
    #: A kill switch, of no customer.
    PAUSED = "paused"
    RESUMED = "resumed"
    #: Dead letters that a person gave up, of no customer.
    DISCARDED = "discarded"
    #: The winner of a trial is known, of no customer.
    DECIDED = "decided"


class Refusal(StrEnum):
    """Why a matching trigger did not start an enrolment."""

    ACTIVE = "active"
    ONCE = "once"
    COOLDOWN = "cooldown"
    OLDER = "older"
    TOO_MANY = "too_many"
    STALE = "stale"


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One thing decided about one customer; `reason` is a word of one of the enums here."""

    at: datetime
    customer_id: CustomerId
    kind: Kind
    workflow: WorkflowId | None = None
    version: int | None = None
    digest: str | None = None
    enrolment_id: EnrolmentId | None = None
    step: StepId | None = None
    channel: str | None = None
    reason: str = ""
    #: The event that caused it, where one did.
    event_id: EventId | None = None
    #: What the deciding condition saw, by path.
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Put a message into the outbox."""

    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Requeue:
    """Let a message that was handed back go after all, as it is given here."""

    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Take a message out of the outbox, unless an attempt to hand it over has begun."""

    message_id: MessageId
    reason: str
    #: The codes that it shows; they go back to their pools if it is stopped in time.
    draws: tuple[DrawId, ...] = ()
    #: Its slot stays taken until it is known to be stopped: then its customer is told, as of any
    #: message that was dropped.
    tell: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """Hand an event, a report, or a visitor's whole value, to another customer's inbox."""

    to: CustomerId
    input: Input


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One line of the consent ledger: never changed, never taken back but by erasure."""

    customer_id: CustomerId
    channel: str
    purpose: str
    consent: Consent
    source: str = ""
    text_version: str = ""
    proof: str = ""
    event_id: EventId | None = None


class Stopped(StrEnum):
    """Why an address or a person is suppressed."""

    HARD_BOUNCE = "hard_bounce"
    COMPLAINT = "complaint"
    #: Somebody of the shop, or a list that was imported.
    MANUAL = "manual"
    ERASED = "erased"
    #: A refusal from before a restore, of somebody whom the backup does not know.
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppress:
    """Keep an address from being written to, whoever else turns out to have it."""

    customer_id: CustomerId
    channel: str
    #: Empty where the customer has none.
    address: str
    scope: SuppressionScope
    reason: Stopped
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Lift:
    """Let marketing through again that was stopped before the person was asked anew."""

    customer_id: CustomerId
    channel: str
    address: str
    before: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """An input that the engine refuses, such as the ninth emit of a loop."""

    event: Event
    reason: str


#: What happens to codes, in the order decided.
CodeChange = Reserve | Settle | Redeem

Effect = (
    JournalEntry
    | Queue
    | Requeue
    | Cancel
    | Tell
    | LedgerEntry
    | Suppress
    | Lift
    | DeadLetter
    | CodeChange
    | OutOfCodes
    | BeginTrial
    | CountResult
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The customer afterwards, and what else has to happen."""

    customer: Customer
    effects: tuple[Effect, ...]
