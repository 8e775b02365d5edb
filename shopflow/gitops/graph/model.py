"""A drawing before it is drawn: nodes, edges and groups, in an order that never changes."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum


class Shape(StrEnum):
    """What a node stands for."""

    TRIGGER = "trigger"
    SEND = "send"
    WAIT = "wait"
    CHOICE = "choice"
    ROUNDS = "rounds"
    STEP = "step"
    END = "ending"
    EVENT = "event"
    WORKFLOW = "workflow"
    TEMPLATE = "template"
    COUPON = "coupon"
    SEGMENT = "segment"
    CAP = "cap"


class Line(StrEnum):
    """How an edge is drawn: the way on, a way out, or a word sent elsewhere."""

    SOLID = "solid"
    DOTTED = "dotted"
    THICK = "thick"


class Change(StrEnum):
    """What marks a part of the drawing: what a change makes of it, or that no test shows it."""

    NONE = ""
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    UNTESTED = "untested"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A thing of the drawing; `lines` is its text."""

    id: str
    shape: Shape
    lines: tuple[str, ...]
    change: Change = Change.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A way from one node to another."""

    source: str
    target: str
    label: str = ""
    line: Line = Line.SOLID
    #: It closes a circle.
    loop: bool = False
    change: Change = Change.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Nodes that belong together, in a frame of their own."""

    id: str
    title: str
    nodes: tuple[str, ...]


@dataclass(slots=True)
class Graph:
    """The drawing; what is added twice is there once."""

    _nodes: dict[str, Node] = field(default_factory=dict)
    _edges: dict[Edge, None] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)

    @property
    def nodes(self) -> list[Node]:
        """In the order in which they came."""
        return list(self._nodes.values())

    @property
    def edges(self) -> list[Edge]:
        """In the order in which they came."""
        return list(self._edges)

    @property
    def is_changed(self) -> bool:
        """True when some part of it is marked by a change."""
        marks = [*(node.change for node in self.nodes), *(edge.change for edge in self.edges)]
        return any(mark is not Change.NONE for mark in marks)

    def add(self, node: Node) -> str:
        """The node is there; gives its id."""
        self._nodes.setdefault(node.id, node)
        return node.id

    def connect(self, edge: Edge) -> None:
        """The edge is there."""
        self._edges.setdefault(edge)

    def mark(self, names: Container[str], change: Change) -> Graph:
        """The same drawing, where the nodes of these ids bear the mark."""
        nodes = {
            name: replace(node, change=change) if name in names else node
            for name, node in self._nodes.items()
        }
        return Graph(nodes, self._edges, self.groups)

    def take(self, other: Graph) -> None:
        """Everything of another drawing is in this one."""
        for node in other.nodes:
            self.add(node)
        for edge in other.edges:
            self.connect(edge)
        self.groups += other.groups

    def group(self, name: str, title: str, nodes: Iterable[Node]) -> None:
        """These nodes stand in one frame."""
        self.groups.append(Group(id=name, title=title, nodes=tuple(node.id for node in nodes)))
