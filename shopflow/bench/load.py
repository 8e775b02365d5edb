"""What a worker's start costs with many rules, kept or not, beside reading their YAML by itself.

Each start is a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import yaml

from shopflow.bench.run_rules import project_files, write_files
from shopflow.bench.run_workflows import WORKFLOWS
from shopflow.engine import Rulebook
from shopflow.lang.bundle_cache import FOLDER, OFF
from shopflow.rulebook import load_project
from shopflow.runtime.ingest import Ingest
from shopflow.runtime.queue.pulse import resident

RULES = 10_000
#: Seconds that a start may take, and megabytes that a worker may have then.
BAR_SECONDS, BAR_MEGABYTES = 5.0, 400.0

_MEGABYTE = 1_000_000


class Start(StrEnum):
    """What is started."""

    #: The files are read by the fastest YAML reader that Python has, and nothing is made of them.
    YAML = "yaml alone"
    COMPILED = "compiled"
    #: Compiled, and put into the cache: the first start after a change.
    FIRST = "first start"
    KEPT = "kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One way to start: from the start of the process until rules can be asked."""

    start: Start
    seconds: float
    #: Of those, the processor's.
    processor: float
    megabytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All ways of one run."""

    rules: int
    rounds: int
    lines: tuple[Line, ...]

    @property
    def reached(self) -> bool:
        """With the rules kept, both bars are held; and the first start leaves no more behind."""
        found = {line.start: line for line in self.lines}
        kept, first = found[Start.KEPT], found[Start.FIRST]
        small = max(kept.megabytes, first.megabytes) <= BAR_MEGABYTES
        return kept.seconds <= BAR_SECONDS and small


def run(
    rounds: int = 3, *, rules: int = RULES, done: Callable[[], object] = lambda: None
) -> Report:
    """Measure every way to start; what is slow is done once."""
    with tempfile.TemporaryDirectory(prefix="shopflow-bench-") as folder:
        root, cache = Path(folder, "shop"), Path(folder, "cache")
        write_files(root, project_files(dict(_workflows(rules))))
        lines = []
        for start in Start:
            times = rounds if start in {Start.YAML, Start.KEPT} else 1
            found = [_started(start, root, OFF if start is Start.COMPILED else str(cache))
                     for _ in range(times)]  # fmt: skip
            lines.append(_medians(found))
            done()
    return Report(rules=rules, rounds=rounds, lines=tuple(lines))


def _workflows(count: int) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Workflows of the shapes of `bench run`, each with a condition of its own."""
    for number in range(count):
        name, shape = list(WORKFLOWS.items())[number % len(WORKFLOWS)]
        trigger = shape["trigger"]
        if isinstance(trigger, dict) and "event" in trigger:
            only = f'event.id != "other-{number}"'
            when = f"{only} && ({trigger['when']})" if "when" in trigger else only
            shape = {**shape, "trigger": {**trigger, "when": when}}
        yield f"{name}-{number}", shape


def _started(start: Start, root: Path, cache: str) -> Line:
    code = "import sys; from shopflow.bench.load import measure; measure(*sys.argv[1:])"
    began = perf_counter()
    ran = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", code, start, str(root)],
        env={**os.environ, FOLDER: cache},
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(ran.stdout)
    return Line(start=start, seconds=perf_counter() - began, **told)


def measure(start: str, root: str) -> None:
    """Starts in this process, and prints what that took."""
    if start == Start.YAML:
        for path in Path(root).rglob("*.yaml"):
            yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
        ready: object = None
    else:
        loaded = load_project(Path(root), kept=True).require()
        ready = Rulebook(loaded.ruleset), Ingest(loaded.events.schemas), loaded
    print(json.dumps({"processor": process_time(), "megabytes": resident() / _MEGABYTE}))  # noqa: T201 - read by whoever started this
    del ready


def _medians(found: list[Line]) -> Line:
    return Line(
        start=found[0].start,
        seconds=median(line.seconds for line in found),
        processor=median(line.processor for line in found),
        megabytes=median(line.megabytes for line in found),
    )


def render(report: Report) -> str:
    """The report as a table for a terminal."""
    rows = [f"{'start':<14}{'seconds':>10}{'processor':>12}{'MB':>8}{'x yaml':>9}"]
    floor = report.lines[0].seconds
    rows += [
        f"{line.start:<14}{line.seconds:>10.2f}{line.processor:>12.2f}{line.megabytes:>8.0f}"
        f"{line.seconds / floor:>9.2f}"
        for line in report.lines
    ]
    verdict = "within" if report.reached else "over"
    rows.append(
        f"{report.rules:,} rules, kept: {verdict} the bars of {BAR_SECONDS:g} s and "
        f"{BAR_MEGABYTES:g} MB"
    )
    return "\n".join(rows)


def render_json(report: Report) -> str:
    """The report for programs."""
    lines = [asdict(line) for line in report.lines]
    bars = {"seconds": BAR_SECONDS, "megabytes": BAR_MEGABYTES}
    body = {"rules": report.rules, "rounds": report.rounds, "bars": bars, "lines": lines}
    return json.dumps({**body, "reached": report.reached}, indent=2)
