"""Two drawings as one: what a change adds, removes, and draws otherwise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from shopflow.gitops.graph.changes import Alteration, Alterations
from shopflow.gitops.graph.model import Change, Graph, Node


def difference(before: Graph, after: Graph, altered: Alterations) -> Graph:
    """Everything of both, each marked by what becomes of it.

    A node is the same by its id; one with another text is changed, and shows both, and so is one of
    which something is `altered` that no text shows. An edge whose label changes is another edge.
    """
    drawn = Graph()
    old = {node.id: node for node in before.nodes}
    was, now = _texts(before), _texts(after)
    for node in after.nodes:
        seen = was[node.id] - now[node.id], now[node.id] - was[node.id]
        untold = [each.line for each in altered.get(node.id, ()) if not _is_told(each, *seen)]
        drawn.add(_marked(old.get(node.id), node, untold))
    for node in before.nodes:
        # What is there already stays as it was added.
        drawn.add(replace(node, change=Change.REMOVED))
    known, kept = set(before.edges), set(after.edges)
    for edge in after.edges:
        drawn.connect(edge if edge in known else replace(edge, change=Change.ADDED))
    for edge in before.edges:
        if edge not in kept:
            drawn.connect(replace(edge, change=Change.REMOVED))
    _group(before, after, drawn)
    return drawn


def _texts(graph: Graph) -> dict[str, set[str]]:
    """What stands at each node: its own lines, and the labels of its edges."""
    found = defaultdict[str, set[str]](set)
    for node in graph.nodes:
        found[node.id].update(node.lines)
    for edge in graph.edges:
        found[edge.source].add(edge.label)
    return found


def _is_told(alteration: Alteration, gone: AbstractSet[str], new: AbstractSet[str]) -> bool:
    """True when the texts that went and came show it: the value before and the value after."""
    pairs = [(alteration.before, gone), (alteration.after, new)]
    shown = [any(value in text for text in texts) for value, texts in pairs if value is not None]
    return bool(shown) and all(shown)


def _marked(old: Node | None, node: Node, untold: Sequence[str]) -> Node:
    if old is None:
        return replace(node, change=Change.ADDED)
    was = [f"was: {line}" for line in old.lines if line not in node.lines]
    changed = [f"changed: {line}" for line in untold]
    if old == node and not changed:
        return node
    return replace(node, change=Change.CHANGED, lines=(*node.lines, *was, *changed))


def _group(before: Graph, after: Graph, drawn: Graph) -> None:
    """The frames of both; one that both have holds the nodes of both."""
    old = {group.id: group for group in before.groups}
    for group in after.groups:
        also = old.pop(group.id, None)
        nodes = group.nodes if also is None else (*group.nodes, *also.nodes)
        drawn.groups.append(replace(group, nodes=tuple(dict.fromkeys(nodes))))
    drawn.groups += old.values()
