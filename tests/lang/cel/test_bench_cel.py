"""The benchmark of conditions: what it prints, not how fast it is."""

import json
from dataclasses import replace

import pytest

from shopflow.bench import cel
from shopflow.lang.cel import compile_expression


@pytest.fixture(scope="module")
def report():
    return cel.run(rounds=1, scale=0.001)


def test_every_engine_is_measured_on_every_condition(report):
    assert report.engines[:3] == (cel.OURS, cel.INTERPRETED, cel.COMPILED)
    assert [line.name for line in report.lines] == list(cel.CONDITIONS)
    assert all(time > 0 for line in report.lines for time in line.microseconds.values())


def test_the_conditions_are_true_of_the_event():
    for condition in cel.CONDITIONS.values():
        assert compile_expression(condition).evaluate(cel.BINDINGS) is True


def test_the_table_shows_ratios_and_what_is_below_the_bar(report):
    slow = {cel.OURS: 1.0, cel.INTERPRETED: 400.0, cel.COMPILED: 100.0, cel.PEER: 0.5}
    line = replace(report.lines[0], microseconds=slow)
    text = cel.render(replace(report, engines=tuple(slow), lines=(line,)))
    assert "400.00 us (400.0 times)" in text
    assert "below the bar: threshold: 0.5 times cel-expr-python, the bar is 1" in text
    assert "interpreted, the bar" not in text


def test_a_peer_that_is_not_installed_is_left_out(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(cel, "import_module", missing)
    found = cel.run(rounds=1, scale=0.001)
    assert cel.PEER not in found.engines
    assert "cel-expr-python is not installed" in cel.render(found)


def test_an_engine_that_disagrees_is_not_measured():
    with pytest.raises(ValueError, match="does not agree"):
        cel._seconds(lambda: False, 1)


def test_the_report_is_printed_for_people_and_for_programs(report, monkeypatch, capsys):
    monkeypatch.setattr(cel, "run", lambda _: report)
    assert cel.run_and_print() is not report.misses()
    assert "median of 1 rounds" in capsys.readouterr().out
    cel.run_and_print(output="json")
    body = json.loads(capsys.readouterr().out)
    assert set(body["ratios"]) == set(report.engines) - {cel.OURS}
