"""Triggers: keys (SF207), and what their conditions cost (SF801, SF804)."""

from __future__ import annotations

from collections.abc import Iterator

from shopflow.domain.expression import Expression
from shopflow.domain.policy import MessageClass
from shopflow.domain.step import Send, Wait, WaitFor
from shopflow.domain.trigger import EventTrigger
from shopflow.domain.workflow import Reentry, Workflow
from shopflow.lang.cel import Program
from shopflow.lang.cel.analysis import walk
from shopflow.lang.cel.ast import (
    And,
    Binary,
    Call,
    Comprehension,
    Has,
    Node,
    Not,
    Or,
    Select,
)
from shopflow.lang.cel.findings import Findings
from shopflow.lang.lint.subject import Subject
from shopflow.lang.schemas import RESERVED_FIELDS
from shopflow.problem import Problem, Severity

#: Functions that read a whole text, or look products up.
_DEAR = frozenset({"matches", "in_stock", "compatible"})


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


def keys_tell_apart(subject: Subject) -> Iterator[Problem]:
    """A key differs from event to event, and what is owed for each thing has one."""
    purposes = subject.build.context.purposes or {}
    for each in subject.build.workflows:
        workflow, root = each.workflow, each.document.root
        if workflow is None or root is None or not isinstance(workflow.trigger, EventTrigger):
            continue
        trigger = root["trigger"]
        if workflow.key is not None and not workflow.key.reads and "key" in trigger:
            message = "every event has this key: it tells nothing apart"
            hint = "use a field of the event, or leave the key away"
            yield each.document.problem(
                "SF207", trigger["key"], message, hint=hint, severity=Severity.WARNING
            )
        purpose = purposes.get(workflow.purpose)
        if purpose is None or purpose.message_class is not MessageClass.SERVICE:
            continue
        field = _own_id(subject, workflow.trigger)
        if field and workflow.key is None and _loses_the_second(workflow):
            message = (
                f"a second {field.removesuffix('_id')} is ignored while the first is under way"
            )
            hint = f"add key: event.{field}"
            yield each.document.problem(
                "SF207", root.key("trigger"), message, hint=hint, severity=Severity.WARNING
            )


def _own_id(subject: Subject, trigger: EventTrigger) -> str | None:
    """The field that says which thing an event is about: order_id of order.placed."""
    names = subject.build.context.event_types.names(trigger.pattern)
    nouns = {name.split(".")[0] for name in names}
    field = f"{nouns.pop()}_id" if len(nouns) == 1 else ""
    schemas = [subject.build.context.catalogue.schemas[name] for name in names]
    return field if schemas and all(field in each.get("required", ()) for each in schemas) else None


def _loses_the_second(workflow: Workflow) -> bool:
    """Whether messages tell of what started it, and it takes long enough to miss the next."""
    steps = workflow.steps.values()
    return (
        workflow.reentry is Reentry.IGNORE
        and any(isinstance(step, Wait | WaitFor) for step in steps)
        and any(
            path[0] == "trigger"
            for step in steps
            if isinstance(step, Send)
            for value in step.variables.values()
            for path in value.reads
        )
    )


def cheap_parts_come_first(subject: Subject) -> Iterator[Problem]:
    """Of a condition asked at every event, what costs little is asked before what costs much."""
    for each in subject.build.workflows:
        trigger = each.workflow.trigger if each.workflow is not None else None
        for use in each.uses:
            when = trigger.when if isinstance(trigger, EventTrigger) else None
            if use.program is not when or not isinstance(use.program.tree, And):
                continue
            items = use.program.tree.items
            dear = next((place for place, item in enumerate(items) if _is_dear(item)), len(items))
            if not any(map(_is_cheap, items[dear:])):
                continue
            found = Findings(use.program.source)
            found.add("SF804", (items[dear].start, items[dear].end), "")
            (finding,) = found.sorted()
            place = each.document.location_in(
                use.node, finding.line, finding.column, finding.length
            )
            message = "this costs more than a part that comes after it"
            hint = "compare fields first: && stops at the first part that is false"
            yield each.document.problem_at(
                place, "SF804", message, hint=hint, severity=Severity.INFO
            )


def _is_dear(node: Node) -> bool:
    """Whether it goes through a list, or reads a text or the catalogue."""
    return any(
        isinstance(part, Comprehension) or (isinstance(part, Call) and part.function in _DEAR)
        for part in walk(node)
    )


def _is_cheap(node: Node) -> bool:
    """Whether it compares values with each other, and works nothing out."""
    return not any(isinstance(part, Comprehension | Call) for part in walk(node)) and isinstance(
        node, Binary | Has | Not | Select
    )
