"""A workflow, compiled: what starts it, what ends it, and its steps with every option resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from shopflow.domain.expression import Expression
from shopflow.domain.ids import StepId, WorkflowId
from shopflow.domain.step import Step
from shopflow.domain.trigger import EventPattern, Trigger


class Status(StrEnum):
    """What a workflow does: nothing yet, decide only, run, or rest."""

    DRAFT = "draft"
    SHADOW = "shadow"
    LIVE = "live"
    PAUSED = "paused"


class Reentry(StrEnum):
    """What a trigger does while an enrolment of the same key is active."""

    RESTART = "restart"
    IGNORE = "ignore"
    PARALLEL = "parallel"
    #: Never again at all for this key.
    ONCE = "once"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """Ends an enrolment: on an event, or (without one) as soon as the condition holds."""

    id: str
    pattern: EventPattern | None
    #: Payload field -> what it must equal.
    match: Mapping[str, Expression] = field(default_factory=dict)
    when: Expression | None
    outcome: str


class Since(StrEnum):
    """What a goal's time counts from."""

    ENTRY = "entry"
    LAST_SEND = "last_send"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What counts as success of the workflow, and its value."""

    pattern: EventPattern
    when: Expression | None
    within: timedelta
    since: Since
    value: Expression | None


class OnChange(StrEnum):
    """What a new version does to enrolments on their way."""

    PIN = "pin"
    UPGRADE = "upgrade"


@dataclass(frozen=True, slots=True, kw_only=True)
class InFlight:
    """How enrolments on their way meet a new version, and how old one may grow."""

    on_change: OnChange = OnChange.PIN
    max_age: timedelta
    #: Old step id -> new step id.
    renamed: Mapping[StepId, StepId] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """One workflow, ready to run; `digest` is its identity, `version` a label for people."""

    id: WorkflowId
    version: int
    digest: str
    title: str
    owner: str
    status: Status
    purpose: str
    trigger: Trigger
    steps: Mapping[StepId, Step]
    start: StepId | None
    in_flight: InFlight
    priority: int = 50
    tags: frozenset[str] = frozenset()
    #: Share of customers that enter and are never sent to, 0 to 1.
    holdout: float = 0.0
    #: A breaker pauses it beyond so many messages in an hour; None: by what it sent before.
    max_per_hour: int | None = None
    #: Literal values; a length such as `1h` is a timedelta here.
    values: Mapping[str, object] = field(default_factory=dict)
    let: Mapping[str, Expression] = field(default_factory=dict)
    key: Expression | None = None
    reentry: Reentry = Reentry.IGNORE
    cooldown: timedelta = timedelta()
    #: The cooldown counts per key, not per customer.
    cooldown_per_key: bool = False
    exits: tuple[Exit, ...] = ()
    goal: Goal | None = None
    #: Payload fields of the trigger that the workflow reads; None keeps all of them.
    trigger_fields: frozenset[str] | None = None
