"""Exits: a conversion ends what was to bring it (SF203), and none hides another (SF210)."""

from __future__ import annotations

from collections.abc import Iterator

from shopflow.domain.policy import MessageClass
from shopflow.domain.step import Choose, WaitFor
from shopflow.domain.trigger import EventPattern
from shopflow.domain.workflow import Exit, Workflow
from shopflow.lang.compiler.source import Use
from shopflow.lang.compiler.workflow import CompiledWorkflow
from shopflow.lang.lint.ranges import reader_of
from shopflow.lang.lint.subject import Subject
from shopflow.lang.normal import EVERYTHING, NOTHING, Form, event_is
from shopflow.lang.tree import Node
from shopflow.problem import Problem, Severity


def conversion_ends_it(subject: Subject) -> Iterator[Problem]:
    """A series of marketing looks whether what it is for has happened."""
    for each in subject.build.workflows:
        workflow, root = each.workflow, each.document.root
        if workflow is None or root is None or each.partial or not _is_series(subject, each):
            continue
        if any(not _is_refusal(rule) for rule in workflow.exits) or _is_guarded(workflow):
            continue
        if workflow.goal is None:
            text = "nothing ends this series before its last message: no exit looks at anything"
            hint = "add exit_on, such as {id: purchased, event: order.placed, outcome: converted}"
            yield _warning(each, root.key("steps"), "SF203", text, hint)
        elif not _looks_at(subject, each, workflow.goal.pattern):
            text = "whoever reaches the goal goes on getting messages: nothing here looks at it"
            hint = "add an exit on the goal's event, or a condition on what follows from it"
            yield _warning(each, root["goal"]["event"], "SF203", text, hint)


def _is_series(subject: Subject, each: CompiledWorkflow) -> bool:
    """Whether one customer gets marketing messages at several times."""
    marketing = {
        message.step.id
        for message in subject.messages_of.get(each.document.path, ())
        if message.message_class is MessageClass.MARKETING
    }
    if len(marketing) < 2 or each.workflow is None:  # noqa: PLR2004 - a series
        return False
    found = subject.ways(each.workflow)
    return any(
        len({stop.latest for stop in way if stop.step.id in marketing}) > 1 for way in found or ()
    )


def _is_refusal(rule: Exit) -> bool:
    """Whether the exit is a withdrawal of consent, which ends everything by itself."""
    pattern = rule.pattern
    return pattern is not None and all(
        name.startswith("consent.") for name in (*pattern.types, *pattern.prefixes)
    )


def _is_guarded(workflow: Workflow) -> bool:
    """Whether some message leaves only where something holds, and there is no goal to compare."""
    steps = workflow.steps.values()
    return workflow.goal is None and any(
        isinstance(step, WaitFor | Choose) or step.only_if is not None for step in steps
    )


def _looks_at(subject: Subject, each: CompiledWorkflow, goal: EventPattern) -> bool:
    """Whether an exit, a wait or a condition depends on an event of that kind."""
    workflow = each.workflow
    if workflow is None:
        return True
    watched = [rule.pattern for rule in workflow.exits if rule.pattern is not None]
    watched += [step.pattern for step in workflow.steps.values() if isinstance(step, WaitFor)]
    traits = subject.build.context.traits
    for use in each.uses:
        if use.scope.wants == "bool" and "trigger" in use.scope.names:
            watched += [traits[name].pattern for name in _traits(subject, use, each)]
    types = subject.build.context.event_types
    return any({*types.names(goal)} & {*types.names(pattern)} for pattern in watched)


def _traits(subject: Subject, use: Use, each: CompiledWorkflow) -> set[str]:
    """The traits that a condition depends on, through `let` and segments as well."""
    let = each.workflow.let if each.workflow is not None else {}
    named = {"vars": let, "segments": subject.segments}
    seen: set[tuple[str, ...]] = set()
    todo = set(use.program.reads)
    while todo:
        path = todo.pop()[:2]
        if path in seen:
            continue
        seen.add(path)
        expression = named.get(path[0], {}).get(path[-1])
        todo |= expression.reads if expression is not None else set()
    known = subject.build.context.traits
    return {path[1] for path in seen if path[0] == "customer" and path[-1] in known}


def no_exit_hides_another(subject: Subject) -> Iterator[Problem]:
    """Every exit is for something that no earlier one has taken."""
    for each in subject.build.workflows:
        root = each.document.root
        if each.workflow is None or root is None or "exit_on" not in root or each.partial:
            continue
        if len(each.workflow.exits) < 2:  # noqa: PLR2004 - one and another
            continue
        uses = {use.node: use for use in each.uses}
        earlier: list[tuple[Exit, Form]] = []
        for rule, node in zip(each.workflow.exits, root["exit_on"].items, strict=True):
            true, untrue = _forms(subject, each, uses.get(node.get("when") or node))
            if rule.pattern is None:
                continue
            true &= event_is(subject.build.context.event_types.names(rule.pattern))
            hiding = [
                before.id
                for before, refused in earlier
                if _includes(subject, before.pattern, rule.pattern)
                and (true & refused).is_empty
                and not true.is_empty
            ]
            if hiding:
                text = f"the exit '{hiding[0]}' before it takes all of this"
                hint = "put the narrower exit first, or remove it"
                yield _warning(each, node["id"], "SF210", text, hint)
            if not rule.match:
                earlier.append((rule, untrue))


def _forms(subject: Subject, each: CompiledWorkflow, use: Use | None) -> tuple[Form, Form]:
    """When an exit's condition is met, and when not; one without a condition always is."""
    if use is None:
        return EVERYTHING, NOTHING
    reader = reader_of(subject, use, each)
    return reader.true(use.program.tree), reader.untrue(use.program.tree)


def _includes(subject: Subject, wide: EventPattern | None, narrow: EventPattern) -> bool:
    types = subject.build.context.event_types
    wanted = {*types.names(narrow)}
    return wide is not None and bool(wanted) and wanted <= {*types.names(wide)}


def _warning(each: CompiledWorkflow, node: Node, code: str, message: str, hint: str) -> Problem:
    return each.document.problem(code, node, message, hint=hint, severity=Severity.WARNING)
