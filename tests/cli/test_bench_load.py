"""`shopflow bench load`: every way to start loads the same rules, and the bars are held to."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from shopflow.bench import load
from shopflow.cli.bench import bench


@pytest.mark.slow
def test_every_way_to_start_is_measured():
    told = CliRunner().invoke(bench, ["load", "--rules", "12", "--rounds", "1", "--format", "json"])
    report = json.loads(told.stdout)
    assert [line["start"] for line in report["lines"]] == list(load.Start)
    assert all(line["seconds"] > 0 and line["megabytes"] > 10 for line in report["lines"])


@pytest.mark.parametrize(
    ("start", "field", "value", "reached"),
    [
        (load.Start.KEPT, "seconds", 4.9, True),
        (load.Start.KEPT, "seconds", 5.1, False),
        (load.Start.KEPT, "megabytes", 401.0, False),
        (load.Start.FIRST, "megabytes", 401.0, False),
        (load.Start.FIRST, "seconds", 500.0, True),
        (load.Start.COMPILED, "megabytes", 900.0, True),
    ],
)
def test_the_bars_are_for_what_runs(start, field, value, reached):
    lines = [
        load.Line(start=each, seconds=1.0, processor=1.0, megabytes=100.0) for each in load.Start
    ]
    changed = [replace(line, **{field: value}) if line.start is start else line for line in lines]
    report = load.Report(rules=9, rounds=1, lines=tuple(changed))
    assert report.reached is reached
    assert ("within" in load.render(report)) is reached
