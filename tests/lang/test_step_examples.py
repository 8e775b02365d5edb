"""The example in the docstring of each kind of step compiles to that kind."""

from __future__ import annotations

import inspect
import re
import textwrap
from typing import get_args

import pytest

from shopflow.domain import workflow as domain
from shopflow.lang.compiler.context import Context
from shopflow.lang.compiler.event_types import EventTypes
from shopflow.lang.compiler.shape import KINDS
from shopflow.lang.older import compile_workflow
from shopflow.lang.reading import parse
from shopflow.lang.schemas import schema_of, shipped_events

STEPS = get_args(domain.Step)


@pytest.mark.parametrize("kind", STEPS, ids=lambda kind: kind.__name__)
def test_the_example_of_a_step_is_one(kind):
    text = textwrap.dedent(re.search(r"```yaml\n(.*?)```", inspect.getdoc(kind), re.DOTALL)[1])
    steps = parse("example.yaml", text).root.data
    context = Context(catalogue=shipped_events(), event_types=EventTypes(shipped_events()))
    made = compile_workflow(
        {
            "apiVersion": "shopflow/v1",
            "kind": "Workflow",
            "id": "example",
            "owner": "me",
            "status": "live",
            "purpose": "service",
            "trigger": {"event": "order.placed"},
            "steps": steps,
        },
        context,
    )
    assert isinstance(made.steps[steps[0]["id"]], kind)


def test_the_schema_and_the_compiler_know_the_same_kinds_of_step():
    assert schema_of("Workflow")["$defs"]["unknown_step"]["x-kinds"] == list(KINDS)
    assert len(KINDS) == len(STEPS)
