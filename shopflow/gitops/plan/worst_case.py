"""The most that the rules can send to one person in any seven days, proven from the rules alone.

Two things limit messages: caps, and how often a workflow can start for somebody and how much it
then sends. Both are sums that must not pass a number; the largest sum that passes none of them is a
linear programme. Its optimum over fractions is never below the one over whole messages, so its
floor is a bound. It counts by the instants at which messages are decided.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple, assert_never

from scipy.optimize import linprog

from shopflow.domain.ids import StepId
from shopflow.domain.policy import CalendarWindow, FrequencyCap, MessageClass
from shopflow.domain.ruleset import Ruleset
from shopflow.domain.step import (
    ChangeConsent,
    Choose,
    DrawCode,
    Emit,
    End,
    Repeat,
    Send,
    SendMode,
    SetValues,
    Split,
    Step,
    Wait,
    WaitFor,
)
from shopflow.domain.workflow import Reentry, Status, Workflow
from shopflow.engine.caps import Candidate, covers
from shopflow.gitops.graph.dependencies import sends

WEEK = timedelta(days=7)
#: Calendar windows that seven days can touch: the week in which the clocks go forward is an hour
#: short of seven days, so that the end of one day and the beginning of the ninth lie in 168 hours.
_TOUCHED = {CalendarWindow.DAY: 9, CalendarWindow.WEEK: 2, CalendarWindow.MONTH: 2}
#: Classes of messages that nobody asked for.
_UNASKED = frozenset({MessageClass.MARKETING, MessageClass.RELATIONSHIP})
#: What the solver's arithmetic may be off by.
_SLACK = 1e-6


class _Kind(NamedTuple):
    """Messages that all limits treat alike."""

    workflow: Workflow
    candidate: Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstCase:
    """The most marketing and relationship messages that somebody can be sent in seven days."""

    #: None where nothing limits them.
    messages: int | None
    #: Workflows whose messages nothing limits.
    unlimited: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.messages is None:
            return f"no limit; nothing limits {', '.join(self.unlimited)}"
        return f"{self.messages} message{'' if self.messages == 1 else 's'}"


def worst_case(ruleset: Ruleset) -> WorstCase:
    """What the rules can come to for one person, whatever happens."""
    kinds = list(_kinds(ruleset))
    limits = [*_of_caps(ruleset, kinds), *_of_workflows(kinds)]
    limited = {number for numbers, _ in limits for number in numbers}
    unlimited = {kinds[n].workflow.id for n in range(len(kinds)) if n not in limited}
    if unlimited:
        return WorstCase(messages=None, unlimited=tuple(sorted(unlimited)))
    if not kinds:
        return WorstCase(messages=0)
    found = linprog(
        c=[-1.0] * len(kinds),
        A_ub=[[float(n in numbers) for n in range(len(kinds))] for numbers, _ in limits],
        b_ub=[most for _, most in limits],
    )
    if not found.success:
        raise RuntimeError(f"the worst case could not be worked out: {found.message}")
    return WorstCase(messages=math.floor(-found.fun + _SLACK))


def _kinds(ruleset: Ruleset) -> Iterator[_Kind]:
    for workflow in ruleset.workflows.values():
        if workflow.status is not Status.LIVE:
            continue
        places = {(step.purpose, channel) for step in sends(workflow) for channel in step.channels}
        for purpose, channel in sorted(places):
            message_class = ruleset.purposes[purpose].message_class
            known = ruleset.channels.get(channel)
            if message_class in _UNASKED and known is not None and known.address_attribute:
                yield _Kind(
                    workflow,
                    Candidate(
                        channel=channel,
                        purpose=purpose,
                        message_class=message_class,
                        workflow=workflow.id,
                        tags=workflow.tags,
                        priority=workflow.priority,
                    ),
                )


#: The numbers of the kinds whose sum is limited, and the limit.
_Limit = tuple[frozenset[int], float]


def _of_caps(ruleset: Ruleset, kinds: list[_Kind]) -> Iterator[_Limit]:
    for cap in ruleset.caps:
        counted = {n for n, kind in enumerate(kinds) if covers(cap, kind.candidate)}
        windows = _windows(cap)
        if counted:
            yield frozenset(counted), cap.limit * windows
        low = {n for n in counted if kinds[n].candidate.priority < cap.reserved_priority}
        if low and cap.reserved_slots:
            yield frozenset(low), max(0, cap.limit - cap.reserved_slots) * windows


def _windows(cap: FrequencyCap) -> int:
    """Of how many windows of the cap seven days can have a part."""
    if isinstance(cap.window, timedelta):
        return math.ceil(WEEK / cap.window)
    return _TOUCHED[cap.window]


def _of_workflows(kinds: list[_Kind]) -> Iterator[_Limit]:
    by_workflow: dict[str, set[int]] = {}
    for number, kind in enumerate(kinds):
        by_workflow.setdefault(kind.workflow.id, set()).add(number)
    for numbers in by_workflow.values():
        workflow = kinds[min(numbers)].workflow
        starts = _starts(workflow)
        if starts is not None:
            yield frozenset(numbers), starts * most_sends(workflow)


def _starts(workflow: Workflow) -> int | None:
    """How many enrolments of somebody can send something within seven days; None: any number.

    Of several keys any number may run at once, and so may parallel ones. Else one follows the
    other, and between the last message of one and the beginning of the next lies the cooldown.
    """
    if workflow.key is not None or workflow.reentry is Reentry.PARALLEL:
        return None
    if workflow.reentry is Reentry.ONCE:
        return 1
    if workflow.cooldown <= timedelta() or workflow.cooldown_per_key:
        return None
    return math.ceil(WEEK / workflow.cooldown)


def most_sends(workflow: Workflow) -> int:
    """The messages on the way through the workflow that has the most of them."""
    return _Ways(workflow.steps).most(workflow.start, None)


class _Ways:
    def __init__(self, steps: Mapping[StepId, Step]) -> None:
        self._steps = steps
        self._known: dict[tuple[StepId, StepId | None], int] = {}

    def most(self, step_id: StepId | None, until: StepId | None) -> int:
        """The messages from a step to the end, or until it comes back to the repeat given."""
        if step_id is None or step_id == until or step_id not in self._steps:
            return 0
        key = (step_id, until)
        if key not in self._known:
            # A step that leads to itself cannot be written; should one, it ends here.
            self._known[key] = 0
            self._known[key] = self._of(step_id, until)
        return self._known[key]

    def _of(self, step_id: StepId, until: StepId | None) -> int:
        step = self._steps[step_id]
        match step:
            case Send():
                count = len(step.channels) if step.mode is SendMode.EACH_OF else 1
                return count + self.most(step.next, until)
            case Choose():
                targets = [*(branch.target for branch in step.branches), step.otherwise, step.next]
            case Split():
                targets = [*(branch.target for branch in step.branches), step.next]
            case WaitFor():
                targets = [step.then, step.otherwise]
            case DrawCode():
                targets = [step.next, step.otherwise]
            case Repeat():
                return step.limit * self.most(step.body, step.id) + self.most(step.next, until)
            case Wait() | SetValues() | ChangeConsent() | Emit() | End():
                targets = [step.next]
            case _:
                assert_never(step)
        return max(self.most(target, until) for target in targets)
