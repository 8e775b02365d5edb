"""What finding the rules of an event costs, and how it grows from ten rules to ten thousand.

Every size has the same few rules that match, which may ask for anything. That the others do not add
matches means that they are selective: each names one product of a large shop, and matches nothing
of the sample. Each size is also measured without the index, over all rules of the event's type.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from random import Random
from statistics import median
from time import perf_counter

from shopflow.bench.workload import a_condition, a_selective_condition, a_type, some_events
from shopflow.domain.event import Event
from shopflow.domain.expression import Expression
from shopflow.domain.ids import WorkflowId
from shopflow.domain.ruleset import Ruleset
from shopflow.domain.trigger import EventPattern, EventTrigger
from shopflow.domain.workflow import InFlight, Status, Workflow
from shopflow.engine import Rulebook
from shopflow.engine.names import event_record
from shopflow.errors import EvaluationError
from shopflow.lang.cel import compile_expression

SIZES = (10, 100, 1_000, 10_000)
#: The largest size may cost this many times the smallest.
BAR = 2.0
#: Rules that match events of the sample, the same at every size.
MATCHING = 5
EVENTS = 1_000
#: Times that the sample is matched in one measurement.
PASSES = 5
SEED = 20260303

#: Finds the rules of one event.
Match = Callable[[Event], Sequence[Workflow]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One size: medians over the rounds of one run."""

    rules: int
    microseconds: float
    #: Asking every rule of the event's type.
    without_index: float
    #: Of one event, on average.
    matches: float
    candidates: float

    @property
    def events_per_second(self) -> float:
        """How many events one core matches in a second."""
        return 1e6 / self.microseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All sizes of one run."""

    rounds: int
    lines: tuple[Line, ...]
    #: How many times more the largest size costs than the smallest, measured right after it.
    growth: float

    @property
    def reached(self) -> bool:
        """The growth is within the bar."""
        return self.growth <= BAR


def run(
    rounds: int = 7, *, sizes: Sequence[int] = SIZES, done: Callable[[], object] = lambda: None
) -> Report:
    """Measure every size in each round; `done` is called after each measurement."""
    chance = Random(SEED)  # noqa: S311 - the same rules in every run
    events = some_events(chance, EVENTS)
    workflows = _workflows(chance, events, max(sizes))
    rulebooks = {size: Rulebook(_ruleset(workflows[:size])) for size in sizes}
    indexed = {size: _by_index(rulebook) for size, rulebook in rulebooks.items()}
    plain = {size: _by_asking_all(rulebook) for size, rulebook in rulebooks.items()}
    fewer = {size: events[: max(20, 50_000 // size)] for size in sizes}
    times: dict[tuple[int, bool], list[float]] = {}
    for _ in range(rounds):
        for size in sizes:
            times.setdefault((size, True), []).append(_seconds(indexed[size], events * PASSES))
            done()
        for size in sizes:
            times.setdefault((size, False), []).append(_seconds(plain[size], fewer[size]))
            done()
    first, last = times[sizes[0], True], times[sizes[-1], True]
    return Report(
        rounds=rounds,
        growth=median(much / little for little, much in zip(first, last, strict=True)),
        lines=tuple(
            Line(
                rules=size,
                microseconds=median(times[size, True]) * 1e6,
                without_index=median(times[size, False]) * 1e6,
                matches=_mean(indexed[size](event) for event in events),
                candidates=_mean(
                    rulebooks[size].index.lookup(event.type, event.data) for event in events
                ),
            )
            for size in sizes
        ),
    )


def _workflows(chance: Random, events: Sequence[Event], count: int) -> list[Workflow]:
    """Rules of which the first few match events of the sample, and no other does."""
    found: list[Workflow] = []
    missing = MATCHING
    by_type: dict[str, list[Mapping[str, object]]] = {}
    for event in events:
        by_type.setdefault(event.type, []).append({"event": event_record(event)})
    while len(found) < count:
        source = a_condition(chance) if missing else a_selective_condition(chance)
        event_type, condition = a_type(chance), compile_expression(source)
        matches = sum(_holds(condition, names) for names in by_type.get(event_type, ()))
        if missing and matches > EVENTS * SHARE:
            missing -= 1
        elif missing or matches:
            continue
        found.append(_workflow(len(found), event_type, condition))
    return found


#: Of the sample, each rule that matches matches at least this share.
SHARE = 0.02


def _workflow(number: int, event_type: str, condition: Expression) -> Workflow:
    pattern = EventPattern(types=frozenset({event_type}))
    return Workflow(
        id=WorkflowId(f"rule-{number}"),
        version=1,
        digest=f"rule-{number}",
        title="",
        owner="",
        status=Status.LIVE,
        purpose="service",
        trigger=EventTrigger(pattern=pattern, when=condition),
        steps={},
        start=None,
        in_flight=InFlight(max_age=timedelta(days=1)),
    )


def _ruleset(workflows: Iterable[Workflow]) -> Ruleset:
    return Ruleset(workflows={workflow.id: workflow for workflow in workflows}, purposes={})


def _by_index(rulebook: Rulebook) -> Match:
    lookup = rulebook.index.lookup

    def match(event: Event) -> list[Workflow]:
        found = lookup(event.type, event.data)
        if not found:
            return found
        names = {"event": event_record(event)}
        return [workflow for workflow in found if _holds(_condition(workflow), names)]

    return match


def _by_asking_all(rulebook: Rulebook) -> Match:
    by_type: dict[str, list[Workflow]] = {}
    for workflow in rulebook.ruleset.workflows.values():
        if isinstance(workflow.trigger, EventTrigger):
            for name in workflow.trigger.pattern.types:
                by_type.setdefault(name, []).append(workflow)

    def match(event: Event) -> list[Workflow]:
        names = {"event": event_record(event)}
        rules = by_type.get(event.type, ())
        return [workflow for workflow in rules if _holds(_condition(workflow), names)]

    return match


def _condition(workflow: Workflow) -> Expression:
    trigger = workflow.trigger
    if not isinstance(trigger, EventTrigger) or trigger.when is None:
        raise TypeError("every rule of the workload has a condition on an event")
    return trigger.when


def _holds(condition: Expression, names: Mapping[str, object]) -> bool:
    try:
        return condition.evaluate(names) is True
    except EvaluationError:
        return False


def _seconds(match: Match, events: Sequence[Event]) -> float:
    """How long one event takes."""
    # What ran before has filled the processor's caches with its own.
    for event in events[:EVENTS]:
        match(event)
    gc.disable()
    try:
        start = perf_counter()
        for event in events:
            match(event)
        return (perf_counter() - start) / len(events)
    finally:
        gc.enable()


def _mean(found: Iterable[Sequence[Workflow]]) -> float:
    counts = [len(each) for each in found]
    return sum(counts) / len(counts)


def render(report: Report) -> str:
    """The report as a table for a terminal."""
    heads = [("rules", 7), ("us/event", 11), ("events/s", 13), ("matches", 10)]
    heads += [("candidates", 12), ("without index", 30)]
    rows = ["".join(f"{head:>{width}}" for head, width in heads)]
    for line in report.lines:
        plain = (
            f"{line.without_index:,.1f} us ({line.without_index / line.microseconds:,.1f} times)"
        )
        rows.append(
            f"{line.rules:>7,}{line.microseconds:>11.2f}{line.events_per_second:>13,.0f}"
            f"{line.matches:>10.2f}{line.candidates:>12.2f}{plain:>30}"
        )
    first, last = report.lines[0], report.lines[-1]
    verdict = "within" if report.reached else "over"
    rows.append(
        f"median of {report.rounds} rounds; {last.rules:,} rules cost {report.growth:.2f} times "
        f"{first.rules:,}, {verdict} the bar of {BAR:g}"
    )
    return "\n".join(rows)


def render_json(report: Report) -> str:
    """The report for programs."""
    lines = [{**asdict(line), "events_per_second": line.events_per_second} for line in report.lines]
    body = {"rounds": report.rounds, "growth": report.growth, "bar": BAR, "lines": lines}
    return json.dumps(body, indent=2)
