"""From the typed tree to Python source: an exact function, and what both functions share.

User text enters the source only through repr(), as constants and subscripts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from shopflow.lang.cel import ast, functions
from shopflow.lang.cel.ast import Macro
from shopflow.lang.cel.runtime import NAMESPACE, OPERATORS
from shopflow.lang.cel.signatures import signature


class Kind(StrEnum):
    """What is known of a value while compiling; dyn is nothing."""

    BOOL = "bool"
    NUMBER = "number"
    STRING = "string"
    OTHER = "other"
    DYN = "dyn"


class Code(NamedTuple):
    """A Python expression that can stand anywhere, and the kind of its value."""

    text: str
    kind: Kind = Kind.DYN


_BOOL_OPERATORS = frozenset({"==", "!=", "<", "<=", ">", ">=", "in"})
_KIND_OF_CLASS = {bool: Kind.BOOL, int: Kind.NUMBER, float: Kind.NUMBER, str: Kind.STRING}
_BOOL_FUNCTIONS = frozenset({"startsWith", "endsWith", "contains", "matches", "bool"})
_NUMBER_FUNCTIONS = frozenset({"size", "int", "double", "indexOf", "lastIndexOf"})
_STRING_FUNCTIONS = frozenset(
    {
        "string",
        "lowerAscii",
        "upperAscii",
        "trim",
        "replace",
        "substring",
        "charAt",
        "join",
        "reverse",
    }
)


def kind_of_call(name: str) -> Kind:
    """The kind of what a function returns, if it returns."""
    if name in _BOOL_FUNCTIONS:
        return Kind.BOOL
    if name in _NUMBER_FUNCTIONS or name.startswith("get"):
        return Kind.NUMBER
    return Kind.STRING if name in _STRING_FUNCTIONS else Kind.DYN


class ExactEmitter:
    """Emits CEL to the letter: && and ||, all and exists absorb errors."""

    def __init__(self, iterations: int) -> None:
        self.constants: dict[str, object] = {}
        self._iterations = iterations
        self._counts = False

    def function(self, node: ast.Node) -> Callable[[object], object]:
        """The compiled function of one argument, the bindings."""
        body = self.emit(node).text
        count = f"\n    left = [{self._iterations}]" if self._counts else ""
        source = f"def run(b):{count}{self.prologue()}\n    return {body}\n"
        namespace = {**NAMESPACE, **self.constants}
        # The source is built from our own words and repr() of constants only.
        exec(compile(source, "<condition>", "exec"), namespace)  # noqa: S102
        return namespace["run"]  # type: ignore[return-value] # what the source defines

    def prologue(self) -> str:
        """Statements before the result."""
        return ""

    def constant(self, value: object) -> str:
        """A name for a value that has no literal in Python, or is worth building once."""
        name = f"k{len(self.constants)}"
        self.constants[name] = value
        return name

    def emit(self, node: ast.Node) -> Code:
        """The Python expression of a node."""
        match node:
            case ast.Literal():
                return self.literal(node.value)
            case ast.Global():
                return Code(self.variable(node.name))
            case ast.Local():
                return Code(f"x{node.index}")
            case ast.Select():
                return Code(self.select(node.operand, node.field))
            case ast.Has():
                return self.has(node)
            case ast.Index():
                return Code(self.index(node))
            case ast.ListLiteral():
                items = ", ".join(self.emit(item).text for item in node.items)
                return Code(f"[{items}]", Kind.OTHER)
            case ast.MapLiteral():
                parts = (self.emit(part).text for entry in node.entries for part in entry)
                return Code(f"mapping({', '.join(parts)})", Kind.OTHER)
            case ast.Call():
                return self.call(node)
            case _:
                return self.operation(node)

    def operation(self, node: ast.Node) -> Code:
        """Operators and macros."""
        match node:
            case ast.And():
                return Code(self.both(node.items), Kind.BOOL)
            case ast.Or():
                return Code(self.either(node.items), Kind.BOOL)
            case ast.Not():
                return Code(f"(not {self.truth(node.operand)})", Kind.BOOL)
            case ast.Negate():
                return Code(f"neg({self.emit(node.operand).text})", Kind.NUMBER)
            case ast.Conditional():
                then, otherwise = self.emit(node.then), self.emit(node.otherwise)
                kind = then.kind if then.kind is otherwise.kind else Kind.DYN
                condition = self.truth(node.condition)
                return Code(f"({then.text} if {condition} else {otherwise.text})", kind)
            case ast.Binary():
                return self.binary(node)
            case _:
                assert isinstance(node, ast.Comprehension), node  # noqa: S101 - nothing else is left
                return self.comprehension(node)

    def literal(self, value: object) -> Code:
        """A constant: spelled out where Python has a literal for it, else by name."""
        kind = _KIND_OF_CLASS.get(value.__class__, Kind.OTHER)
        finite = value.__class__ is float and math.isfinite(value)
        if value is None or finite or value.__class__ in (bool, int, str, bytes):
            text = repr(value)
            return Code(f"({text})" if text.startswith("-") else text, kind)
        return Code(self.constant(value), kind)

    def variable(self, name: str) -> str:
        """A variable's value."""
        return f"b[{name!r}]"

    def select(self, operand: ast.Node, field: str) -> str:
        """A field's value."""
        return f"select({self.emit(operand).text}, {field!r})"

    def has(self, node: ast.Has) -> Code:
        """Whether a field is there."""
        return Code(f"has({self.emit(node.operand).text}, {node.field!r})", Kind.BOOL)

    def index(self, node: ast.Index) -> str:
        """An element of a list or map."""
        return f"index({self.emit(node.operand).text}, {self.emit(node.key).text})"

    def truth(self, node: ast.Node) -> str:
        """The node's value, which must be a bool."""
        code = self.emit(node)
        return code.text if code.kind is Kind.BOOL else f"truth({code.text})"

    def both(self, items: tuple[ast.Node, ...]) -> str:
        """A chain of &&."""
        return f"and_({', '.join(f'lambda: {self.emit(item).text}' for item in items)})"

    def either(self, items: tuple[ast.Node, ...]) -> str:
        """A chain of ||."""
        return f"or_({', '.join(f'lambda: {self.emit(item).text}' for item in items)})"

    def binary(self, node: ast.Binary) -> Code:
        """A comparison, membership or arithmetic."""
        return self.generic(node.op, self.emit(node.left), self.emit(node.right))

    def generic(self, op: str, left: Code, right: Code) -> Code:
        """An operator as a call, right for every pair of types."""
        kind = Kind.BOOL if op in _BOOL_OPERATORS else Kind.DYN
        return Code(f"{OPERATORS[op]}({left.text}, {right.text})", kind)

    def call(self, node: ast.Call) -> Code:
        """A function called alone or on a target."""
        operands = node.args if node.target is None else (node.target, *node.args)
        args = ", ".join(self.emit(operand).text for operand in operands)
        on_target = node.target is not None
        if node.function in functions.OF_CATALOGUE and not on_target:
            shape = signature(node.function, on_target=False)
            if shape is not None and shape.counts(len(operands)):
                return Code(f"{node.function}({args}, b.get('__products__'))", Kind.BOOL)
        function = functions.find(node.function, on_target=on_target)
        known = signature(node.function, on_target=on_target)
        if function is None or known is None or not known.counts(len(operands)):
            return Code(f"unknown({node.function!r})")
        return Code(f"{self.constant(function)}({args})", kind_of_call(node.function))

    def elements(self, node: ast.Comprehension) -> str:
        """What a comprehension visits."""
        source = self.emit(node.source).text
        if node.level == 1:
            return f"elements({source})"
        self._counts = True
        return f"counted({source}, left)"

    def comprehension(self, node: ast.Comprehension) -> Code:
        """A macro."""
        visited, name = self.elements(node), f"x{node.variable.index}"
        if node.macro in (Macro.ALL, Macro.EXISTS):
            return Code(self.quantifier(node, visited, name), Kind.BOOL)
        if node.macro is Macro.EXISTS_ONE:
            flags = f"{self.truth(_part(node.predicate))} for {name} in {visited}"
            return Code(f"one({flags})", Kind.BOOL)
        value = name if node.transform is None else self.emit(node.transform).text
        where = "" if node.predicate is None else f" if {self.truth(node.predicate)}"
        return Code(f"[{value} for {name} in {visited}{where}]", Kind.OTHER)

    def quantifier(self, node: ast.Comprehension, visited: str, name: str) -> str:
        """all() or exists()."""
        predicate = self.emit(_part(node.predicate)).text
        function = "all_" if node.macro is Macro.ALL else "exists_"
        return f"{function}({visited}, lambda {name}: {predicate})"


def _part(node: ast.Node | None) -> ast.Node:
    assert node is not None  # noqa: S101 - these macros always have a predicate
    return node
