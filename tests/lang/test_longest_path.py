"""How long an enrolment can take: what `max_age` has to cover."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shopflow.lang.compiler.context import Context
from shopflow.lang.compiler.event_types import EventTypes
from shopflow.lang.compiler.longest import longest_path
from shopflow.lang.older import compile_workflow
from shopflow.lang.reading import parse
from shopflow.lang.schemas import shipped_events

CONTEXT = Context(catalogue=shipped_events(), event_types=EventTypes(shipped_events()))
HEAD = """
apiVersion: shopflow/v1
kind: Workflow
id: w
owner: me
status: live
purpose: service
values: {pause: 2d}
trigger: {event: order.placed}
steps:
"""


CHOICE = """
  - id: c
    choose: [{when: 'true', then: [{id: a, wait: 3d}]}, {else: []}]
  - {id: b, wait: 1d}
"""


def days(steps: str, **options) -> float:
    document = parse("w.yaml", HEAD + steps)
    workflow = compile_workflow(document.root.data, CONTEXT)
    longest = longest_path(workflow.steps, workflow.start, workflow.values, **options)
    return longest / timedelta(days=1)


@pytest.mark.parametrize(
    ("steps", "longest"),
    [
        ("  - {id: a, wait: 1d}\n  - {id: b, wait: values.pause}", 3),
        ("  - {id: a, wait: {until_time: '09:00'}}", 1),
        ("  - {id: a, wait: {until_time: '09:00', days: [mon]}}", 7),
        ("  - {id: a, wait: {until: now}}", 0),
        ("  - {id: a, wait: trigger.missing}", 0),
        ("  - {id: a, end: x}\n  - {id: b, wait: 9d}", 0),
        ("  - {id: a, end: x, only_if: 'false'}\n  - {id: b, wait: 9d}", 9),
        (CHOICE, 4),
        ("  - {id: r, repeat: {every: 1d, max: 3, steps: [{id: a, wait: 2d}]}}", 9),
        ("  - {id: r, repeat: {every: 1d, max: 3, steps: []}}\n  - {id: b, wait: 1d}", 4),
        # A round that ends is the last one.
        (
            "  - {id: r, repeat: {every: 1d, max: 9, steps: [{id: a, wait: 2d}, {id: e, end: x}]}}",
            2,
        ),
    ],
)
def test_waits_add_up_along_the_longest_way(steps, longest):
    assert days(steps) == longest


def test_an_event_may_come_at_the_last_moment_or_at_once():
    steps = """
  - id: r
    repeat:
      every: 0s
      max: 8
      steps:
        - {id: a, wait_for: order.shipped, timeout: 60d, else: [{id: e, end: never}]}
"""
    assert days(steps) == 480
    assert days(steps, events_at_once=True) == 60
