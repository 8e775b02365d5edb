"""Which optional fields are known to be there once a condition is true, or false."""

from __future__ import annotations

from functools import reduce

from shopflow.lang.cel import ast

Path = tuple[str, ...]
Facts = frozenset[Path]

_NOTHING: Facts = frozenset()


def path(node: ast.Node) -> Path | None:
    """A static path, from a variable or from the variable of a macro."""
    fields: list[str] = []
    while True:
        match node:
            case ast.Select():
                fields.append(node.field)
                node = node.operand
            case ast.Index(key=ast.Literal(value=str(field))):
                fields.append(field)
                node = node.operand
            case ast.Index(key=ast.Literal(value=int(position))):
                fields.append(f"[{position}]")
                node = node.operand
            case ast.Local():
                return (f"{node.name}#{node.index}", *reversed(fields))
            case ast.Global():
                return (node.name, *reversed(fields))
            case _:
                return None


def when_true(node: ast.Node) -> Facts:
    """The paths that are there if the node is true."""
    match node:
        case ast.Has():
            return _field(node.operand, node.field)
        case ast.Binary(op="in", left=ast.Literal(value=str(field))):
            return _field(node.right, field)
        case ast.Not():
            return when_false(node.operand)
        case ast.And():
            return _NOTHING.union(*map(when_true, node.items))
        case ast.Or():
            return reduce(frozenset.intersection, map(when_true, node.items))
        case _:
            return _NOTHING


def when_false(node: ast.Node) -> Facts:
    """The paths that are there if the node is false."""
    match node:
        case ast.Not():
            return when_true(node.operand)
        case ast.Or():
            return _NOTHING.union(*map(when_false, node.items))
        case ast.And():
            return reduce(frozenset.intersection, map(when_false, node.items))
        case _:
            return _NOTHING


def _field(operand: ast.Node, field: str) -> Facts:
    operand_path = path(operand)
    return _NOTHING if operand_path is None else frozenset({(*operand_path, field)})
