"""How long an enrolment can take at most, as far as its waits are known before it runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import assert_never

from shopflow.domain.expression import Expression
from shopflow.domain.ids import StepId
from shopflow.domain.step import (
    ChangeConsent,
    Choose,
    DrawCode,
    Emit,
    End,
    Repeat,
    Send,
    SetValues,
    Split,
    Step,
    Wait,
    WaitFor,
)
from shopflow.errors import EvaluationError

NOTHING = timedelta()
#: A local time of day comes within a day, or a week when days are named.
DAY, WEEK = timedelta(days=1), timedelta(days=7)


@dataclass(frozen=True, slots=True)
class _Ways:
    """How long the ways from a step take at most: all of them, and those that do not end early."""

    longest: timedelta = NOTHING
    #: None when every way ends before it comes through.
    through: timedelta | None = NOTHING

    def after(self, length: timedelta) -> _Ways:
        """The same ways after a wait."""
        through = None if self.through is None else self.through + length
        return _Ways(self.longest + length, through)


def _either(ways: Iterable[_Ways]) -> _Ways:
    every = list(ways)
    through = [way.through for way in every if way.through is not None]
    return _Ways(max(way.longest for way in every), max(through) if through else None)


_ENDED = _Ways(NOTHING, None)


def longest_path(
    steps: Mapping[StepId, Step],
    start: StepId | None,
    values: Mapping[str, object],
    *,
    events_at_once: bool = False,
) -> timedelta:
    """The sum of the waits on the longest way; a wait that is not known counts as nothing.

    With `events_at_once`, an event that is waited for comes at once or never.
    """
    return _Longest(steps, values, events_at_once=events_at_once).from_step(start, None).longest


def longest_between(
    steps: Mapping[StepId, Step],
    start: StepId | None,
    target: StepId,
    values: Mapping[str, object],
) -> timedelta | None:
    """The sum of the waits on the longest way to a step; None when no way leads there."""
    return _Longest(steps, values, events_at_once=False).from_step(start, target).through


class _Longest:
    def __init__(
        self, steps: Mapping[StepId, Step], values: Mapping[str, object], *, events_at_once: bool
    ) -> None:
        self.steps = steps
        self.values = values
        self.events_at_once = events_at_once
        self.known: dict[tuple[StepId, StepId | None], _Ways] = {}

    def from_step(self, step_id: StepId | None, until: StepId | None) -> _Ways:
        """The ways from a step to the end, or until they come back to the repeat given."""
        if step_id == until:
            return _Ways()
        if step_id is None or step_id not in self.steps:
            return _ENDED
        key = (step_id, until)
        if key not in self.known:
            # A step that leads to itself cannot be written; should one, it ends here.
            self.known[key] = _ENDED
            self.known[key] = self._of(self.steps[step_id], until)
        return self.known[key]

    def _of(self, step: Step, until: StepId | None) -> _Ways:
        match step:
            case Wait():
                return self.from_step(step.next, until).after(self._wait(step))
            case WaitFor():
                timeout = self.length(step.timeout)
                then = self.from_step(step.then, until)
                otherwise = self.from_step(step.otherwise, until).after(timeout)
                return _either([then.after(NOTHING if self.events_at_once else timeout), otherwise])
            case Choose():
                targets = [*(branch.target for branch in step.branches), step.otherwise]
                return _either(self.from_step(target, until) for target in targets)
            case Split():
                found = _either(self.from_step(branch.target, until) for branch in step.branches)
                return found.after(self.length(step.trial.decide_after if step.trial else None))
            case DrawCode():
                ways = (step.next, step.otherwise)
                return _either(self.from_step(target, until) for target in ways)
            case Repeat():
                return self._repeat(step, until)
            case End() if step.only_if is None:
                return _ENDED
            case Send() | SetValues() | ChangeConsent() | Emit() | End():
                return self.from_step(step.next, until)
            case _:
                assert_never(step)

    def _repeat(self, step: Repeat, until: StepId | None) -> _Ways:
        body = self.from_step(step.body, step.id) if step.body is not None else _Ways()
        after = self.from_step(step.next, until)
        if body.through is None:
            return body if step.while_ is None else _either([body, after])
        a_round = body.through + self.length(step.every)
        last = _Ways(a_round * (step.limit - 1) + body.longest, None)
        return _either([after.after(a_round * step.limit), last])

    def _wait(self, step: Wait) -> timedelta:
        if step.until_time is not None:
            return WEEK if step.days else DAY
        return self.length(step.length)

    def length(self, expression: Expression | None) -> timedelta:
        """The length of a wait; nothing where it is not known."""
        found = None if expression is None else length_of(expression, self.values)
        return NOTHING if found is None else found


def length_of(expression: Expression, values: Mapping[str, object]) -> timedelta | None:
    """The length of a wait where values alone decide it; never less than nothing."""
    try:
        found = expression.evaluate({"values": dict(values)})
    except EvaluationError:
        return None
    return max(found, NOTHING) if isinstance(found, timedelta) else None
