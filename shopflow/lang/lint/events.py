"""The shop's own event types: how large a payload may grow (SF803)."""

from __future__ import annotations

from collections.abc import Iterator

from shopflow.lang.lint.subject import Subject
from shopflow.lang.repository import EVENTS, read_document
from shopflow.lang.schemas import EVENT_SUFFIX
from shopflow.lang.tree import Kind, Node
from shopflow.problem import Problem, Severity

_BOUNDS = {"string": "maxLength", "array": "maxItems"}
#: Words that bound a text by themselves.
_CLOSED = ("enum", "const")


def schemas_have_bounds(subject: Subject) -> Iterator[Problem]:
    """Every text and list of an event type says how long it gets."""
    repository = subject.build.repository
    for path in sorted((repository.root / EVENTS).glob(f"*{EVENT_SUFFIX}")):
        document = read_document(path, f"{EVENTS}/{path.name}")
        if document.root is None or path.name.removesuffix(EVENT_SUFFIX) not in (
            subject.build.context.catalogue
        ):
            continue
        for node in _schemas(document.root):
            kind = node.get("type")
            bound = _BOUNDS.get(kind.text) if kind is not None else None
            if kind is None or bound is None or any(word in node for word in (bound, *_CLOSED)):
                continue
            message = f"nothing says how long this {kind.text} gets"
            hint = f'add "{bound}", with the most that the shop ever sends'
            yield document.problem("SF803", kind, message, hint=hint, severity=Severity.WARNING)


def _schemas(node: Node) -> Iterator[Node]:
    """A schema and every schema in it, where such a one may stand."""
    if node.kind is not Kind.MAP:
        return
    yield node
    for key in ("properties", "$defs", "patternProperties"):
        for _, inner in node[key].pairs() if key in node else ():
            yield from _schemas(inner)
    for key in ("items", "additionalProperties"):
        if key in node:
            yield from _schemas(node[key])
    for key in ("allOf", "anyOf", "oneOf"):
        for inner in node[key].items if key in node else ():
            yield from _schemas(inner)
