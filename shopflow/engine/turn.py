"""One decision in the making: the customer as a draft, the effects so far, the events to come.

The engine is pure from outside. Inside one decision it works on this draft, which nobody else sees.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from operator import is_not
from typing import TYPE_CHECKING

from shopflow.domain.codec_making import changer, maker
from shopflow.domain.coupon import DrawnCode
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
from shopflow.domain.ids import CustomerId, EnrolmentId, StepId, TrialId, WorkflowId
from shopflow.domain.journal import Decision, Effect, JournalEntry, Kind
from shopflow.domain.stored import with_parts
from shopflow.domain.trial import Trial, TrialWatch
from shopflow.domain.workflow import Workflow
from shopflow.engine.rulebook import Rulebook

if TYPE_CHECKING:
    from shopflow.engine.audiences import Verdict
    from shopflow.engine.calendar import Dates

_changed_enrolment = changer(Enrolment)
_journal_entry = maker(JournalEntry)
_decision = maker(Decision)


class Draft:
    """A customer that may change; mappings are replaced, never written into.

    What is not asked for is not read either.
    """

    id: CustomerId
    attributes: Mapping[str, object]
    tags: frozenset[str]
    traits: Mapping[str, object]
    segments: frozenset[str]
    segments_by: str
    begun: frozenset[str]
    consents: Mapping[tuple[str, str], Consent]
    suppressions: frozenset[tuple[str, SuppressionScope]]
    sent: tuple[SentRecord, ...]
    enrolments: dict[EnrolmentId, Enrolment]
    marks: Mapping[tuple[WorkflowId, str | None], Mark]
    goals: tuple[GoalWatch, ...]
    recent: tuple[RecentEvent, ...]
    codes: tuple[DrawnCode, ...]
    trials: tuple[TrialWatch, ...]
    watermark: datetime | None
    calendar_at: datetime | None
    alias_of: CustomerId | None

    def __init__(self, customer: Customer) -> None:
        self._before = customer
        self.id = customer.id
        # What nearly every decision asks for, and costs nothing to read.
        self.attributes = customer.attributes
        self.traits = customer.traits
        self.segments = customer.segments
        self.segments_by = customer.segments_by
        #: What segments hang on, as it was when they were worked out.
        self._looked_at = (self.attributes, self.traits)
        self.watermark = customer.watermark
        self.calendar_at = customer.calendar_at
        self.alias_of = customer.alias_of

    def __getattr__(self, name: str) -> object:
        value = getattr(self._before, name)
        if name == "enrolments":
            value = {enrolment.id: enrolment for enrolment in value}
        setattr(self, name, value)
        return value

    def has_read(self, name: str) -> bool:
        """True when somebody has asked for this part, or changed it."""
        return name in self.__dict__

    def know_segments(self, definitions: str) -> None:
        """The segments have just been worked out by these definitions."""
        self.segments_by = definitions
        self._looked_at = (self.attributes, self.traits)

    def are_segments_by(self, definitions: str, names: Iterable[str]) -> bool:
        """True when the segments are what these definitions, which read these names, would give."""
        if self.segments_by != definitions or not definitions:
            return False
        attributes, traits = self._looked_at
        return same_values(self.traits, traits, names) and same_values(
            self.attributes, attributes, names
        )

    def freeze(self, next_due_at: datetime | None) -> Customer:
        """The customer as it stands now; the very same one when nothing has changed."""
        before = self._before
        changes: dict[str, object] = {}
        for name, value in self.__dict__.items():
            if name == "enrolments":
                enrolments = tuple(value.values())
                known = before.enrolments
                if len(known) != len(enrolments) or any(map(is_not, known, enrolments)):
                    changes[name] = enrolments
            elif name[0] != "_" and value is not getattr(before, name):
                changes[name] = value
        if next_due_at != before.next_due_at:
            changes["next_due_at"] = next_due_at
        return with_parts(before, changes)


def same_values(
    ours: Mapping[str, object], theirs: Mapping[str, object], names: Iterable[str]
) -> bool:
    """True when none of these values has been replaced."""
    return ours is theirs or all(ours.get(name) is theirs.get(name) for name in names)


class Turn:
    """What the parts of one decision share."""

    __slots__ = (
        "_clock",
        "customer",
        "dates",
        "drawn",
        "effects",
        "facts",
        "hops",
        "is_new",
        "pending",
        "quiet_until",
        "rulebook",
        "trials",
        "verdicts",
    )

    def __init__(
        self, rulebook: Rulebook, customer: Customer, clock: datetime, facts: Facts
    ) -> None:
        self.rulebook = rulebook
        self.customer = Draft(customer)
        self.facts = facts
        self.effects: list[Effect] = []
        #: Events emitted to this very customer, decided first in first out.
        self.pending: deque[Event] = deque()
        #: (pool, code) drawn so far, even if given back: the facts still show them.
        self.drawn: set[tuple[str, str]] = set()
        #: Trials that begin in this decision: the facts do not show them yet.
        self.trials: dict[TrialId, Trial] = {}
        #: Nothing was known of the customer before.
        self.is_new = customer.watermark is None and not customer.begun
        #: How many emits led to what is being decided.
        self.hops = 0
        #: Nothing is due before it, as far as the customer is still as it was loaded.
        self.quiet_until: datetime | None = customer.next_due_at
        #: The customer's own next starts, where they have been worked out.
        self.dates: Dates | None = None
        #: Whose audience is out of the customer's reach, by the workflow's digest.
        self.verdicts: dict[str, Verdict] = {}
        self._clock = clock

    def clock(self, at: datetime) -> datetime:
        """The instant that gates go by: never before what is decided."""
        return at if self.facts.event_clock else max(at, self._clock)

    def mark_time(self, moment: datetime) -> datetime:
        """The time that it is for the customer now; it never goes back."""
        known = self.customer.watermark
        self.customer.watermark = now = moment if known is None else max(known, moment)
        return now

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
            _journal_entry(
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
        changed = _changed_enrolment(enrolment, changes) if changes else enrolment
        self.customer.enrolments[changed.id] = changed
        return changed

    def next_timer(self) -> datetime | None:
        """The earliest instant that an enrolment or a held message waits for."""
        first: datetime | None = None
        for enrolment in self.customer.enrolments.values():
            due = enrolment.due_at
            if due is not None and (first is None or due < first):
                first = due
        for record in self.customer.sent:
            due = record.due_at
            if due is None or record.state is not SlotState.HELD:
                continue
            if first is None or due < first:
                first = due
        return first

    def decision(self, next_due_at: datetime | None) -> Decision:
        """What it comes to."""
        customer, rulebook = self.customer, self.rulebook
        if customer.segments_by and not customer.are_segments_by(
            rulebook.segments_digest, rulebook.segment_reads
        ):
            customer.segments_by = ""
        return _decision(customer=self.customer.freeze(next_due_at), effects=tuple(self.effects))
