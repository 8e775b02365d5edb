"""The types of expressions, and what a condition that held tells about what is there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from shopflow.domain.expression import Expression
from shopflow.lang.cel import DYN, Environment, Program, Type, ast, infer
from shopflow.lang.cel.analysis import reads, walk
from shopflow.lang.cel.narrowing import when_true
from shopflow.lang.compiler.context import type_of_value
from shopflow.lang.compiler.scope import Scope
from shopflow.lang.constant import Constant

#: Nodes that fail when a part of them fails.
_STRICT = (
    ast.Binary,
    ast.Call,
    ast.Global,
    ast.Index,
    ast.ListLiteral,
    ast.Literal,
    ast.Negate,
    ast.Not,
    ast.Select,
)
Path = tuple[str, ...]


def type_of(expression: Expression, scope: Scope) -> Type:
    """The type of the expression's value; anything where it cannot be known."""
    match expression:
        case Constant():
            return type_of_value(expression.value)
        case Program():
            return infer(expression, Environment(scope.names))
        case _:
            return DYN


def present(expression: Expression | None, root: str) -> frozenset[Path]:
    """The paths below a name that are there whenever the condition holds."""
    if not isinstance(expression, Program):
        return frozenset()
    paths = {*when_true(expression.tree), *(atom.path for atom in expression.atoms)}
    for part in _conjuncts(expression.tree):
        if all(isinstance(each, _STRICT) for each in walk(part)):
            # It was worked out as a whole, so nothing that it reads was missing.
            paths |= reads(part)
    return frozenset(path[1:] for path in paths if path[0] == root and len(path) > 1)


def _conjuncts(node: ast.Node) -> Iterator[ast.Node]:
    if isinstance(node, ast.And):
        for item in node.items:
            yield from _conjuncts(item)
    else:
        yield node


def having(found: Type, paths: Iterable[Path]) -> Type:
    """The record, with fields that are known to be there."""
    below: dict[str, list[Path]] = {}
    for path in paths:
        if path and path[0] in found.fields:
            below.setdefault(path[0], []).append(path[1:])
    if not below:
        return found
    there = {name: having(found.fields[name], rest) for name, rest in below.items()}
    return replace(found, fields={**found.fields, **there}, required=found.required.union(there))
