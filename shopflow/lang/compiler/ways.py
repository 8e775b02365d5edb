"""Every way through a workflow, with when each step comes at the earliest and at the latest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import NamedTuple, assert_never

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
from shopflow.domain.workflow import Workflow
from shopflow.lang.compiler.longest import DAY, NOTHING, WEEK, length_of

#: More ways than this are not followed.
MOST_WAYS = 256
#: Rounds of a repeat that are followed; a later one is like the last of them.
MOST_ROUNDS = 8


class Stop(NamedTuple):
    """A step on a way, and how long after the start of the enrolment it comes.

    Two stops of one way are as far apart as their times are: earliest from earliest at least,
    latest from latest at most.
    """

    step: Step
    earliest: timedelta
    #: None when a wait before it has no end that is known.
    latest: timedelta | None


Way = tuple[Stop, ...]


def ways(workflow: Workflow) -> tuple[Way, ...] | None:
    """Every way, each from the first step to its end; None when there are too many."""
    found: list[Way] = []
    walker = _Walker(workflow.values)
    begun: list[tuple[Way, StepId | None, _Place]] = [((), workflow.start, _Place())]
    while begun:
        way, step_id, place = begun.pop()
        step = workflow.steps.get(step_id) if step_id is not None else None
        if step is None:
            if len(found) == MOST_WAYS:
                return None
            found.append(way)
            continue
        if not place.is_back_at(step):
            way = (*way, Stop(step, place.earliest, place.latest))
        onward = [(way, following, then) for following, then in walker.onward(step, place)]
        begun += reversed(onward)
    return tuple(found)


class _Place(NamedTuple):
    """Where a way has come to."""

    earliest: timedelta = NOTHING
    latest: timedelta | None = NOTHING
    #: The repeats that it is inside of, the innermost last, each with its round.
    rounds: tuple[tuple[StepId, int], ...] = ()

    def later(self, least: timedelta, most: timedelta | None) -> _Place:
        """The same place after a wait."""
        latest = None if self.latest is None or most is None else self.latest + most
        return _Place(self.earliest + least, latest, self.rounds)

    def is_back_at(self, step: Step) -> bool:
        """Whether a round of this repeat has just ended."""
        return bool(self.rounds) and self.rounds[-1][0] == step.id

    def within(self, rounds: tuple[tuple[StepId, int], ...]) -> _Place:
        """The same place inside these repeats."""
        return _Place(self.earliest, self.latest, rounds)


class _Walker:
    def __init__(self, values: Mapping[str, object]) -> None:
        self.values = values

    def onward(self, step: Step, place: _Place) -> Iterator[tuple[StepId | None, _Place]]:
        """Where a way can go on, and what has passed by then."""
        match step:
            case Wait():
                yield step.next, self.after_wait(step, place)
            case WaitFor():
                timeout = length_of(step.timeout, self.values)
                yield step.then, place.later(NOTHING, timeout)
                yield step.otherwise, place.later(timeout or NOTHING, timeout)
            case Choose():
                yield from ((branch.target, place) for branch in step.branches)
                yield step.otherwise, place
            case Split():
                most = length_of(step.trial.decide_after, self.values) if step.trial else NOTHING
                yield from ((b.target, place.later(NOTHING, most)) for b in step.branches)
            case DrawCode():
                yield step.next, place
                yield step.otherwise, place
            case Repeat():
                yield from self.after_round(step, place)
            case End() if step.only_if is None:
                yield None, place
            case End():
                yield None, place
                yield step.next, place
            case Send() | SetValues() | ChangeConsent() | Emit():
                yield step.next, place
            case _:
                assert_never(step)

    def after_wait(self, step: Wait, place: _Place) -> _Place:
        if step.until_time is not None:
            return place.later(NOTHING, WEEK if step.days else DAY)
        length = length_of(step.length, self.values) if step.length is not None else None
        # One that may be skipped, or ends early when enough was gathered, is only a bound.
        is_sure = length is not None and step.only_if is None and not step.gather
        return place.later(length if length is not None and is_sure else NOTHING, length)

    def after_round(self, step: Repeat, place: _Place) -> Iterator[tuple[StepId | None, _Place]]:
        rounds = place.rounds
        is_back = place.is_back_at(step)
        done = rounds[-1][1] if is_back else 0
        outside = rounds[:-1] if is_back else rounds
        if is_back:
            pause = length_of(step.every, self.values)
            place = place.later(pause or NOTHING, pause)
        last = min(step.limit, MOST_ROUNDS)
        if done < last and step.body is not None:
            yield step.body, place.within((*outside, (step.id, done + 1)))
        if done >= last or step.body is None or step.while_ is not None or step.only_if is not None:
            yield step.next, place.within(outside)
