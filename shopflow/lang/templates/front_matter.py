"""The front matter of a template: subject, preheader, the purposes it serves, its variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from shopflow.lang.document import Document
from shopflow.lang.reading import parse
from shopflow.lang.tree import Kind, Node
from shopflow.problem import Problem, Related

from .source import Place, Source, problem_at

#: The types that a variable may be declared with.
TYPES = frozenset(
    {
        *("any", "string", "integer", "number", "boolean", "list", "object"),
        *("timestamp", "duration"),
    }
)
_TEXTS = ("subject", "preheader")
_KEYS = (*_TEXTS, "purposes", "variables", "longest")
_WANTED = {
    "purposes": "a list of names",
    "variables": "a list of names",
    "longest": "a map from variables to values",
}
_FENCE = "---"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A value that a template wants from its step's `with`."""

    name: str
    type: str = "any"
    required: bool = True
    #: Where the template declares it.
    declared: Related | None = field(default=None, compare=False)


@dataclass(slots=True)
class FrontMatter:
    """What a template file says about itself, and the body behind it."""

    body: Source
    texts: dict[str, Source] = field(default_factory=dict)
    purposes: tuple[str, ...] = ()
    variables: dict[str, Variable] = field(default_factory=dict)
    #: A value for each variable that is as long as it can get.
    longest: dict[str, object] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read(path: str, text: str) -> FrontMatter:
    """The file taken apart; without front matter the whole of it is the body."""
    lines = text.split("\n")
    if lines[0].rstrip() != _FENCE:
        return FrontMatter(Source([(text, Place(path=path))]))
    end = next((i for i, line in enumerate(lines[1:], 1) if line.rstrip() == _FENCE), 0)
    if not end:
        whole = FrontMatter(Source([]))
        message = "the front matter is never closed"
        hint = "end it with a line of three dashes"
        whole.problems.append(problem_at(Place(path=path), "SF001", message, hint=hint))
        return whole
    body = "\n".join(lines[end + 1 :])
    front = FrontMatter(Source([(body, Place(path=path, line=end + 2))]))
    # Blanks in place of the dashes keep every line and letter where it is in the file.
    document = parse(path, "\n".join([" " * len(lines[0]), *lines[1:end]]))
    front.problems += document.problems
    _fill(front, document)
    return front


def text_of(path: str, node: Node) -> Source:
    """The text of a scalar as a source of its own."""
    inside = 1 if node.style in ("'", '"') else 0
    place = Place(path=path, line=node.span.line + 1, column=node.span.column + 1 + inside)
    return Source([(node.text, place)])


def _fill(front: FrontMatter, document: Document) -> None:
    root = document.root
    if root is None or (root.kind is Kind.SCALAR and root.data is None):
        return
    if root.kind is not Kind.MAP:
        front.problems.append(document.problem("SF004", root, "front matter is a map of keys"))
        return
    for key, node in root.pairs():
        if key in _TEXTS and node.kind is Kind.SCALAR:
            front.texts[key] = text_of(document.path, node)
        elif key == "purposes" and _is_list_of_words(node):
            front.purposes = tuple(item.text for item in node.items)
        elif key == "variables" and node.kind is not Kind.SCALAR:
            _read_variables(front, document, node)
        elif key == "longest" and isinstance(node.data, dict):
            front.longest = node.data
        elif key in _KEYS:
            wanted = _WANTED.get(key, "text")
            front.problems.append(document.problem("SF004", node, f"'{key}' must be {wanted}"))
        else:
            front.problems.append(_unknown(document, root.key(key), _KEYS))


def _read_variables(front: FrontMatter, document: Document, node: Node) -> None:
    if node.kind is Kind.LIST:
        if not _is_list_of_words(node):
            front.problems.append(document.problem("SF004", node, "'variables' lists names"))
            return
        front.variables = {item.text: _listed(document, item) for item in node.items}
        return
    for name, value in node.pairs():
        variable = _variable(front, document, name, value)
        front.variables[name] = replace(variable, declared=_declared(document, node.key(name)))


def _listed(document: Document, node: Node) -> Variable:
    return Variable(name=node.text, declared=_declared(document, node))


def _declared(document: Document, node: Node) -> Related:
    return document.related(node, "the template wants it")


def _variable(front: FrontMatter, document: Document, name: str, node: Node) -> Variable:
    given: Mapping[str, object] = {"type": node.text}
    if node.kind is Kind.MAP:
        given = {key: value.data for key, value in node.pairs()}
        keys = ("type", "required", "optional", "description")
        front.problems += [
            _unknown(document, node.key(key), keys) for key in given if key not in keys
        ]
    kind = str(given.get("type", "any"))
    if kind not in TYPES:
        message = f"no type named '{kind}'"
        hint = f"known: {', '.join(sorted(TYPES))}"
        front.problems.append(document.problem("SF004", node, message, hint=hint))
    required = given.get("required", given.get("optional") is not True)
    return Variable(name=name, type=kind, required=required is not False)


def _is_list_of_words(node: Node) -> bool:
    return node.kind is Kind.LIST and all(isinstance(item.data, str) for item in node.items)


def _unknown(document: Document, key: Node, known: tuple[str, ...]) -> Problem:
    close = get_close_matches(key.text, known, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(known)}"
    return document.problem("SF005", key, f"unknown key '{key.text}'", hint=hint)
