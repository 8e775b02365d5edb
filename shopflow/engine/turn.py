"""One decision in the making: the customer as a draft, the effects so far, the events to come.

The engine is pure from outside. Inside one decision it works on this draft, which nobody else sees.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from shopflow.domain.customer import (
    Consent,
    Customer,
    Enrolment,
    GoalWatch,
    Mark,
    RecentEvent,
    SentRecord,
    SlotState,
    SuppressionScope,
)
from shopflow.domain.event import Event, Facts
from shopflow.domain.ids import CustomerId, EnrolmentId, StepId, WorkflowId
from shopflow.domain.journal import Decision, Effect, JournalEntry, Kind
from shopflow.domain.workflow import Workflow
from shopflow.engine.rulebook import Rulebook

if TYPE_CHECKING:
    from shopflow.engine.calendar import Plan


class Draft:
    """A customer that may change; mappings are replaced, never written into."""

    __slots__ = (
        "alias_of",
        "attributes",
        "calendar_at",
        "consents",
        "enrolments",
        "goals",
        "id",
        "marks",
        "recent",
        "segments",
        "sent",
        "suppressions",
        "tags",
        "traits",
        "watermark",
    )

    def __init__(self, customer: Customer) -> None:
        self.id: CustomerId = customer.id
        self.attributes: Mapping[str, object] = customer.attributes
        self.tags: frozenset[str] = customer.tags
        self.traits: Mapping[str, object] = customer.traits
        self.segments: frozenset[str] = customer.segments
        self.consents: Mapping[tuple[str, str], Consent] = customer.consents
        self.suppressions: frozenset[tuple[str, SuppressionScope]] = customer.suppressions
        self.sent: tuple[SentRecord, ...] = customer.sent
        self.enrolments: dict[EnrolmentId, Enrolment] = {e.id: e for e in customer.enrolments}
        self.marks: Mapping[tuple[WorkflowId, str | None], Mark] = customer.marks
        self.goals: tuple[GoalWatch, ...] = customer.goals
        self.recent: tuple[RecentEvent, ...] = customer.recent
        self.watermark: datetime | None = customer.watermark
        self.calendar_at: datetime | None = customer.calendar_at
        self.alias_of: CustomerId | None = customer.alias_of

    def freeze(self, next_due_at: datetime | None) -> Customer:
        """The customer as it stands now."""
        return Customer(
            id=self.id,
            attributes=self.attributes,
            tags=self.tags,
            traits=self.traits,
            segments=self.segments,
            consents=self.consents,
            suppressions=self.suppressions,
            sent=self.sent,
            enrolments=tuple(self.enrolments.values()),
            marks=self.marks,
            goals=self.goals,
            recent=self.recent,
            watermark=self.watermark,
            calendar_at=self.calendar_at,
            alias_of=self.alias_of,
            next_due_at=next_due_at,
        )


class Turn:
    """What the parts of one decision share."""

    __slots__ = ("_clock", "customer", "effects", "facts", "hops", "pending", "plan", "rulebook")

    def __init__(
        self, rulebook: Rulebook, customer: Customer, clock: datetime, facts: Facts
    ) -> None:
        self.rulebook = rulebook
        self.customer = Draft(customer)
        self.facts = facts
        self.effects: list[Effect] = []
        #: Events emitted to this very customer, decided first in first out.
        self.pending: deque[Event] = deque()
        #: How many emits led to what is being decided.
        self.hops = 0
        #: What starts next by the calendar, where it has been worked out.
        self.plan: Plan | None = None
        self._clock = clock

    def clock(self, at: datetime) -> datetime:
        """The instant that gates go by: never before what is decided."""
        return at if self.facts.event_clock else max(at, self._clock)

    def journal(
        self,
        kind: Kind,
        at: datetime,
        workflow: Workflow | None = None,
        enrolment: Enrolment | None = None,
        *,
        step: StepId | None = None,
        channel: str | None = None,
        reason: str = "",
        event: Event | None = None,
        values: Mapping[str, object] | None = None,
    ) -> None:
        """Write down one thing that was decided."""
        self.effects.append(
            JournalEntry(
                at=at,
                customer_id=self.customer.id,
                kind=kind,
                workflow=workflow.id if workflow else enrolment.workflow if enrolment else None,
                version=workflow.version if workflow else enrolment.version if enrolment else None,
                digest=workflow.digest if workflow else enrolment.digest if enrolment else None,
                enrolment_id=enrolment.id if enrolment else None,
                step=step,
                channel=channel,
                reason=reason,
                event_id=event.id if event else None,
                values=values or {},
            )
        )

    def on_hold(self, enrolment: EnrolmentId) -> bool:
        """True when a message that has left its step waits for the end of its hold."""
        return any(
            record.enrolment_id == enrolment and record.state is SlotState.HELD
            for record in self.customer.sent
        )

    def put(self, enrolment: Enrolment, **changes: object) -> Enrolment:
        """Store the enrolment with the changes and give it back."""
        changed = replace(enrolment, **changes) if changes else enrolment  # type: ignore[arg-type]
        self.customer.enrolments[changed.id] = changed
        return changed

    def decision(self, next_due_at: datetime | None) -> Decision:
        """What it comes to."""
        return Decision(customer=self.customer.freeze(next_due_at), effects=tuple(self.effects))
