"""How long an enrolment can take at most, as far as its waits are known before it runs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import assert_never

from shopflow.domain.expression import Expression
from shopflow.domain.ids import StepId
from shopflow.domain.workflow import (
    ChangeConsent,
    Choose,
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
_DAY, _WEEK = timedelta(days=1), timedelta(days=7)


def longest_path(
    steps: Mapping[StepId, Step], start: StepId | None, values: Mapping[str, object]
) -> timedelta:
    """The sum of the waits on the longest way; a wait that is not known counts as nothing."""
    return _Longest(steps, values).from_step(start, None)


class _Longest:
    def __init__(self, steps: Mapping[StepId, Step], values: Mapping[str, object]) -> None:
        self.steps = steps
        self.values = values
        self.known: dict[tuple[StepId, StepId | None], timedelta] = {}

    def from_step(self, step_id: StepId | None, until: StepId | None) -> timedelta:
        """The longest way from a step to the end, or until it comes back to the repeat given."""
        if step_id is None or step_id == until or step_id not in self.steps:
            return NOTHING
        key = (step_id, until)
        if key not in self.known:
            # A step that leads to itself cannot be written; should one, it ends here.
            self.known[key] = NOTHING
            self.known[key] = self._of(self.steps[step_id], until)
        return self.known[key]

    def _of(self, step: Step, until: StepId | None) -> timedelta:
        after = self.from_step(step.next, until)
        match step:
            case Wait():
                return self._wait(step) + after
            case WaitFor():
                timeout = self.length(step.timeout)
                ways = (self.from_step(step.then, until), self.from_step(step.otherwise, until))
                return timeout + max(ways)
            case Choose():
                targets = [*(branch.target for branch in step.branches), step.otherwise]
                return max(self.from_step(target, until) for target in targets)
            case Split():
                return max(self.from_step(branch.target, until) for branch in step.branches)
            case Repeat():
                round_ = self.from_step(step.body, step.id)
                return (round_ + self.length(step.every)) * step.limit + after
            case Send() | SetValues() | ChangeConsent() | Emit() | End():
                return after
            case _:
                assert_never(step)

    def _wait(self, step: Wait) -> timedelta:
        if step.until_time is not None:
            return _WEEK if step.days else _DAY
        return self.length(step.length)

    def length(self, expression: Expression | None) -> timedelta:
        """The length of a wait, where values alone decide it."""
        if expression is None:
            return NOTHING
        try:
            found = expression.evaluate({"values": dict(self.values)})
        except EvaluationError:
            return NOTHING
        return max(found, NOTHING) if isinstance(found, timedelta) else NOTHING
