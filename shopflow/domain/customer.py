"""The customer: everything that is known of one person, loaded, decided on and stored whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from shopflow.domain.coupon import DrawnCode
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
from shopflow.domain.policy import MessageClass
from shopflow.domain.trial import TrialWatch

EMPTY: Mapping[str, object] = MappingProxyType({})


class ConsentState(StrEnum):
    """Where a consent stands; only `granted` lets marketing through."""

    GRANTED = "granted"
    DENIED = "denied"
    WITHDRAWN = "withdrawn"
    #: Asked for, not yet confirmed (double opt-in).
    PENDING = "pending"
    #: Given, but resting until a date.
    PAUSED = "paused"
    #: Ended by shopflow after a long silence.
    SUNSET = "sunset"
    #: Asked for and never confirmed.
    LAPSED = "lapsed"


class LegalBasis(StrEnum):
    """Why a consent entry is lawful (RGPD article 6, CPCE article L34-5)."""

    CONSENT = "consent"
    SOFT_OPT_IN = "soft_opt_in"
    CONTRACT = "contract"
    LEGITIMATE_INTEREST = "legitimate_interest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """Where the consent to one purpose on one channel stands; the ledger has how it came to be."""

    state: ConsentState
    at: datetime
    basis: LegalBasis = LegalBasis.CONSENT
    #: End of a pause.
    until: datetime | None = None


class SuppressionScope(StrEnum):
    """How much a suppression stops."""

    # That of an enum is a call of Python's, many a decision.
    __hash__ = str.__hash__

    ADDRESS = "address"
    MARKETING = "marketing"
    PERSON = "person"


class SlotState(StrEnum):
    """What is known of a send that caps count."""

    #: Decided, no receipt: counts in every window.
    RESERVED = "reserved"
    ACCEPTED = "accepted"
    #: Called back, and not yet known whether it had begun to leave: counts in every window.
    CALLED = "called"
    #: Handed back and on hold: counts in none, waits for `due_at`.
    HELD = "held"


@dataclass(frozen=True, slots=True, kw_only=True)
class SentRecord:
    """A recent send, as caps, cooldowns and cancellations need it."""

    message_id: MessageId
    enrolment_id: EnrolmentId
    workflow: WorkflowId
    step: StepId
    channel: str
    purpose: str
    message_class: MessageClass
    tags: frozenset[str] = frozenset()
    decided_at: datetime
    state: SlotState = SlotState.RESERVED
    accepted_at: datetime | None = None
    #: While held: when its gates are passed again, and the message itself.
    due_at: datetime | None = None
    message: Message | None = None
    #: While held: its row is in the outbox, handed back; False when it was never there.
    queued: bool = False
    #: Draws of the codes that it shows.
    draws: tuple[DrawId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What became of a step, as `steps.<id>` shows it."""

    outcome: str
    at: datetime
    sent_at: datetime | None = None
    channel: str | None = None
    #: The payload fields of the event that a `wait_for` met.
    event: Mapping[str, object] | None = None
    #: The code that the step has drawn, and its end.
    code: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """An event about no customer that an enrolment has waited or watched for since then."""

    event_type: str
    #: What the event has to be about, such as a sku.
    key: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """One customer on the way through one workflow, standing at one step."""

    id: EnrolmentId
    workflow: WorkflowId
    version: int
    #: The compiled workflow that it started on.
    digest: str
    key: str
    entered_at: datetime
    trigger_event_id: EventId
    #: The trigger's payload, as far as the workflow reads it.
    trigger: Mapping[str, object] = field(default_factory=dict)
    item: object = None
    #: The step it waits at; None before the first.
    step: StepId | None
    #: Time of the event or timer that moved it last, or the end of a hold; waits count from it.
    cursor_at: datetime
    due_at: datetime | None = None
    #: Since when the send at `step` is on hold; None when it is not.
    held_since: datetime | None = None
    holdout: bool = False
    #: A message of it has been queued: `restart` no longer replaces it.
    sent: bool = False
    results: Mapping[StepId, StepResult] = field(default_factory=dict)
    #: How often each step was reached, where that is more than once.
    visits: Mapping[StepId, int] = field(default_factory=dict)
    gathered: tuple[Mapping[str, object], ...] = ()
    #: Events about no customer that would move it or end it.
    awaits: tuple[Awaited, ...] = ()
    #: Place among those that one cause started, so that ties keep their order.
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What is remembered of a workflow (or one key of it) after its enrolments ended."""

    #: Trigger time of the newest enrolment.
    entered_at: datetime
    last_message_at: datetime | None = None
    used_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentEvent:
    """An event of an exit's type, kept for a while to meet triggers that come late."""

    id: EventId
    type: str
    occurred_at: datetime
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalWatch:
    """A conversion that may still come, credited to this enrolment."""

    enrolment_id: EnrolmentId
    workflow: WorkflowId
    version: int
    digest: str
    since_at: datetime
    until: datetime
    holdout: bool = False
    channel: str | None = None
    step: StepId | None = None
    #: The trigger's payload, where the goal reads it.
    trigger: Mapping[str, object] = field(default_factory=dict)


#: Where an enrolment stands: its workflow, the digest of the version it runs on, the step.
Stand = tuple[str, str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """One person, or one anonymous visitor; an alias only points to who it turned out to be."""

    id: CustomerId
    #: Attributes as told, such as email, first_name, locale, timezone.
    attributes: Mapping[str, object] = field(default_factory=dict)
    tags: frozenset[str] = frozenset()
    #: Folded state of computed traits, in the shape that its aggregate keeps.
    traits: Mapping[str, object] = field(default_factory=dict)
    #: Names of the trigger segments that the customer is in.
    segments: frozenset[str] = frozenset()
    #: The definitions that `segments` was worked out by, while nothing that they read has changed;
    #: empty where it has to be worked out anew.
    segments_by: str = ""
    #: What has been begun for the customer: the segments with a baseline, as they are defined, and
    #: the workflows that have asked for existing members.
    begun: frozenset[str] = frozenset()
    #: (channel, purpose) -> where the consent stands.
    consents: Mapping[tuple[str, str], Consent] = field(default_factory=dict)
    #: (channel, scope) pairs; channel "" is every channel.
    suppressions: frozenset[tuple[str, SuppressionScope]] = frozenset()
    sent: tuple[SentRecord, ...] = ()
    enrolments: tuple[Enrolment, ...] = ()
    #: (workflow, key) -> mark; key None is the workflow as a whole.
    marks: Mapping[tuple[WorkflowId, str | None], Mark] = field(default_factory=dict)
    goals: tuple[GoalWatch, ...] = ()
    recent: tuple[RecentEvent, ...] = ()
    codes: tuple[DrawnCode, ...] = ()
    trials: tuple[TrialWatch, ...] = ()
    #: Time of the newest event or timer decided; what comes from before it is late.
    watermark: datetime | None = None
    #: Up to when calendar triggers have been looked at.
    calendar_at: datetime | None = None
    alias_of: CustomerId | None = None
    #: The earliest timer, or earlier; None when nothing is due.
    next_due_at: datetime | None = None

    @property
    def stands(self) -> list[Stand]:
        """Where each of the enrolments stands."""
        return [(one.workflow, one.digest, one.step) for one in self.enrolments]
