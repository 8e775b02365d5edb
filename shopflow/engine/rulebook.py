"""The rules as the engine reads them: a ruleset with the look-ups that decisions need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta

from shopflow.domain.event import MANUAL_START
from shopflow.domain.expression import Expression
from shopflow.domain.ids import StepId
from shopflow.domain.policy import CalendarWindow
from shopflow.domain.ruleset import Ruleset
from shopflow.domain.step import Choose, Repeat, Send, Split, Step, WaitFor
from shopflow.domain.trait import Segment, Trait
from shopflow.domain.trigger import (
    DateTrigger,
    EventPattern,
    EventTrigger,
    ManualTrigger,
    ScheduleTrigger,
    SegmentTrigger,
)
from shopflow.domain.workflow import Status, Workflow
from shopflow.engine.index import IndexedRule, RuleIndex

#: The least time that sends are remembered, however short the caps are.
MIN_HISTORY = timedelta(days=1)

_CALENDAR_DAYS = {CalendarWindow.DAY: 2, CalendarWindow.WEEK: 8, CalendarWindow.MONTH: 32}

_MANUAL = EventPattern(types=frozenset({MANUAL_START}))


class Rulebook:
    """A ruleset, indexed; nothing about any enrolment lives in it, so a reload sends nothing."""

    def __init__(self, ruleset: Ruleset) -> None:
        self.ruleset = ruleset
        startable = [
            workflow for workflow in ruleset.workflows.values() if workflow.status in _STARTABLE
        ]
        self._by_digest: dict[str, Workflow] = {
            **ruleset.retained,
            **{workflow.digest: workflow for workflow in ruleset.workflows.values()},
        }
        self.index: RuleIndex[Workflow] = RuleIndex(_indexed(startable))
        self.segment_triggers = _with_trigger(startable, SegmentTrigger)
        self.date_triggers = _with_trigger(startable, DateTrigger)
        self.schedule_triggers = _with_trigger(startable, ScheduleTrigger)
        names = {
            trigger.segment
            for workflow in self.segment_triggers
            if isinstance(trigger := workflow.trigger, SegmentTrigger)
        }
        self.watched_segments: tuple[Segment, ...] = tuple(
            ruleset.segments[name] for name in sorted(names) if name in ruleset.segments
        )
        self.timed_segments = any(segment.timed for segment in self.watched_segments)
        self.has_calendar = bool(
            self.date_triggers or self.schedule_triggers or self.timed_segments
        )
        told = {(name,) for name in ruleset.attributes if name not in ruleset.traits}
        #: The dates that workflows start on hang on what customers have told, and on nothing else.
        self.dates_are_told = all(
            path[0] == "item" or (path[0] == "customer" and path[1:2] in told)
            for workflow in self.date_triggers
            for path in _date_reads(workflow)
        )
        self.history = max([MIN_HISTORY, *map(_cap_length, ruleset.caps)])
        self._traits: dict[str, tuple[Trait, ...]] = {}
        self._exit_fields: dict[str, frozenset[str] | None] = {}
        self._sends: dict[tuple[str, StepId | None], tuple[Send, ...]] = {}

    def workflow(self, digest: str) -> Workflow | None:
        """The compiled workflow of that digest, of this revision or of one still in use."""
        return self._by_digest.get(digest)

    def current(self, workflow_id: str) -> Workflow | None:
        """The workflow of that id as it is live now."""
        return self.ruleset.workflows.get(workflow_id)

    def traits_of(self, event_type: str) -> tuple[Trait, ...]:
        """The computed traits that an event of the type may change."""
        found = self._traits.get(event_type)
        if found is None:
            found = tuple(
                trait for trait in self.ruleset.traits.values() if trait.pattern.matches(event_type)
            )
            self._traits[event_type] = found
        return found

    def exit_fields(self, event_type: str) -> frozenset[str] | None:
        """Payload fields of the type that exits read; None when no exit watches the type."""
        if event_type not in self._exit_fields:
            fields: set[str] = set()
            watched = False
            for workflow in self._by_digest.values():
                for rule in workflow.exits:
                    if rule.pattern is not None and rule.pattern.matches(event_type):
                        watched = True
                        fields |= _event_fields(rule.when)
            self._exit_fields[event_type] = frozenset(fields) if watched else None
        return self._exit_fields[event_type]

    def sends_from(self, workflow: Workflow, step: StepId | None) -> tuple[Send, ...]:
        """The sends that an enrolment standing at the step may still come to."""
        key = (workflow.digest, step)
        if key not in self._sends:
            self._sends[key] = tuple(_reachable_sends(workflow, step or workflow.start))
        return self._sends[key]


#: Statuses whose triggers are watched; a paused workflow starts nobody new.
_STARTABLE = frozenset({Status.LIVE, Status.SHADOW})


def _indexed(workflows: Iterable[Workflow]) -> Iterable[IndexedRule[Workflow]]:
    # Index order is decision order: by priority, then by id.
    for workflow in sorted(workflows, key=lambda each: (-each.priority, each.id)):
        match workflow.trigger:
            case EventTrigger(pattern=pattern, when=when):
                yield IndexedRule(pattern, when.atoms if when is not None else (), workflow)
            case ManualTrigger():
                yield IndexedRule(_MANUAL, (), workflow)
            case SegmentTrigger() | DateTrigger() | ScheduleTrigger():
                continue


def _with_trigger(workflows: Iterable[Workflow], kind: type) -> tuple[Workflow, ...]:
    found = [workflow for workflow in workflows if isinstance(workflow.trigger, kind)]
    return tuple(sorted(found, key=lambda each: (-each.priority, each.id)))


def _date_reads(workflow: Workflow) -> frozenset[tuple[str, ...]]:
    trigger = workflow.trigger
    if not isinstance(trigger, DateTrigger):
        return frozenset()
    return trigger.date.reads | (trigger.each.reads if trigger.each else frozenset())


def _cap_length(cap: object) -> timedelta:
    window = getattr(cap, "window", MIN_HISTORY)
    return window if isinstance(window, timedelta) else timedelta(days=_CALENDAR_DAYS[window])


def _event_fields(expression: Expression | None) -> set[str]:
    """The payload fields that a condition reads."""
    if expression is None:
        return set()
    return {path[1] for path in expression.reads if path[0] == "event" and len(path) > 1}


def targets(step: Step) -> tuple[StepId | None, ...]:
    """Where an enrolment may go from the step."""
    match step:
        case WaitFor():
            return (step.then, step.otherwise)
        case Choose():
            return (*(branch.target for branch in step.branches), step.otherwise, step.next)
        case Split():
            return (*(branch.target for branch in step.branches), step.next)
        case Repeat():
            return (step.body, step.next)
        case _:
            return (step.next,)


def _reachable_sends(workflow: Workflow, start: StepId | None) -> Iterable[Send]:
    open_steps, seen = [start], set[StepId]()
    while open_steps:
        step_id = open_steps.pop()
        if step_id is None or step_id in seen or step_id not in workflow.steps:
            continue
        seen.add(step_id)
        step = workflow.steps[step_id]
        if isinstance(step, Send):
            yield step
        open_steps.extend(targets(step))


def with_retained(ruleset: Ruleset, retained: Mapping[str, Workflow]) -> Ruleset:
    """The ruleset, knowing the older versions that enrolments are still pinned to."""
    older = {
        digest: workflow
        for digest, workflow in retained.items()
        if all(workflow.digest != live.digest for live in ruleset.workflows.values())
    }
    return replace(ruleset, retained={**ruleset.retained, **older})
