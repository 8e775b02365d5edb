"""Every expression of a workflow, wherever it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

from shopflow.domain.expression import Expression
from shopflow.domain.workflow import Workflow


def expressions(workflow: Workflow) -> Iterator[Expression]:
    """All that it works out, in the order of its parts."""
    yield from _below(workflow)


def _below(value: object) -> Iterator[Expression]:
    if _is_expression(value):
        yield value  # type: ignore[misc]
    elif is_dataclass(value):
        for each in fields(value):
            yield from _below(getattr(value, each.name))
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _below(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _below(inner)


def _is_expression(value: object) -> bool:
    return hasattr(value, "evaluate") and hasattr(value, "reads")
