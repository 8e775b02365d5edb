"""What can be said of a condition without running it: its reads, and what it needs to be true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TypeGuard

from shopflow.domain.expression import Atom, AtomOp
from shopflow.lang.cel import ast, functions
from shopflow.lang.cel.ast import Macro
from shopflow.lang.cel.values import Uint

_MIRRORED: dict[str, AtomOp] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_CONSTANTS = (str, int, float, bool, type(None))


def walk(node: ast.Node) -> Iterator[ast.Node]:
    """The node and every node below it."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += reversed(ast.children(node))


def depth(tree: ast.Node) -> int:
    """How many nodes lie above one another."""
    levels, level = 0, [tree]
    while level:
        levels, level = levels + 1, [part for node in level for part in ast.children(node)]
    return levels


def reads(tree: ast.Node) -> frozenset[tuple[str, ...]]:
    """Every path it reads, as far as the names are static."""
    return frozenset(_reads(tree))


def _reads(node: ast.Node) -> Iterator[tuple[str, ...]]:
    path = ast.path_of(node)
    if path is not None:
        yield path
        return
    if isinstance(node, ast.Has):
        path = ast.path_of(node.operand)
        if path is not None:
            yield (*path, node.field)
            return
    for part in ast.children(node):
        yield from _reads(part)


def is_constant(tree: ast.Node) -> bool:
    """Whether no binding can change its value."""
    return not any(
        isinstance(node, ast.Global)
        or (isinstance(node, ast.Call) and node.function in functions.OF_CATALOGUE)
        for node in walk(tree)
    )


def absorbs(tree: ast.Node) -> bool:
    """Whether it has an operator that may turn an error below it into a value."""
    return any(
        isinstance(node, (ast.And, ast.Or))
        or (isinstance(node, ast.Comprehension) and node.macro in (Macro.ALL, Macro.EXISTS))
        for node in walk(tree)
    )


def repeated_variables(tree: ast.Node) -> frozenset[str]:
    """The variables that are read more than once."""
    uses = Counter(node.name for node in walk(tree) if isinstance(node, ast.Global))
    return frozenset(name for name, times in uses.items() if times > 1)


def atoms(tree: ast.Node) -> tuple[Atom, ...]:
    """What must hold for it to be true; reading a path that is missing is never true."""
    found: dict[Atom, None] = {}
    for part in _conjuncts(tree):
        atom = _atom(part)
        if atom is not None:
            found[atom] = None
    return tuple(found)


def _conjuncts(node: ast.Node) -> Iterator[ast.Node]:
    if isinstance(node, ast.And):
        for item in node.items:
            yield from _conjuncts(item)
    else:
        yield node


def _atom(node: ast.Node) -> Atom | None:
    path = ast.path_of(node)
    if path is not None:
        return Atom(path, "==", value=True)
    match node:
        case ast.Not():
            path = ast.path_of(node.operand)
            return None if path is None else Atom(path, "==", value=False)
        case ast.Has():
            path = ast.path_of(node.operand)
            return None if path is None else Atom((*path, node.field), "has")
        case ast.Binary():
            return _comparison(node)
        case ast.Or():
            return _alternatives(node)
        case _:
            return None


def _comparison(node: ast.Binary) -> Atom | None:
    left, right = node.left, node.right
    path, other = ast.path_of(left), right
    op = node.op
    if path is None:
        path, other = ast.path_of(right), left
        if op == "in" and path is not None and _is_constant(other):
            return Atom(path, "contains", other.value)
        op = _MIRRORED.get(op, op)
    if path is None:
        return None
    if op == "in":
        return _membership(path, other)
    if op == "==" and _is_constant(other):
        return Atom(path, "==", other.value)
    if op in _MIRRORED and _is_constant(other) and isinstance(other.value, (str, int, float)):
        return Atom(path, _MIRRORED[_MIRRORED[op]], other.value)
    return None


def _membership(path: tuple[str, ...], other: ast.Node) -> Atom | None:
    if isinstance(other, ast.ListLiteral) and all(map(_is_constant, other.items)):
        values = tuple(item.value for item in other.items if isinstance(item, ast.Literal))
        return Atom(path, "in", values)
    return None


def _alternatives(node: ast.Or) -> Atom | None:
    """One atom for alternatives that all compare the same path with constants."""
    values: list[object] = []
    paths = set()
    for item in node.items:
        atom = _atom(item)
        if atom is None or atom.op not in ("==", "in"):
            return None
        paths.add(atom.path)
        values += atom.value if isinstance(atom.value, tuple) else [atom.value]
    return Atom(paths.pop(), "in", tuple(values)) if len(paths) == 1 else None


def _is_constant(node: ast.Node) -> TypeGuard[ast.Literal]:
    return (
        isinstance(node, ast.Literal)
        and isinstance(node.value, _CONSTANTS)
        and not isinstance(node.value, Uint)
    )
