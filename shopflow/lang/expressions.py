"""Holding every compiled expression against the names and types of its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shopflow.lang.cel import (
    BOOL,
    DURATION,
    DYN,
    TIMESTAMP,
    Environment,
    Type,
    check,
    infer,
    list_of,
)
from shopflow.lang.cel.findings import Finding
from shopflow.lang.cel.types import TypeKind, article
from shopflow.lang.compiler.source import OF_MISSING_PARTS, Use
from shopflow.lang.document import Document
from shopflow.lang.fixes import fix
from shopflow.problem import Fix, Problem, Severity

_WANTED: dict[str, Type | None] = {
    "": None,
    "bool": BOOL,
    "duration": DURATION,
    "timestamp": TIMESTAMP,
    "list": list_of(DYN),
    # Of two types, so it has a check of its own.
    "key": None,
}

_KEYS = frozenset({TypeKind.STRING, TypeKind.INT, TypeKind.UINT, TypeKind.DYN})


def check_uses(
    document: Document, uses: Iterable[Use], *, partial: bool = False
) -> Iterator[Problem]:
    """What does not fit in each expression, with its place in the file.

    Of a file that is there in part, names that are missing are not reported.
    """
    for use in uses:
        findings = check(
            use.program, Environment(use.scope.names), expected=_WANTED[use.scope.wants]
        )
        for finding in findings:
            if finding.code == "SF108" and use.scope.may_be_missing:
                continue
            problem = _problem(document, use, finding)
            if not (partial and problem.code in OF_MISSING_PARTS):
                yield problem
        if use.scope.wants == "key" and not findings:
            yield from _no_key(document, use)


def _no_key(document: Document, use: Use) -> Iterator[Problem]:
    """A key is written as text: a list or a record has no such form."""
    found = infer(use.program, Environment(use.scope.names))
    if found.kind not in _KEYS:
        message = f"a key is text or a whole number, this is {article(found)}"
        hint = "use an id, such as event.order_id"
        yield document.problem("SF117", use.node, message, hint=hint)


def check_secrets(document: Document, uses: Iterable[Use]) -> Iterator[Problem]:
    """Secrets that are read elsewhere than in a value that goes straight into a message."""
    for use in uses:
        for name in _marked(use, "secret") if not use.scope.may_be_secret else ():
            message = f"{name} is secret: it must not be seen in journals, keys or conditions"
            hint = "only a value under `with` may read it"
            yield document.problem("SF118", use.node, message, hint=hint)


def check_keys(document: Document, uses: Iterable[Use]) -> Iterator[Problem]:
    """Keys that tell who somebody is: they stand in journals, logs and plans as they are."""
    for use in uses:
        for name in _marked(use, "personal") if use.scope.wants == "key" else ():
            message = f"{name} says who somebody is, and a key is seen in journals and logs"
            hint = "use an id, such as event.order_id"
            yield document.problem("SF409", use.node, message, hint=hint)


def _marked(use: Use, mark: str) -> list[str]:
    """The paths that it reads whose schema has the mark, there or above."""
    environment = Environment(use.scope.names)
    found = {
        ".".join(path[:length])
        for path in use.program.reads
        for length in range(2, len(path) + 1)
        if (known := environment.resolve(path[:length])) is not None and getattr(known, mark)
    }
    return sorted(found)


def _problem(document: Document, use: Use, finding: Finding) -> Problem:
    location = document.location_in(use.node, finding.line, finding.column, finding.length)
    code, message, hint = _in_rule_terms(use, finding)
    severity = Severity.ERROR if code == "SF209" else finding.severity
    meant = "trigger" if code == "SF114" and "trigger" in use.scope.names else finding.meant
    repair = _repair(document, use, finding, meant) if meant else None
    return document.problem_at(location, code, message, hint=hint, severity=severity, fix=repair)


def _repair(document: Document, use: Use, finding: Finding, meant: str) -> Fix | None:
    """What was meant in the place of what is underlined, where the file has it as it stands."""
    text = _underlined(use, finding)
    start = document.offset_in(use.node, finding.line, finding.column)
    if document.text[start : start + len(text)] != text:
        return None
    if use.node.style == text[:1] or (use.node.style == '"' and '"' in meant):
        meant = meant.replace('"', "'")
    if use.node.style == "'" and "'" in meant:
        return None
    return fix(document, (start, start + len(text)), meant, f"replace `{text}` by `{meant}`")


def _underlined(use: Use, finding: Finding) -> str:
    line = use.node.text.split("\n")[finding.line - 1]
    return line[finding.column - 1 : finding.column - 1 + finding.length]


def _in_rule_terms(use: Use, finding: Finding) -> tuple[str, str, str]:
    """The finding as a person who writes rules would say it."""
    text = _underlined(use, finding)
    if finding.code == "SF102" and text == "event":
        message = f"there is no `event` in {use.scope.place}: the event is over"
        hint = "what started the enrolment is `trigger`; what a wait_for met is steps.<id>.event"
        return "SF114", message, hint
    steps = use.scope.names.get("steps")
    if steps is not None:
        name = text.removeprefix("steps.").split(".")[0].split("[")[0]
        if finding.code == "SF103" and "steps has no field" in finding.message:
            return (
                "SF102",
                f"no step '{name}' before this place",
                finding.hint.replace("fields:", "steps:"),
            )
        if finding.code == "SF108" and text == f"steps.{name}":
            message = f"the step '{name}' may not have run before this place"
            return "SF209", message, f"ask first: has(steps.{name}) && …"
    if finding.code == "SF108" and use.scope.wants != "bool":
        return finding.code, finding.message, f"write has({text}) ? {text} : …"
    return finding.code, finding.message, finding.hint
