"""Gives every name its meaning: variable, macro variable or type; and unfolds the macros."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import count

from shopflow.errors import CompileError
from shopflow.lang.cel import ast
from shopflow.lang.cel.ast import Macro
from shopflow.lang.cel.limits import Limits
from shopflow.lang.cel.place import error_at
from shopflow.lang.cel.values import NAMED_TYPES

_Scope = Mapping[str, ast.Local]

#: Macro name and how many arguments it has after the source.
_MACROS = {
    ("all", 2): Macro.ALL,
    ("exists", 2): Macro.EXISTS,
    ("exists_one", 2): Macro.EXISTS_ONE,
    ("existsOne", 2): Macro.EXISTS_ONE,
    ("map", 2): Macro.MAP,
    ("map", 3): Macro.MAP,
    ("filter", 2): Macro.FILTER,
}


class Resolver:
    """Resolves one tree; variables are the declared names, of use for those with dots."""

    def __init__(
        self, source: str, *, container: str, variables: AbstractSet[str], limits: Limits
    ) -> None:
        self._source = source
        self._prefixes = tuple(_prefixes(container))
        self._variables = variables
        self._limits = limits
        self._locals: Iterator[int] = count()

    def resolve(self, node: ast.Node, scope: _Scope | None = None, level: int = 0) -> ast.Node:
        """The node with names resolved; scope holds the macro variables around it."""
        scope = scope or {}
        match node:
            case ast.Ident() | ast.Select():
                return self._chain(node, scope, level)
            case ast.Call(function="has", target=None):
                return self._has(node, scope, level)
            case ast.Call(target=ast.Node()) if (node.function, len(node.args)) in _MACROS:
                return self._comprehension(node, scope, level)
            case _:
                return ast.rebuilt(node, lambda part: self.resolve(part, scope, level))

    def _chain(self, node: ast.Node, scope: _Scope, level: int) -> ast.Node:
        selects: list[ast.Select] = []
        root = node
        while isinstance(root, ast.Select):
            selects.append(root)
            root = root.operand
        selects.reverse()
        if isinstance(root, ast.Ident):
            resolved, used = self._longest(root, [each.field for each in selects], scope)
        else:
            resolved, used = self.resolve(root, scope, level), 0
        for each in selects[used:]:
            resolved = replace(each, operand=resolved)
        return resolved

    def _longest(self, root: ast.Ident, fields: list[str], scope: _Scope) -> tuple[ast.Node, int]:
        """The longest known name the chain starts with, and how many fields it took."""
        if not root.absolute and root.name in scope:
            return replace(scope[root.name], start=root.start, end=root.end), 0
        prefixes = ("",) if root.absolute else self._prefixes
        for prefix in prefixes:
            for used in range(len(fields), -1, -1):
                name = ".".join([prefix + root.name, *fields[:used]])
                if name in self._variables:
                    return ast.Global(name=name, start=root.start, end=root.end), used
        for used in (0, 2):
            name = ".".join([root.name, *fields[:used]])
            if name in NAMED_TYPES:
                return ast.Literal(value=NAMED_TYPES[name], start=root.start, end=root.end), used
        return ast.Global(name=root.name, start=root.start, end=root.end), 0

    def _has(self, node: ast.Call, scope: _Scope, level: int) -> ast.Node:
        match node.args:
            case (ast.Select() as select,):
                operand = self.resolve(select.operand, scope, level)
                return ast.Has(
                    operand=operand,
                    field=select.field,
                    field_start=select.field_start,
                    start=node.start,
                    end=node.end,
                )
            case _:
                hint = "write has(event.coupon)"
                raise self._error(node, "has() asks for one field of something", hint=hint)

    def _comprehension(self, node: ast.Call, scope: _Scope, level: int) -> ast.Node:
        assert node.target is not None  # noqa: S101 - the caller's match says so
        source = self.resolve(node.target, scope, level)
        first, *rest = node.args
        if not isinstance(first, ast.Ident) or first.absolute:
            hint = f"write x.{node.function}(item, …)"
            raise self._error(first, "the first argument of a macro is a plain name", hint=hint)
        level += 1
        if level > self._limits.comprehensions:
            message = f"macros nest deeper than {self._limits.comprehensions} levels"
            raise self._error(node, message, code="SF116")
        variable = ast.Local(
            name=first.name, index=next(self._locals), start=first.start, end=first.end
        )
        inner = {**scope, first.name: variable}
        parts = [self.resolve(part, inner, level) for part in rest]
        macro = _MACROS[node.function, len(node.args)]
        transform = parts.pop() if macro is Macro.MAP else None
        return ast.Comprehension(
            macro=macro,
            source=source,
            variable=variable,
            predicate=parts[0] if parts else None,
            transform=transform,
            level=level,
            start=node.start,
            end=node.end,
        )

    def _error(
        self, node: ast.Node, message: str, *, hint: str = "", code: str = "SF101"
    ) -> CompileError:
        return error_at(self._source, node.start, node.end, message, hint=hint, code=code)


def _prefixes(container: str) -> Iterator[str]:
    """The namespaces to look a name up in, the innermost first."""
    parts = container.split(".") if container else []
    for size in range(len(parts), 0, -1):
        yield ".".join(parts[:size]) + "."
    yield ""
