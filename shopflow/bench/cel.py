"""How long one condition takes here, beside cel-python's two runners and cel-expr-python."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from statistics import median
from time import perf_counter
from typing import Any

import celpy
from celpy.adapter import json_to_cel
from celpy.celparser import CELParser

from shopflow.lang.cel import compile_expression

Evaluate = Callable[[], object]

#: Four conditions of a typical shop; doubles are written as cel-python needs them.
CONDITIONS = {
    "threshold": "event.total >= 50.0 && size(event.items) > 0",
    "segment": "event.country in ['FR', 'BE', 'CH'] && !segments.promo_hunter && has(event.coupon)",
    "items": "event.items.exists(i, i.category == 'lamps' && i.price > 20.0)",
    "customer": "customer.orders_count == 0 || customer.total_spent >= 1000.0",
}
BINDINGS: dict[str, Any] = {
    "event": {
        "total": 129.5,
        "country": "FR",
        "coupon": "WELCOME",
        "items": [
            {"sku": "C7", "category": "chairs", "price": 79.5, "quantity": 1},
            {"sku": "L1", "category": "lamps", "price": 25.0, "quantity": 2},
        ],
    },
    "customer": {"orders_count": 3, "total_spent": 1240.0},
    "segments": {"promo_hunter": False},
}
OURS = "shopflow"
INTERPRETED = "cel-python interpreted"
COMPILED = "cel-python compiled"
PEER = "cel-expr-python"

#: Bars that a run is held against: how many times faster than the other engine.
BARS = {INTERPRETED: 300.0, PEER: 1.0}
#: Evaluations timed together in one round, by engine.
_REPEATS = {OURS: 20_000, INTERPRETED: 60, COMPILED: 250, PEER: 5_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One condition: microseconds per evaluation, by engine."""

    name: str
    condition: str
    microseconds: Mapping[str, float]

    def ratio(self, engine: str) -> float:
        """How many times longer the engine takes than shopflow."""
        return self.microseconds[engine] / self.microseconds[OURS]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Medians over interleaved rounds of one run."""

    rounds: int
    engines: tuple[str, ...]
    lines: tuple[Line, ...]

    def ratio(self, engine: str) -> float:
        """The median ratio over the conditions."""
        return median(line.ratio(engine) for line in self.lines)

    def misses(self) -> tuple[str, ...]:
        """The bars that a condition did not reach in this run, in words."""
        return tuple(
            f"{line.name}: {line.ratio(engine):.1f} times {engine}, the bar is {bar:g}"
            for engine, bar in BARS.items()
            if engine in self.engines
            for line in self.lines
            if line.ratio(engine) < bar
        )


def _ours(condition: str) -> Evaluate:
    evaluate = compile_expression(condition).evaluate
    return lambda: evaluate(BINDINGS)


def _cel_python(runner: type[celpy.Runner]) -> Callable[[str], Evaluate]:
    def prepare(condition: str) -> Evaluate:
        # cel-python keeps one parser for the process, made for the runner that came first.
        CELParser.CEL_PARSER = None
        environment = celpy.Environment(runner_class=runner)
        program = environment.program(environment.compile(condition))
        activation = {name: json_to_cel(value) for name, value in BINDINGS.items()}
        return lambda: program.evaluate(activation)

    return prepare


def _peer(condition: str) -> Evaluate:
    cel = import_module("cel_expr_python.cel")
    env = cel.NewEnv(variables=dict.fromkeys(BINDINGS, cel.Type.DYN))
    expression = env.compile(condition)
    activation = env.Activation(BINDINGS)
    return lambda: expression.eval(activation).value()


_ENGINES: dict[str, Callable[[str], Evaluate]] = {
    OURS: _ours,
    INTERPRETED: _cel_python(celpy.InterpretedRunner),
    COMPILED: _cel_python(celpy.CompiledRunner),
    PEER: _peer,
}


def run(rounds: int = 7, *, scale: float = 1.0) -> Report:
    """Measure every engine on every condition, engine after engine in each round."""
    limit = sys.getrecursionlimit()
    try:
        return _run(rounds, scale)
    finally:
        # cel-python raises it for the whole process.
        sys.setrecursionlimit(limit)


def _run(rounds: int, scale: float) -> Report:
    prepared: dict[str, dict[str, Evaluate]] = {}
    for engine, prepare in _ENGINES.items():
        try:
            prepared[engine] = {name: prepare(text) for name, text in CONDITIONS.items()}
        except ModuleNotFoundError:
            continue
    times: dict[tuple[str, str], list[float]] = {}
    for _ in range(rounds):
        for name in CONDITIONS:
            for engine, evaluations in prepared.items():
                repeats = max(1, int(_REPEATS[engine] * scale))
                spent = _seconds(evaluations[name], repeats) / repeats
                times.setdefault((name, engine), []).append(spent)
    lines = tuple(
        Line(
            name=name,
            condition=condition,
            microseconds={engine: median(times[name, engine]) * 1e6 for engine in prepared},
        )
        for name, condition in CONDITIONS.items()
    )
    return Report(rounds=rounds, engines=tuple(prepared), lines=lines)


def _seconds(evaluate: Evaluate, repeats: int) -> float:
    if evaluate() not in (True, 1):
        raise ValueError("an engine does not agree that the condition is true")
    gc.disable()
    try:
        start = perf_counter()
        for _ in range(repeats):
            evaluate()
        return perf_counter() - start
    finally:
        gc.enable()


def render(report: Report) -> str:
    """The report as a table for a terminal."""
    rows = [f"{'condition':<12}" + "".join(f"{engine:>34}" for engine in report.engines)]
    for line in report.lines:
        cells = [f"{line.microseconds[OURS]:.2f} us"]
        cells += [
            f"{line.microseconds[engine]:.2f} us ({line.ratio(engine):,.1f} times)"
            for engine in report.engines[1:]
        ]
        rows.append(f"{line.name:<12}" + "".join(f"{cell:>34}" for cell in cells))
    ratios = [f"{report.ratio(engine):,.1f} times {engine}" for engine in report.engines[1:]]
    rows.append(f"median of {report.rounds} rounds; faster than the others by {', '.join(ratios)}")
    if PEER not in report.engines:
        rows.append(f"{PEER} is not installed")
    rows += [f"below the bar: {miss}" for miss in report.misses()]
    return "\n".join(rows)


def render_json(report: Report) -> str:
    """The report for programs."""
    ratios = {engine: report.ratio(engine) for engine in report.engines if engine != OURS}
    body = {**asdict(report), "ratios": ratios, "misses": report.misses()}
    return json.dumps(body, indent=2)


def run_and_print(rounds: int = 7, *, output: str = "text") -> bool:
    """Run and print as ``text`` or ``json``; whether every bar was reached."""
    report = run(rounds)
    sys.stdout.write((render_json if output == "json" else render)(report) + "\n")
    return not report.misses()
