"""Holding a document against the schema of its kind: every violation as a problem with its place.

What a schema cannot say (names that must exist, expressions) is left to the compiler and lint.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jsonschema import Draft202012Validator

from shopflow.lang.document import Document
from shopflow.lang.names import did_you_mean
from shopflow.lang.schemas import KINDS, quick_check, schema_of
from shopflow.lang.tree import Kind, Node
from shopflow.lang.violations import found, problems_of
from shopflow.problem import Location, Problem, Severity


def kind_of(document: Document) -> str | None:
    """What the document says it is; None when it does not say, or says something unknown."""
    if document.root is None:
        return None
    node = document.root.get("kind")
    return node.text if node is not None and node.text in KINDS else None


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
    problems = list(_misread(document, root))
    if not quick_check(kind).is_valid(root.data):
        schema = schema_of(kind)
        for error in Draft202012Validator(schema).iter_errors(root.data):
            problems += problems_of(document, root, error, schema)
    return problems


def without_surplus(document: Document, kind: str, problems: Sequence[Problem]) -> bool:
    """Takes the keys out that the schema does not know; True when the rest can be compiled.

    So a misspelt key does not hide what else is wrong in the file.
    """
    root = document.root
    if root is None:
        return False
    codes = {problem.code for problem in problems if problem.severity is Severity.ERROR}
    if not codes:
        return True
    if "SF005" in codes:
        places = {problem.location for problem in problems if problem.code == "SF005"}
        _take_out(document, root, places)
        root.forget()
    if "SF011" in codes and "owner" not in root:
        root.entries["owner"] = (root, Node(Kind.SCALAR, root.span, text="nobody", style='"'))
        root.forget()
    return quick_check(kind).is_valid(root.data)


def _take_out(document: Document, node: Node, places: set[Location]) -> None:
    for key in [key for key in node.entries if document.location(node.key(key)) in places]:
        node.without(key)
    for child in (*node.items, *(value for _, value in node.pairs())):
        if child.kind is not Kind.SCALAR:
            _take_out(document, child, places)


def _misread(document: Document, node: Node) -> Iterator[Problem]:
    for child in (*node.items, *(value for _, value in node.pairs())):
        if child.differs_in_yaml_1_1:
            message = f"{child.text} is text here, and something else for readers of YAML 1.1"
            hint = f'put it into quotes: "{child.text}"'
            yield document.problem("SF003", child, message, hint=hint, severity=Severity.WARNING)
        elif child.kind is not Kind.SCALAR:
            yield from _misread(document, child)
