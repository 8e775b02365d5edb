"""Conditions that say too much or nothing: impossible, constant, or asked before.

All of it comes from the normal form, which says nothing of what it does not understand: there is no
false alarm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shopflow.lang.cel import Environment, ast, check
from shopflow.lang.cel.findings import Findings
from shopflow.lang.compiler.shape import every_step
from shopflow.lang.compiler.source import Use
from shopflow.lang.compiler.workflow import CompiledWorkflow
from shopflow.lang.document import Document
from shopflow.lang.lint.subject import Subject
from shopflow.lang.names import listing
from shopflow.lang.normal import EVERYTHING, Form, Reader, Term
from shopflow.lang.tree import Node
from shopflow.problem import Problem, Severity

#: What does not change between the trigger and the steps.
_LASTING = frozenset({"trigger", "item", "values"})


def can_be_met(subject: Subject) -> Iterator[Problem]:
    """No condition asks for what excludes itself, its schema or the trigger; none always holds."""
    for each in subject.build.workflows:
        for use in _conditions(each.uses):
            is_later = "trigger" in use.scope.names
            told = told_by_trigger(subject, each) if is_later else EVERYTHING
            yield from _judged(each.document, use, reader_of(subject, use, each), told)
    for document, use in subject.build.uses:
        for one in _conditions([use]):
            yield from _judged(document, one, reader_of(subject, one), EVERYTHING)


def cases_can_be_taken(subject: Subject) -> Iterator[Problem]:
    """Every case of a `choose` is for somebody whom no earlier case has taken."""
    for each in subject.build.workflows:
        if each.document.root is None:
            continue
        choosing = [step for step in every_step(each.document.root["steps"]) if "choose" in step]
        if not choosing:
            continue
        uses = {use.node: use for use in each.uses}
        told = told_by_trigger(subject, each)
        for step in choosing:
            cases = [
                uses[item["when"]] for item in step["choose"].items if item.get("when") in uses
            ]
            if len(cases) > 1:
                yield from _cases(subject, each, cases, told)


def _cases(
    subject: Subject, each: CompiledWorkflow, cases: list[Use], told: Form
) -> Iterator[Problem]:
    left = told
    for number, use in enumerate(cases):
        reader = reader_of(subject, use, each)
        true, untrue = reader.true(use.program.tree), reader.untrue(use.program.tree)
        if number and not (true & told).is_empty and (true & left).is_empty:
            message = "nobody comes here: an earlier case takes everybody who meets this"
            hint = "put the narrower case first, or remove it"
            yield each.document.problem("SF201", use.node, message, hint=hint)
        elif number and not (untrue & told).is_empty and (untrue & left).is_empty:
            message = "this always holds here: the earlier cases have taken everybody else"
            hint = "put its steps under else"
            yield _redundant(each.document, use.node, message, hint)
        left &= untrue


def told_by_trigger(subject: Subject, each: CompiledWorkflow) -> Form:
    """What the trigger's own condition has proved, as steps and exits read it."""
    path = each.document.path
    if path not in subject.told:
        subject.told[path] = _told(subject, each)
    return subject.told[path]


def _told(subject: Subject, each: CompiledWorkflow) -> Form:
    trigger = each.workflow.trigger if each.workflow is not None else None
    when = getattr(trigger, "when", None)
    for use in each.uses:
        if use.program is when:
            reader = reader_of(subject, use, each, renamed={"event": "trigger"})
            told = reader.true(use.program.tree).about(_lasts)
            # What nothing meets is reported once, at the trigger.
            return EVERYTHING if told.is_empty else told
    return EVERYTHING


def reader_of(
    subject: Subject,
    use: Use,
    each: CompiledWorkflow | None = None,
    renamed: Mapping[str, str] | None = None,
) -> Reader:
    """What reads the condition of a place, with the names that it has there."""
    if renamed is not None:
        return _reader(subject, use, each, renamed)
    if use not in subject.readers:
        subject.readers[use] = _reader(subject, use, each, {})
    return subject.readers[use]


def _reader(
    subject: Subject, use: Use, each: CompiledWorkflow | None, renamed: Mapping[str, str]
) -> Reader:
    workflow = each.workflow if each is not None else None
    return Reader(
        names=use.scope.names,
        values=workflow.values if workflow is not None else {},
        let=workflow.let if workflow is not None else {},
        segments=subject.segments,
        renamed=renamed,
    )


def _lasts(term: Term) -> bool:
    return term.roots <= _LASTING


def _conditions(uses: list[Use]) -> Iterator[Use]:
    return (use for use in uses if use.scope.wants == "bool")


def _judged(document: Document, use: Use, reader: Reader, told: Form) -> Iterator[Problem]:
    tree = use.program.tree
    true = reader.true(tree)
    if true.is_empty:
        yield from _impossible(document, use, true, "here")
    elif (both := true & told).is_empty:
        yield from _impossible(document, use, both, "here and with the trigger's own condition")
    elif reader.untrue(tree).is_empty:
        # To ask whether a field is there is never wrong, even where the schema says so.
        if not (all(isinstance(part, ast.Has) for part in _parts(tree)) or _reported(use)):
            message = "this always holds, whatever happens"
            hint = "remove it, or ask for something that may be otherwise"
            yield document.problem("SF110", use.node, message, hint=hint)
    elif told is not EVERYTHING:
        yield from _asked_before(document, use, reader, told)


def _impossible(document: Document, use: Use, form: Form, where: str) -> Iterator[Problem]:
    if _reported(use):
        return
    names = sorted({each.shown for each in form.conflicts if each.shown})
    message, hint = "nothing can meet this: its parts exclude each other", f"compare them {where}"
    if names:
        hint = f"compare what is asked of {listing(names)} {where}"
    if len(names) == 1:
        message = f"nothing can meet this: {names[0]} would have to be two things at once"
        if all(each.by_type for each in form.conflicts):
            message = f"nothing can meet this: {names[0]} is never like that"
            hint = f"look at what the schema says of {names[0]}"
    yield document.problem("SF111", use.node, message, hint=hint)


def _asked_before(document: Document, use: Use, reader: Reader, told: Form) -> Iterator[Problem]:
    """Parts that the trigger's condition has asked already."""
    for part in _parts(use.program.tree):
        untrue = reader.untrue(part)
        if isinstance(part, ast.Has) or untrue.is_empty or not (untrue & told).is_empty:
            continue
        found = Findings(use.program.source)
        message = "the trigger's own condition has asked this already"
        found.add("SF112", (part.start, part.end), message)
        for finding in found.sorted():
            place = document.location_in(use.node, finding.line, finding.column, finding.length)
            yield document.problem_at(
                place, "SF112", message, hint="remove it", severity=Severity.WARNING
            )


def _parts(tree: ast.Node) -> tuple[ast.Node, ...]:
    return tree.items if isinstance(tree, ast.And) else (tree,)


def _redundant(document: Document, node: Node, message: str, hint: str) -> Problem:
    return document.problem("SF112", node, message, hint=hint, severity=Severity.WARNING)


def _reported(use: Use) -> bool:
    """Whether the checker has found an error in it, such as a part that is constant."""
    findings = check(use.program, Environment(use.scope.names))
    return any(each.severity is Severity.ERROR for each in findings)
