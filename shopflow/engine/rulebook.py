"""The rules as the engine reads them: a ruleset with the look-ups that decisions need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta

from shopflow.domain.customer import Stand
from shopflow.domain.event import MANUAL_START, Event
from shopflow.domain.expression import Expression
from shopflow.domain.ids import StepId
from shopflow.domain.policy import CalendarWindow
from shopflow.domain.ruleset import Ruleset
from shopflow.domain.step import Choose, Repeat, Send, Split, Step, WaitFor
from shopflow.domain.trait import Trait
from shopflow.domain.trigger import (
    DateTrigger,
    EventPattern,
    EventTrigger,
    ManualTrigger,
    ScheduleTrigger,
    SegmentTrigger,
)
from shopflow.domain.workflow import Exit, OnChange, Status, Workflow
from shopflow.engine.agenda import Agenda
from shopflow.engine.beginnings import Beginnings
from shopflow.engine.index import IndexedRule, RuleIndex
from shopflow.engine.interest import (
    Interest,
    SoftOptInOffer,
    is_kept,
    segment_reads,
    segments_digest,
)
from shopflow.engine.upcoming import Upcoming

#: The least time that sends are remembered, however short the caps are.
MIN_HISTORY = timedelta(days=7)

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
        self.beginnings = Beginnings(ruleset)
        self.watched_segments = self.beginnings.watched
        #: What the watched segments hang on, where it is traits and attributes and no clock.
        self.segment_reads = segment_reads(ruleset, self.watched_segments)
        #: Tells these segments from those of other rules; empty where they hang on something else.
        self.segments_digest = segments_digest(ruleset, self.segment_reads)
        self.timed_segments = any(segment.timed for segment in self.watched_segments)
        #: What starts workflows for rows of their own.
        self.subject_patterns = tuple(
            trigger.pattern
            for workflow in startable
            if isinstance(trigger := workflow.trigger, EventTrigger) and trigger.subject
        )
        self.audience_triggers = tuple(
            workflow
            for workflow in _with_trigger(startable, EventTrigger)
            if isinstance(trigger := workflow.trigger, EventTrigger) and trigger.audience
        )
        #: Something starts for everybody at once.
        self.has_sweeps = bool(
            self.schedule_triggers or self.timed_segments or self.audience_triggers
        )
        self.has_calendar = bool(self.date_triggers) or self.has_sweeps
        #: Something starts for customers without an input of theirs.
        self.looks_at_everybody = self.has_calendar or self.beginnings.concern_all
        #: What starts for everybody by the clock; occasions, which are few, are facts.
        self.agenda = Agenda(ruleset, self.schedule_triggers, looks=self.timed_segments)
        #: Dates that workflows start on change with attributes and traits, and with nothing else.
        self.dates_are_kept = all(
            path[0] == "item" or is_kept(ruleset, path)
            for workflow in self.date_triggers
            for path in _date_reads(workflow)
        )
        self._told_dates = {
            workflow.digest: name
            for workflow in self.date_triggers
            if (name := _told_date(workflow, ruleset)) is not None
        }
        self.history = max([MIN_HISTORY, *map(_cap_length, ruleset.caps)])
        #: Of each event type about no customer: the sets of fields by which rules wait for it.
        self.awaited_fields: Mapping[str, frozenset[tuple[str, ...]]] = {}
        #: The digests of the workflows that do.
        self.awaiting: frozenset[str] = frozenset()
        self._find_awaited()
        #: Some split is tried on a few before the others come to it.
        self.has_trials = any(
            isinstance(step, Split) and step.trial is not None
            for workflow in self._by_digest.values()
            for step in workflow.steps.values()
        )
        self.upcoming = Upcoming()
        #: Of event types: whether the rules want nothing of them but to fold traits.
        self.counting: dict[str, bool] = {}
        self._hearing: dict[tuple[Stand, str], bool] = {}
        self._ending: dict[str, bool] = {}
        self._interests: dict[str, Interest] = {}
        self._sends: dict[tuple[str, StepId | None], tuple[Send, ...]] = {}

    def side(self, customer: str) -> Rulebook:
        """What decides for the customer: the same for everybody, unless workflows are ramped."""
        del customer
        return self

    def workflow(self, digest: str) -> Workflow | None:
        """The compiled workflow of that digest, of this revision or of one still in use."""
        return self._by_digest.get(digest)

    def current(self, workflow_id: str) -> Workflow | None:
        """The workflow of that id as it is live now."""
        return self.ruleset.workflows.get(workflow_id)

    def _find_awaited(self) -> None:
        found: dict[str, set[tuple[str, ...]]] = {}
        awaiting = set[str]()
        for workflow in self._by_digest.values():
            watched: list[WaitFor | Exit] = [*workflow.exits]
            watched += [step for step in workflow.steps.values() if isinstance(step, WaitFor)]
            for each in watched:
                pattern = each.pattern
                types = filter(pattern.matches, self.ruleset.subject_events) if pattern else ()
                for event_type in types:
                    found.setdefault(event_type, set()).add(tuple(sorted(each.match)))
                    awaiting.add(workflow.digest)
        self.awaited_fields = {name: frozenset(fields) for name, fields in found.items()}
        self.awaiting = frozenset(awaiting)

    def ends_by_itself(self, workflow: Workflow) -> bool:
        """True when an exit of the workflow waits for no event."""
        known = self._ending.get(workflow.digest)
        if known is None:
            known = any(rule.pattern is None for rule in workflow.exits)
            self._ending[workflow.digest] = known
        return known

    def hears(self, workflow_id: str, digest: str, step: str | None, event_type: str) -> bool:
        """False when no event of the type can mean anything to an enrolment that stands there."""
        key = ((workflow_id, digest, step), event_type)
        known = self._hearing.get(key)
        if known is None:
            known = self._hearing[key] = self._works_out_hearing(*key)
        return known

    def _works_out_hearing(self, stand: Stand, event_type: str) -> bool:
        live, workflow = self.current(stand[0]), self.workflow(stand[1])
        is_moved = (
            live is not None
            and live.digest != stand[1]
            and live.in_flight.on_change is OnChange.UPGRADE
        )
        if workflow is None or is_moved or self.ends_by_itself(workflow):
            return True
        step = workflow.steps.get(StepId(stand[2])) if stand[2] is not None else None
        listening = [rule.pattern for rule in workflow.exits]
        if isinstance(step, WaitFor):
            listening.append(step.pattern)
        return any(pattern is not None and pattern.matches(event_type) for pattern in listening)

    def moves_dates(self, changed: Iterable[Trait]) -> bool:
        """True when a date that a workflow starts on may hang on one of these traits."""
        names = {trait.name for trait in changed}
        return bool(names) and not all(
            path[0] == "item" or (path[0] == "customer" and names.isdisjoint(path[1:2] or names))
            for workflow in self.date_triggers
            for path in _date_reads(workflow)
        )

    def may_have_dates(self, attributes: Mapping[str, object]) -> bool:
        """False when no workflow starts on a date of a customer with these attributes."""
        return bool(self.date_triggers) and (
            len(self._told_dates) < len(self.date_triggers)
            or any(name in attributes for name in self._told_dates.values())
        )

    def told_date(self, workflow: Workflow) -> str | None:
        """The attribute whose date starts the workflow, where it is that and nothing else."""
        return self._told_dates.get(workflow.digest)

    def interest(self, event_type: str) -> Interest:
        """What the rules want of events of the type."""
        found = self._interests.get(event_type)
        if found is None:
            found = self._interests[event_type] = Interest(
                traits=tuple(
                    trait
                    for trait in self.ruleset.traits.values()
                    if trait.pattern.matches(event_type)
                ),
                exit_fields=self._exit_fields(event_type),
                is_goal=any(
                    workflow.goal is not None and workflow.goal.pattern.matches(event_type)
                    for workflow in self._by_digest.values()
                ),
                soft_opt_ins=tuple(
                    SoftOptInOffer(purpose.id, channel, soft)
                    for purpose in self.ruleset.purposes.values()
                    for channel, rule in purpose.channels.items()
                    if (soft := rule.soft_opt_in) is not None and soft.event_type == event_type
                ),
            )
        return found

    def _exit_fields(self, event_type: str) -> frozenset[str] | None:
        fields: set[str] = set()
        watched = False
        for workflow in self._by_digest.values():
            for rule in workflow.exits:
                if rule.pattern is not None and rule.pattern.matches(event_type):
                    watched = True
                    fields |= _event_fields(rule.when)
        return frozenset(fields) if watched else None

    @property
    def awaited_types(self) -> frozenset[str]:
        """Types of events about no customer that may concern customers of any partition."""
        patterns = [
            trigger.pattern
            for workflow in self.audience_triggers
            if isinstance(trigger := workflow.trigger, EventTrigger)
        ]
        subjects = self.ruleset.subject_events
        heard = {name for name in subjects if any(each.matches(name) for each in patterns)}
        return frozenset(heard | self.awaited_fields.keys())

    def has_audience(self, event: Event) -> bool:
        """True when the event starts something for everybody in an audience."""
        return event.concerns is None and any(
            isinstance(trigger := workflow.trigger, EventTrigger)
            and trigger.pattern.matches(event.type)
            for workflow in self.audience_triggers
        )

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


def _told_date(workflow: Workflow, ruleset: Ruleset) -> str | None:
    trigger = workflow.trigger
    if not isinstance(trigger, DateTrigger) or trigger.each is not None:
        return None
    path = next(iter(trigger.date.reads), ())
    is_plain = path[:1] == ("customer",) and trigger.date.source.strip() == ".".join(path)
    # A trait of the same name would hide the attribute.
    is_told = is_plain and path[-1] in ruleset.attributes and path[-1] not in ruleset.traits
    return path[-1] if is_told else None


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
