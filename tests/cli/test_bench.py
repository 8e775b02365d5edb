"""`shopflow bench`: sizes that can be compared, a report that tells them, and the bar."""

from __future__ import annotations

import json
from random import Random

import pytest
from click.testing import CliRunner

from shopflow.bench import match, workload
from shopflow.cli.bench import bench
from shopflow.lang.cel import compile_expression


@pytest.fixture(scope="module")
def report():
    return match.run(1, sizes=(10, 60))


def test_every_size_has_the_same_matches(report):
    assert [line.rules for line in report.lines] == [10, 60]
    assert len({line.matches for line in report.lines}) == 1
    assert all(line.candidates >= line.matches > 0 for line in report.lines)


def test_the_report_tells_each_size_and_the_growth(report):
    text = match.render(report)
    assert [line.split()[0] for line in text.splitlines()[1:3]] == ["10", "60"]
    assert f"60 rules cost {report.growth:.2f} times 10" in text
    assert json.loads(match.render_json(report))["growth"] == report.growth


def test_with_and_without_the_index_the_same_rules_are_found():
    chance = Random(1)
    events = workload.some_events(chance, 300)
    rules = match._workflows(chance, events, 40)
    rulebook = match.Rulebook(match._ruleset(rules))
    found, asked = match._by_index(rulebook), match._by_asking_all(rulebook)
    for event in events:
        assert {each.id for each in found(event)} == {each.id for each in asked(event)}


def test_conditions_of_the_workload_compile_and_their_clauses_can_be_indexed():
    chance = Random(2)
    for make in (workload.a_condition, workload.a_selective_condition):
        for _ in range(50):
            source = make(chance)
            assert len(compile_expression(source).atoms) == source.count("&&") + 1


@pytest.mark.parametrize(("growth", "code"), [(1.5, 0), (2.5, 1)])
def test_the_command_fails_above_the_bar(monkeypatch, growth, code):
    def line(rules, microseconds):
        return match.Line(
            rules=rules, microseconds=microseconds, without_index=1, matches=1, candidates=1
        )

    lines = (line(10, 1.0), line(10_000, growth))
    measured = match.Report(rounds=1, lines=lines, growth=growth)
    monkeypatch.setattr(match, "run", lambda *_, **__: measured)
    ran = CliRunner().invoke(bench, ["match", "--format", "json"])
    assert (ran.exit_code, json.loads(ran.stdout)["growth"]) == (code, growth)
