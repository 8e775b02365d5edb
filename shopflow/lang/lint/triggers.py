"""What triggers cost: conditions that the rule index cannot use (SF801)."""

from __future__ import annotations

from collections.abc import Iterator

from shopflow.domain.expression import Expression
from shopflow.domain.trigger import EventTrigger
from shopflow.lang.cel import Program
from shopflow.lang.cel.ast import Or
from shopflow.lang.lint.subject import Subject
from shopflow.lang.schemas import RESERVED_FIELDS
from shopflow.problem import Problem, Severity


def trigger_can_be_indexed(subject: Subject) -> Iterator[Problem]:
    """A condition on the payload has a part by which the index can leave the rule out."""
    for each in subject.build.workflows:
        workflow, root = each.workflow, each.document.root
        if workflow is None or root is None or not isinstance(workflow.trigger, EventTrigger):
            continue
        when = workflow.trigger.when
        if when is None or not _reads_payload(when) or _is_indexable(when):
            continue
        is_choice = isinstance(when, Program) and isinstance(when.tree, Or)
        reason = "|| is at the top" if is_choice else "no field is compared with a constant"
        yield each.document.problem(
            "SF801",
            root["trigger"]["when"],
            f"the index cannot use this condition: {reason}",
            hint="add a part such as has(event.x) && … that must hold in any case",
            severity=Severity.WARNING,
        )


def _reads_payload(when: Expression) -> bool:
    return any(map(_is_of_payload, when.reads))


def _is_indexable(when: Expression) -> bool:
    return any(_is_of_payload(atom.path) for atom in when.atoms)


def _is_of_payload(path: tuple[str, ...]) -> bool:
    return path[0] == "event" and len(path) > 1 and path[1] not in RESERVED_FIELDS
