"""Two drawings as one: what a change adds, removes, and draws otherwise."""

from __future__ import annotations

from dataclasses import replace

from shopflow.gitops.graph.model import Change, Graph, Node


def difference(before: Graph, after: Graph) -> Graph:
    """Everything of both, each marked by what becomes of it.

    A node is the same by its id; one with another text is changed, and shows both. An edge whose
    label changes is another edge.
    """
    drawn = Graph()
    old = {node.id: node for node in before.nodes}
    for node in after.nodes:
        drawn.add(_marked(old.get(node.id), node))
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


def _marked(old: Node | None, node: Node) -> Node:
    if old is None:
        return replace(node, change=Change.ADDED)
    if old == node:
        return node
    was = [f"was: {line}" for line in old.lines if line not in node.lines]
    return replace(node, change=Change.CHANGED, lines=(*node.lines, *was))


def _group(before: Graph, after: Graph, drawn: Graph) -> None:
    """The frames of both; one that both have holds the nodes of both."""
    old = {group.id: group for group in before.groups}
    for group in after.groups:
        also = old.pop(group.id, None)
        nodes = group.nodes if also is None else (*group.nodes, *also.nodes)
        drawn.groups.append(replace(group, nodes=tuple(dict.fromkeys(nodes))))
    drawn.groups += old.values()
