"""Workflows that start themselves for ever, by the events that they emit (SF208)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shopflow.domain.step import Emit
from shopflow.domain.trigger import EventTrigger
from shopflow.domain.workflow import Reentry, Status, Workflow
from shopflow.lang.compiler.ways import ways
from shopflow.lang.compiler.workflow import CompiledWorkflow
from shopflow.lang.lint.ranges import reader_of
from shopflow.lang.lint.subject import Subject
from shopflow.lang.normal.form import Form, Term, all_of, asking
from shopflow.lang.normal.values import PRESENT, only
from shopflow.problem import Problem


@dataclass(frozen=True, slots=True)
class _Edge:
    """A step that emits an event, and the workflow that it starts whatever happens."""

    step: Emit
    starts: str


def nothing_starts_itself(subject: Subject) -> Iterator[Problem]:
    """No workflow emits, without any condition on the way, what starts it again."""
    running: dict[str, CompiledWorkflow] = {
        each.workflow.id: each
        for each in subject.build.workflows
        if each.workflow is not None and each.workflow.status is not Status.DRAFT
    }
    edges = {name: list(_edges(subject, each, running)) for name, each in running.items()}
    for name, each in running.items():
        path = _way_back(name, edges)
        # A circle is told once, where its first name is.
        if path is None or min(edge.starts for edge in path) != name:
            continue
        root, first = each.document.root, path[0].step
        if root is None:
            continue
        told = " -> ".join([name, *(f"{edge.step.event_type} -> {edge.starts}" for edge in path)])
        message = f"this goes round for ever: {told}"
        hint = "add a condition on the way, or `reentry: once` to one of the triggers"
        nodes = [node for one, node in subject.steps if one is each and node["id"].text == first.id]
        yield each.document.problem("SF208", nodes[0]["emit"]["event"], message, hint=hint)


def _way_back(name: str, edges: Mapping[str, list[_Edge]]) -> list[_Edge] | None:
    """The shortest way from a workflow to itself."""
    todo: list[list[_Edge]] = [[edge] for edge in edges[name]]
    seen: set[str] = set()
    for path in todo:
        last = path[-1].starts
        if last == name:
            return path
        if last not in seen:
            seen.add(last)
            todo += [[*path, edge] for edge in edges[last]]
    return None


def _edges(
    subject: Subject, each: CompiledWorkflow, running: Mapping[str, CompiledWorkflow]
) -> Iterator[_Edge]:
    workflow = each.workflow
    if workflow is None or workflow.exits:
        return
    for step in workflow.steps.values():
        if isinstance(step, Emit) and step.only_if is None and _comes_always(workflow, step):
            for name, other in running.items():
                if _starts(subject, step, other):
                    yield _Edge(step, name)


def _comes_always(workflow: Workflow, step: Emit) -> bool:
    found = ways(workflow)
    return bool(found) and all(any(stop.step is step for stop in way) for way in found or ())


def _starts(subject: Subject, step: Emit, other: CompiledWorkflow) -> bool:
    """Whether the event starts the other workflow for certain."""
    workflow = other.workflow
    trigger = workflow.trigger if workflow is not None else None
    if workflow is None or not isinstance(trigger, EventTrigger):
        return False
    if not trigger.pattern.matches(step.event_type) or workflow.reentry is Reentry.ONCE:
        return False
    if trigger.each is not None or trigger.audience is not None or workflow.cooldown:
        return False
    if trigger.when is None:
        return True
    uses = [use for use in other.uses if use.program is trigger.when]
    reader = reader_of(subject, uses[0], other) if uses else None
    return reader is not None and (reader.untrue(uses[0].program.tree) & _told(step)).is_empty


def _told(step: Emit) -> Form:
    """What is known of the event that a step emits: the fields it has, and their constants."""
    known = []
    for name, value in step.data.items():
        constant = getattr(value, "constant", getattr(value, "value", None))
        path = f"event.{name}"
        known.append(asking(Term(path, frozenset({"event"}), path), only(constant) or PRESENT))
    return all_of(known)
