"""The typed tree of a condition: macros expanded, names resolved, every node with its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A part of a condition; start and end are offsets into its source."""

    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Literal(Node):
    """A constant, a type's name included."""

    value: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Ident(Node):
    """A name as parsed; only before names are resolved. With a leading dot it is absolute."""

    name: str
    absolute: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Global(Node):
    """A variable that the bindings give."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Local(Node):
    """The variable of a macro; index tells apart variables of one name."""

    name: str
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Select(Node):
    """operand.field; field_start is where the field's name stands."""

    operand: Node
    field: str
    field_start: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Has(Node):
    """has(operand.field)."""

    operand: Node
    field: str
    field_start: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Index(Node):
    """operand[key]."""

    operand: Node
    key: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class ListLiteral(Node):
    """[a, b]."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MapLiteral(Node):
    """{a: b}."""

    entries: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Node):
    """function(args) or target.function(args)."""

    function: str
    target: Node | None
    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class And(Node):
    """a && b && c."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Or(Node):
    """a || b || c."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Not(Node):
    """!operand."""

    operand: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Negate(Node):
    """-operand."""

    operand: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditional(Node):
    """condition ? then : otherwise."""

    condition: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary(Node):
    """left op right, where op is a comparison, ``in`` or arithmetic."""

    op: str
    left: Node
    right: Node


class Macro(StrEnum):
    """What a comprehension computes; ``map`` may filter first."""

    ALL = "all"
    EXISTS = "exists"
    EXISTS_ONE = "exists_one"
    MAP = "map"
    FILTER = "filter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comprehension(Node):
    """source.macro(variable, …); level counts the comprehensions around it, from 1."""

    macro: Macro
    source: Node
    variable: Local
    predicate: Node | None
    transform: Node | None
    level: int


def children(node: Node) -> tuple[Node, ...]:
    """The parts of a node, in the order of the source."""
    match node:
        case Select() | Has() | Not() | Negate():
            return (node.operand,)
        case Literal() | Global() | Local():
            return ()
        case Index():
            return (node.operand, node.key)
        case ListLiteral() | And() | Or():
            return node.items
        case MapLiteral():
            return tuple(part for entry in node.entries for part in entry)
        case Call():
            return node.args if node.target is None else (node.target, *node.args)
        case Conditional():
            return (node.condition, node.then, node.otherwise)
        case Binary():
            return (node.left, node.right)
        case Comprehension():
            parts = (node.source, node.predicate, node.transform)
            return tuple(part for part in parts if part is not None)
        case _:
            return ()


def path_of(node: Node) -> tuple[str, ...] | None:
    """The static path that a chain of names and fields spells, or None."""
    fields: list[str] = []
    while True:
        match node:
            case Global():
                return (node.name, *reversed(fields))
            case Select():
                fields.append(node.field)
                node = node.operand
            case Index(key=Literal(value=str(field))):
                fields.append(field)
                node = node.operand
            case _:
                return None


def rebuilt(node: Node, change: Callable[[Node], Node]) -> Node:
    """The node with each of its parts changed; a node without parts is itself."""
    match node:
        case Select() | Has() | Not() | Negate():
            return replace(node, operand=change(node.operand))
        case Index():
            return replace(node, operand=change(node.operand), key=change(node.key))
        case ListLiteral() | And() | Or():
            return replace(node, items=tuple(map(change, node.items)))
        case MapLiteral():
            entries = tuple((change(key), change(value)) for key, value in node.entries)
            return replace(node, entries=entries)
        case Call():
            target = None if node.target is None else change(node.target)
            return replace(node, target=target, args=tuple(map(change, node.args)))
        case Conditional():
            return replace(
                node,
                condition=change(node.condition),
                then=change(node.then),
                otherwise=change(node.otherwise),
            )
        case Binary():
            return replace(node, left=change(node.left), right=change(node.right))
        case _:
            return node
