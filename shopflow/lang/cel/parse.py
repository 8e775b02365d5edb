"""From source to a tree of nodes by cel-python's grammar; names and macros are resolved later."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TypedDict, cast

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedToken

from shopflow.errors import CompileError
from shopflow.lang.cel import ast, literals
from shopflow.lang.cel.lexer import HINTS, Words
from shopflow.lang.cel.limits import Limits
from shopflow.lang.cel.place import error_at

_Tree = Tree[Token]

_RESERVED = frozenset(
    {
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    }
)
_BINARY = {
    "relation_lt": "<",
    "relation_le": "<=",
    "relation_gt": ">",
    "relation_ge": ">=",
    "relation_eq": "==",
    "relation_ne": "!=",
    "relation_in": "in",
    "addition_add": "+",
    "addition_sub": "-",
    "multiplication_mul": "*",
    "multiplication_div": "/",
    "multiplication_mod": "%",
}
_LITERALS: dict[str, Callable[[str], object]] = {
    "INT_LIT": literals.integer,
    "UINT_LIT": literals.unsigned,
    "FLOAT_LIT": float,
    "STRING_LIT": literals.string,
    "BYTES_LIT": literals.octets,
    "BOOL_LIT": "true".__eq__,
    "NULL_LIT": lambda _: None,
}
#: Rules that end with a bracket, and those that begin with one.
_CLOSED = frozenset(
    {"ident_arg", "dot_ident_arg", "member_dot_arg", "member_index", "list_lit", "map_lit"}
)
_CLOSING = re.compile(r"[\s(]*[)\]}]")
_OPENED = {"list_lit": "[", "map_lit": "{"}
#: Levels of precedence: where nothing is joined there, lark is to pass on what is below.
_LEVELS = re.compile(
    r"^(expr|conditionalor|conditionaland|relation|addition|multiplication|unary|member|primary)\b",
    re.MULTILINE,
)
#: The magnitude of the smallest int; only right after a minus.
_AFTER_MINUS_ONLY = 2**63


class _Span(TypedDict):
    start: int
    end: int


@cache
def _grammar() -> Lark:
    # cel-python caches one parser for the whole process, made for whichever runner came first;
    # ours is its grammar with our own words, and safe to share between threads.
    return Lark(
        _LEVELS.sub(r"?\1", _cel().read_text("utf-8")),
        parser="lalr",
        start="expr",
        lexer=Words,
        propagate_positions=False,
        maybe_placeholders=False,
    )


def _cel() -> Path:
    """Where the grammar is; the package itself would take longer to load than to be looked for."""
    package = find_spec("celpy")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("cel-python is not installed", name="celpy")
    return Path(package.origin).with_name("cel.lark")


def parse(source: str, limits: Limits) -> ast.Node:
    """The tree of a condition; raises CompileError where it is no CEL or crosses a limit."""
    if len(source) > limits.length:
        raise CompileError(
            f"this condition has {len(source):,} characters, the limit is {limits.length:,}",
            hint="give parts of it a name under let, or make them segments",
            code="SF116",
        )
    try:
        tree = _grammar().parse(source)
    except UnexpectedToken as error:
        raise _unexpected(source, error) from error
    return _Builder(source, limits).build(tree)


def _unexpected(source: str, error: UnexpectedToken) -> CompileError:
    token = error.token
    if token.type == "$END":
        message = "the condition ends too early" if source.strip() else "the condition is empty"
        return error_at(source, len(source.rstrip()), len(source), message)
    start, end = token.start_pos or 0, token.end_pos or 0
    before = source[:start].rstrip()
    word = str(token)
    if word == ">" and before.endswith("<"):
        word, start = "<>", len(before) - 1
    elif before == "not" or before.endswith((" not", "(not")):
        word, start, end = "not", len(before) - 3, len(before)
    return error_at(source, start, end, f"unexpected {word!r}", hint=HINTS.get(word, ""))


def _edge(tree: _Tree, side: int) -> Token | None:
    """The first (0) or last (-1) word in a tree; brackets and operators are not in it."""
    waiting: list[Token | _Tree] = [tree]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Token):
            return part
        waiting += part.children if side else part.children[::-1]
    return None


def _trees(tree: _Tree) -> list[_Tree]:
    return cast("list[_Tree]", tree.children)


class _Builder:
    """Turns one parse tree into nodes; its recursion is bounded by the depth limit."""

    def __init__(self, source: str, limits: Limits) -> None:
        self._source = source
        self._limits = limits
        self._depth = 0

    def build(self, tree: _Tree) -> ast.Node:
        self._depth += 1
        if self._depth > self._limits.depth:
            message = f"this condition nests deeper than {self._limits.depth} levels"
            hint = "give parts of it a name under let, or make them segments"
            raise self._error(tree, message, hint=hint, code="SF116")
        try:
            return _BUILD[tree.data](self, tree)
        finally:
            self._depth -= 1

    def _error(
        self, tree: _Tree, message: str, *, hint: str = "", code: str = "SF101"
    ) -> CompileError:
        return error_at(self._source, **self._span(tree), message=message, hint=hint, code=code)

    def _span(self, tree: _Tree, *parts: ast.Node) -> _Span:
        # Asking lark for positions would make parsing half as slow again; its tree has no
        # brackets and operators, so these are looked up next to the words and parts it has.
        first, last = _edge(tree, 0), _edge(tree, -1)
        start = min([(first and first.start_pos) or 0, *(part.start for part in parts)])
        end = max([(last and last.end_pos) or 0, *(part.end for part in parts)])
        if tree.data in _CLOSED and (closing := _CLOSING.match(self._source, end)):
            end = closing.end()
        opening = _OPENED.get(tree.data)
        if opening is not None:
            start = max(self._source.rfind(opening, 0, start), 0)
        return {"start": start, "end": end}

    def conditional(self, tree: _Tree) -> ast.Node:
        condition, then, otherwise = (self.build(part) for part in _trees(tree))
        return ast.Conditional(
            condition=condition,
            then=then,
            otherwise=otherwise,
            **self._span(tree, condition, then, otherwise),
        )

    def either(self, tree: _Tree) -> ast.Node:
        items = self._chain(tree)
        return ast.Or(items=items, **self._span(tree, *items))

    def both(self, tree: _Tree) -> ast.Node:
        items = self._chain(tree)
        return ast.And(items=items, **self._span(tree, *items))

    def _chain(self, tree: _Tree) -> tuple[ast.Node, ...]:
        # A chain leans left in the grammar; walking it keeps a hundred alternatives one level.
        data, parts = tree.data, []
        while tree.data == data and len(tree.children) > 1:
            tree, last = _trees(tree)
            parts.append(last)
        return tuple(self.build(part) for part in (tree, *reversed(parts)))

    def binary(self, tree: _Tree) -> ast.Node:
        rule, last = _trees(tree)
        left, right = self.build(_trees(rule)[0]), self.build(last)
        span = self._span(tree, left, right)
        return ast.Binary(op=_BINARY[rule.data], left=left, right=right, **span)

    def unary(self, tree: _Tree) -> ast.Node:
        rule, last = _trees(tree)
        negative = None if rule.data == "unary_not" else self._negative(last)
        if negative is not None:
            return negative
        operand = self.build(last)
        span = self._signed("!" if rule.data == "unary_not" else "-", operand)
        if rule.data == "unary_not":
            return ast.Not(operand=operand, **span)
        return ast.Negate(operand=operand, **span)

    def _negative(self, tree: _Tree) -> ast.Node | None:
        """The literal that follows a minus, as one number."""
        if tree.data != "literal":
            return None
        value, span = self._value(tree), self._span(tree)
        start = self._source.rfind("-", 0, span["start"])
        if value.__class__ is int or value.__class__ is float:
            return ast.Literal(value=-value, start=start, end=span["end"])
        return None

    def _signed(self, sign: str, operand: ast.Node) -> _Span:
        start = self._source.rfind(sign, 0, operand.start)
        return {"start": max(start, 0), "end": operand.end}

    def _value(self, tree: _Tree) -> object:
        token = cast("Token", tree.children[0])
        try:
            return _LITERALS[token.type](str(token))
        except ValueError as error:
            raise self._error(tree, str(error)) from error

    def literal(self, tree: _Tree) -> ast.Node:
        value = self._value(tree)
        if value.__class__ is int and value == _AFTER_MINUS_ONLY:
            raise self._error(tree, literals.TOO_BIG)
        return ast.Literal(value=value, **self._span(tree))

    def name(self, tree: _Tree) -> ast.Node:
        name = str(tree.children[0])
        if name in _RESERVED:
            raise self._error(tree, f"{name!r} is a reserved word")
        return ast.Ident(name=name, absolute=tree.data == "dot_ident", **self._span(tree))

    def call(self, tree: _Tree) -> ast.Node:
        name, args = str(tree.children[0]), self._args(tree.children[1:])
        return ast.Call(function=name, target=None, args=args, **self._span(tree, *args))

    def member_call(self, tree: _Tree) -> ast.Node:
        first, name, *rest = tree.children
        target, args = self.build(cast("_Tree", first)), self._args(rest)
        span = self._span(tree, target, *args)
        return ast.Call(function=str(name), target=target, args=args, **span)

    def _args(self, rest: list[Token | _Tree]) -> tuple[ast.Node, ...]:
        return tuple(self.build(arg) for each in rest for arg in _trees(cast("_Tree", each)))

    def select(self, tree: _Tree) -> ast.Node:
        first, token = tree.children
        operand = self.build(cast("_Tree", first))
        return ast.Select(
            operand=operand,
            field=str(token),
            field_start=cast("Token", token).start_pos or 0,
            **self._span(tree, operand),
        )

    def index(self, tree: _Tree) -> ast.Node:
        operand, key = (self.build(part) for part in _trees(tree))
        return ast.Index(operand=operand, key=key, **self._span(tree, operand, key))

    def message(self, tree: _Tree) -> ast.Node:
        hint = "a map is written {'name': value}"
        raise self._error(tree, "messages cannot be built here", hint=hint)

    def parenthesised(self, tree: _Tree) -> ast.Node:
        return self.build(_trees(tree)[0])

    def listing(self, tree: _Tree) -> ast.Node:
        items = self._args(tree.children)
        return ast.ListLiteral(items=items, **self._span(tree, *items))

    def mapping(self, tree: _Tree) -> ast.Node:
        parts = self._args(tree.children)
        entries = tuple(zip(parts[::2], parts[1::2], strict=True))
        return ast.MapLiteral(entries=entries, **self._span(tree, *parts))


_BUILD: dict[str, Callable[[_Builder, _Tree], ast.Node]] = {
    "expr": _Builder.conditional,
    "conditionalor": _Builder.either,
    "conditionaland": _Builder.both,
    "relation": _Builder.binary,
    "addition": _Builder.binary,
    "multiplication": _Builder.binary,
    "unary": _Builder.unary,
    "literal": _Builder.literal,
    "ident": _Builder.name,
    "dot_ident": _Builder.name,
    "ident_arg": _Builder.call,
    "dot_ident_arg": _Builder.call,
    "member_dot": _Builder.select,
    "member_dot_arg": _Builder.member_call,
    "member_index": _Builder.index,
    "member_object": _Builder.message,
    "paren_expr": _Builder.parenthesised,
    "list_lit": _Builder.listing,
    "map_lit": _Builder.mapping,
}
