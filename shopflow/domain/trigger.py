"""What starts a workflow: events, segments, dates, schedules, people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time, timedelta

from shopflow.domain.calendar import Recurrence
from shopflow.domain.expression import Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPattern:
    """Event types by name or by prefix (`order.*`)."""

    types: frozenset[str] = frozenset()
    #: With the dot: `order.` for `order.*`.
    prefixes: tuple[str, ...] = ()

    def matches(self, event_type: str) -> bool:
        """True when the type is named or falls under a prefix."""
        return event_type in self.types or event_type.startswith(self.prefixes)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTrigger:
    """Starts on an event; with `each`, once per element of a list, seen as `item`."""

    pattern: EventPattern
    when: Expression | None = None
    each: Expression | None = None
    #: For events about no customer: who they concern.
    audience: Expression | None = None
    #: Enrols a row of its own, without consent or caps.
    subject: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentTrigger:
    """Starts when the customer enters (or leaves) a segment."""

    segment: str
    enters: bool = True
    #: Enrols who is a member already when the rule is new.
    backfill: bool = False
    when: Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DateTrigger:
    """Starts on a date of the customer, shifted by `offset`, at a local time."""

    date: Expression
    at: time
    offset: timedelta = timedelta()
    yearly: bool = False
    #: A list of records with a date each, seen as `item`; `date` is then read on the item.
    each: Expression | None = None
    when: Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleTrigger:
    """Starts for everyone in the audience at each occurrence of a cron schedule."""

    recurrence: Recurrence
    audience: Expression | None = None
    #: Starts are spread over this time by a hash of the customer.
    spread: timedelta = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualTrigger:
    """Starts when a person asks for it, by an event of type `workflow.requested`."""

    when: Expression | None = None


Trigger = EventTrigger | SegmentTrigger | DateTrigger | ScheduleTrigger | ManualTrigger
