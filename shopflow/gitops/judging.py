"""The verdicts on many scenarios, in their order: one after the other, or worked out side by side.

Side by side, each process is a copy of this one with the rules as they are compiled here. A copy
hands back plain values; what it saw and wrote counts once its verdict is asked for, so that nothing
depends on who was first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from multiprocessing import get_all_start_methods, get_context
from typing import Any

from shopflow.gitops.expecting import Result, judge
from shopflow.gitops.rehearsal import Stage
from shopflow.gitops.scenario import Scenario
from shopflow.gitops.sightings import Seen
from shopflow.gitops.texts import Snapshots
from shopflow.gitops.ties import other_orders

#: How a process becomes two; where a system cannot, everything is worked out in this one.
_COPY = "fork"
#: Scenarios that a process takes at a time: most take a few thousandths of a second.
_PORTION = 8
#: What was seen on the way to a verdict, and the verdict but for the scenario.
_Told = tuple[Seen, dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Says of scenarios whether they come out as their tests expect."""

    stage: Stage
    snapshots: Snapshots
    #: Events of one instant are tried in every order.
    shuffling: bool = False

    def results(self, scenarios: Sequence[Scenario], jobs: int = 1) -> Iterator[Result]:
        """The verdict on each, in their order; with more jobs the same, sooner."""
        # Of two tests that write one snapshot the later one is to win, as their order has it.
        alone = jobs == 1 or self.snapshots.update or len(scenarios) <= _PORTION
        if alone or _COPY not in get_all_start_methods():
            return map(self.verdict, scenarios)
        return self._side_by_side(scenarios, jobs)

    def verdict(self, scenario: Scenario) -> Result:
        """The verdict on one, or on the first order of its events in which it fails."""
        result = judge(self.stage.rehearse(scenario), self.snapshots)
        if self.shuffling and result.passed:
            return self._in_any_order(scenario) or result
        return result

    def _in_any_order(self, scenario: Scenario) -> Result | None:
        """The verdict on the first other order in which it fails; None where it never does."""
        snapshots = replace(self.snapshots, update=False)
        for other, order in other_orders(scenario):
            # Of two messages of that instant either may come first now.
            result = judge(self.stage.rehearse(other), snapshots, in_order=False)
            if not result.passed:
                return replace(result, order=order)
        return None

    def _side_by_side(self, scenarios: Sequence[Scenario], jobs: int) -> Iterator[Result]:
        pool = ProcessPoolExecutor(
            jobs,
            mp_context=get_context(_COPY),
            initializer=_work_on,
            initargs=(_Work(judge=self, scenarios=scenarios),),
        )
        # The copies are made here and now, before anything else of this process has threads.
        told = pool.map(_tell, range(len(scenarios)), chunksize=_PORTION)
        return self._collected(scenarios, told, pool)

    def _collected(
        self, scenarios: Sequence[Scenario], told: Iterator[_Told], pool: ProcessPoolExecutor
    ) -> Iterator[Result]:
        sightings = self.stage.sightings
        try:
            for scenario, (seen, parts) in zip(scenarios, told, strict=True):
                if sightings is not None:
                    sightings.also(seen)
                yield Result(scenario=scenario, **parts)
        finally:
            pool.shutdown(cancel_futures=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    judge: Judge
    scenarios: Sequence[Scenario]

    def told(self, number: int) -> _Told:
        """The verdict on that scenario as it can be sent: without the compiled rules."""
        result = self.judge.verdict(self.scenarios[number])
        sightings = self.judge.stage.sightings
        seen = {} if sightings is None else sightings.handed_over()
        parts = {each.name: getattr(result, each.name) for each in fields(result)}
        del parts["scenario"]
        return seen, parts


#: What a copy works on; the process that it was made from has none.
_work: _Work | None = None


def _work_on(work: _Work) -> None:
    global _work  # noqa: PLW0603 - a copy works on one thing as long as it lives
    _work = work


def _tell(number: int) -> _Told:
    assert _work is not None  # noqa: S101 - it is what a copy begins with
    return _work.told(number)
