"""A condition taken apart: what each part said, and on which values."""

from __future__ import annotations

import pytest
from support.small_project import FULL

from shopflow.gitops.verdict import verdict_on
from shopflow.lang.cel import compile_expression


@pytest.mark.parametrize(
    ("source", "event", "lines"),
    [
        (
            "has(event.total) && event.total >= 20.0",
            {"total": 5.0},
            [
                "true   has(event.total)     event.total = 5.0",
                "false  event.total >= 20.0  event.total = 5.0",
            ],
        ),
        (
            "event.total >= 20.0 && event.country == 'FR'",
            {"total": 5.0, "country": "FR"},
            ["false  event.total >= 20.0    event.total = 5.0", "-      event.country == 'FR'"],
        ),
        ("event.total >= 20.0", {"total": 5.0}, ["false  event.total >= 20.0  event.total = 5.0"]),
        (
            "event.total >= 20.0 || event.country == 'FR'",
            {"country": "BE"},
            ["failed  event.total >= 20.0", "false   event.country == 'FR'  event.country = 'BE'"],
        ),
    ],
    ids=["joined", "not asked", "single", "failed"],
)
def test_each_part_has_a_line(source, event, lines):
    verdict = verdict_on(compile_expression(source), {"event": event})
    assert not verdict.answer
    assert list(verdict.lines()) == lines


def test_a_no_of_the_trigger_is_told_with_its_parts(judged):
    cheap = {**FULL, "data": {"total": 5.0, "items": []}}
    (result,) = judged({"events": [cheap], "expect": {"sends": [{"at": "1h"}]}})
    assert [line.strip() for line in result.notes[0].splitlines()[1:]] == [
        "true   has(event.total)   event.total = 5.0",
        "false  event.total >= 20  event.total = 5.0",
    ]
