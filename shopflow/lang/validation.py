"""Holding a document against the schema of its kind: every violation as a problem with its place.

What a schema cannot say (names that must exist, expressions) is left to the compiler and lint.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING

from shopflow.lang.document import Document
from shopflow.lang.fixes import quoting
from shopflow.lang.names import did_you_mean
from shopflow.lang.schemas import KINDS, quick_check, schema_of, violations
from shopflow.lang.tree import Kind, Node
from shopflow.lang.violations import API_VERSION, found, problems_of
from shopflow.problem import Location, Problem, Severity

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError


class Soundness(Enum):
    """What of a file the compiler can work on."""

    #: All of it, but for keys that nobody knows.
    SOUND = "sound"
    #: A part; names that are missing may stand in the other part.
    PARTIAL = "partial"
    LOST = "lost"


_MEANT = re.compile(r"did you mean '(.+)'\?")
#: Repairs of one file before it is given up.
_MOST_REPAIRS = 60
#: What stands in for a key without which nothing else could be checked.
_STAND_INS = {"apiVersion": API_VERSION, "owner": "nobody", "status": "draft"}


def check_kind(document: Document, expected: tuple[str, ...]) -> list[Problem]:
    """What is wrong with the document's `kind`, where files of these kinds are expected."""
    root = document.root
    if root is None:
        return []
    if root.kind is not Kind.MAP:
        hint = "begin with apiVersion and kind"
        return [
            document.problem(
                "SF004", root, f"expected keys and values, found {found(root)}", hint=hint
            )
        ]
    if "kind" not in root:
        hint = f"add `kind: {expected[0]}`"
        return [document.problem("SF004", root, "`kind` is missing", hint=hint)]
    node = root["kind"]
    if node.text in expected:
        return []
    wanted = " or ".join(expected)
    message = f"expected a file of kind {wanted} here, found '{node.text}'"
    hint = did_you_mean(node.text, KINDS)
    if node.text in KINDS:
        hint = "the folder says what a file is; move the file, or mend its kind"
    return [document.problem("SF004", node, message, hint=hint)]


def validate(document: Document, kind: str) -> list[Problem]:
    """Every violation of the schema of that kind, and values that YAML 1.1 reads differently."""
    root = document.root
    if root is None:
        return []
    problems: list[Problem] = []
    if not quick_check(kind).is_valid(root.data):
        for error in violations(schema_of(kind), root.data):
            problems += problems_of(document, root, error)
    said = {problem.location for problem in problems}
    return [*problems, *(each for each in _misread(document, root) if each.location not in said)]


def salvage(document: Document, kind: str, problems: Sequence[Problem]) -> Soundness:
    """Takes out of the tree what its schema refuses, so that the rest can be compiled.

    One mistake then does not hide what else is wrong in the file.
    """
    root = document.root
    given = root.get("kind") if root is not None else None
    if root is None or given is None or given.text != kind:
        return Soundness.LOST
    codes = {problem.code for problem in problems if problem.severity is Severity.ERROR}
    if not codes:
        return Soundness.SOUND
    if "SF005" in codes:
        surplus = {
            problem.location: _MEANT.fullmatch(problem.hint)
            for problem in problems
            if problem.code == "SF005"
        }
        _take_out(document, root, surplus)
        root.forget()
    whole = quick_check(kind)
    if whole.is_valid(root.data):
        return Soundness.SOUND
    for _ in range(_MOST_REPAIRS):
        error = next(violations(schema_of(kind), root.data), None)
        if error is None:
            return Soundness.PARTIAL
        if not _repaired(root, list(error.absolute_path), error):
            break
        root.forget()
    return Soundness.LOST


def _repaired(root: Node, path: list[str | int], error: ValidationError) -> bool:
    if not path:
        missing = [key for key in _STAND_INS if error.message.startswith(f"'{key}' ")]
        for key in missing:
            _put(root, key)
        return bool(missing)
    *way, last = path
    parent = root.at(way)
    if isinstance(last, int):
        parent.items.pop(last)
    elif not way and last in _STAND_INS:
        _put(root, last)
    else:
        parent.without(last)
    return True


def _put(root: Node, key: str) -> None:
    value = Node(Kind.SCALAR, root.span, text=_STAND_INS[key], style='"')
    root.entries[key] = (root.key(key) if key in root else value, value)


def _take_out(
    document: Document, node: Node, surplus: Mapping[Location, re.Match[str] | None]
) -> None:
    """Removes the keys at those places, or gives them the name that was meant."""
    for key in list(node.entries):
        place = document.location(node.key(key))
        if place not in surplus:
            continue
        meant = surplus[place]
        entry = node.entries.pop(key)
        if meant is not None and meant[1] not in node:
            node.entries[meant[1]] = entry
    for child in (*node.items, *(value for _, value in node.pairs())):
        if child.kind is not Kind.SCALAR:
            _take_out(document, child, surplus)


def _misread(document: Document, node: Node) -> Iterator[Problem]:
    for child in (*node.items, *(value for _, value in node.pairs())):
        if child.differs_in_yaml_1_1:
            message = f"{child.text} is text here, and something else for readers of YAML 1.1"
            hint = f'put it into quotes: "{child.text}"'
            yield document.problem(
                "SF003",
                child,
                message,
                hint=hint,
                severity=Severity.WARNING,
                fix=quoting(document, child),
            )
        elif child.kind is not Kind.SCALAR:
            yield from _misread(document, child)
