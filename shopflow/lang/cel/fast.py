"""The fast function: plain Python where it can differ from exact CEL only by raising."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shopflow.lang.cel import ast, functions
from shopflow.lang.cel.ast import Macro
from shopflow.lang.cel.emit import Code, ExactEmitter, Kind, kind_of_call

_RELATIONS = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_MAX_TUPLE = 12
_TEXT_TESTS = {"startsWith": "{t}.startswith({a})", "endsWith": "{t}.endswith({a})"}


def _is_plain(value: object) -> bool:
    """Whether Python's own == with this constant means CEL's, whatever the other side is."""
    return value.__class__ is str or (value.__class__ in (int, float) and value not in (0, 1))


class FastEmitter(ExactEmitter):
    """Emits plain and/or, generators and comparisons made for the constant on one side."""

    def __init__(self, iterations: int, repeated: frozenset[str]) -> None:
        super().__init__(iterations)
        self._temporaries = 0
        self._repeated = {name: f"r{n}" for n, name in enumerate(sorted(repeated))}
        # Python allows no := inside what a comprehension iterates over.
        self._inline = True

    def prologue(self) -> str:
        """Variables read more than once are looked up once."""
        lines = (f"\n    {name} = b[{key!r}]" for key, name in self._repeated.items())
        return "".join(lines)

    def variable(self, name: str) -> str:
        """A variable, from its local name when it is read more than once."""
        return self._repeated.get(name) or super().variable(name)

    def _temporary(self) -> str:
        self._temporaries += 1
        return f"t{self._temporaries}"

    @contextmanager
    def _iterated(self) -> Iterator[None]:
        before, self._inline = self._inline, False
        try:
            yield
        finally:
            self._inline = before

    def elements(self, node: ast.Comprehension) -> str:
        """What a comprehension visits, without := in it."""
        with self._iterated():
            return super().elements(node)

    def truth(self, node: ast.Node) -> str:
        """The value, checked in place to be a bool."""
        code = self.emit(node)
        if code.kind is Kind.BOOL:
            return code.text
        if not self._inline or isinstance(node, ast.Literal):
            return f"truth({code.text})"
        t = self._temporary()
        return f"({t} if ({t} := {code.text}) is True or {t} is False else truth({t}))"

    def both(self, items: tuple[ast.Node, ...]) -> str:
        """Python's and."""
        return f"({' and '.join(map(self.truth, items))})"

    def either(self, items: tuple[ast.Node, ...]) -> str:
        """Python's or."""
        return f"({' or '.join(map(self.truth, items))})"

    def quantifier(self, node: ast.Comprehension, visited: str, name: str) -> str:
        """Python's all or any over a generator."""
        assert node.predicate is not None  # noqa: S101 - all and exists have one
        function = "all" if node.macro is Macro.ALL else "any"
        return f"{function}({self.truth(node.predicate)} for {name} in {visited})"

    def has(self, node: ast.Has) -> Code:
        """A key of a plain dict, in place."""
        if not self._inline:
            return super().has(node)
        t, field = self._temporary(), repr(node.field)
        operand = self.emit(node.operand).text
        test = f"{field} in {t} if ({t} := {operand}).__class__ is dict else has({t}, {field})"
        return Code(f"({test})", Kind.BOOL)

    def select(self, operand: ast.Node, field: str) -> str:
        """A plain subscript, which raises for everything that has no fields."""
        if isinstance(operand, (ast.Global, ast.Local, ast.Select)):
            return f"{self.emit(operand).text}[{field!r}]"
        return super().select(operand, field)

    def index(self, node: ast.Index) -> str:
        """A subscript where the key is a field name."""
        key = node.key
        subscript = isinstance(node.operand, (ast.Global, ast.Local, ast.Select))
        if subscript and isinstance(key, ast.Literal) and key.value.__class__ is str:
            return f"{self.emit(node.operand).text}[{key.value!r}]"
        return super().index(node)

    def binary(self, node: ast.Binary) -> Code:
        """A comparison made for its constant, where that is safe."""
        # Each side is emitted once; twice a level would take time exponential in the depth.
        left, right = self.emit(node.left), self.emit(node.right)
        special = self._special(node, left, right)
        return Code(special, Kind.BOOL) if special else self.generic(node.op, left, right)

    def _special(self, node: ast.Binary, left: Code, right: Code) -> str | None:
        op = node.op
        constants = [isinstance(side, ast.Literal) for side in (node.left, node.right)]
        if op == "in":
            return self._membership(node, left, right)
        if op not in ("==", "!=", *_RELATIONS) or all(constants):
            return None
        if not any(constants):
            same = op in ("==", "!=") and Kind.STRING in (left.kind, right.kind)
            return f"({left.text} {op} {right.text})" if same else None
        if constants[0]:
            literal, code, constant, op = left, right, node.left, _RELATIONS.get(op, op)
        else:
            literal, code, constant = right, left, node.right
        assert isinstance(constant, ast.Literal)  # noqa: S101 - the flags say so
        if op in _RELATIONS:
            return self._relation(code, op, literal, constant.value)
        return self._equality(code, op, literal, constant.value)

    def _equality(self, code: Code, op: str, literal: Code, value: object) -> str | None:
        if value is None or value is True or value is False:
            return f"({code.text} {'is' if op == '==' else 'is not'} {value!r})"
        if value.__class__ not in (int, float, str):
            return None
        if _is_plain(value) or (code.kind is Kind.NUMBER and value.__class__ is not str):
            return f"({code.text} {op} {literal.text})"
        if not self._inline:
            return None
        # 0 and 1: Python takes false and true for them.
        t, flag = self._temporary(), bool(value)
        if op == "==":
            return f"(({t} := {code.text}) == {literal.text} and {t} is not {flag})"
        return f"(({t} := {code.text}) != {literal.text} or {t} is {flag})"

    def _relation(self, code: Code, op: str, literal: Code, value: object) -> str | None:
        if value.__class__ not in (int, float, str):
            return None
        if value.__class__ is str or code.kind is Kind.NUMBER:
            return f"({code.text} {op} {literal.text})"
        if not self._inline:
            return None
        # Python compares a bool with a number; CEL does not.
        t = self._temporary()
        test = f"{t} {op} {literal.text} if ({t} := {code.text}).__class__ is not bool"
        return f"({test} else bad({op!r}, {t}, {literal.text}))"

    def _membership(self, node: ast.Binary, left: Code, right: Code) -> str | None:
        if isinstance(node.right, ast.ListLiteral):
            items = node.right.items
            values = tuple(item.value for item in items if isinstance(item, ast.Literal))
            plain = len(values) == len(items) and all(map(_is_plain, values))
            return self._among(left, values) if plain else None
        if not self._inline or not isinstance(node.left, ast.Literal):
            return None
        if node.left.value.__class__ is not str or isinstance(node.right, ast.Literal):
            return None
        t = self._temporary()
        test = f"{left.text} in {t} if ({t} := {right.text}).__class__ is list"
        return f"({test} else contains({left.text}, {t}))"

    def _among(self, code: Code, values: tuple[object, ...]) -> str | None:
        if len(values) <= _MAX_TUPLE:
            return f"({code.text} in {self.constant(values)})"
        if not self._inline or any(value.__class__ is not str for value in values):
            return None
        t = self._temporary()
        known = self.constant(frozenset(values))
        return f"({t} in {known} if ({t} := {code.text}).__class__ is str else False)"

    def call(self, node: ast.Call) -> Code:
        """A call, in place for size and simple text tests."""
        special = self._call(node)
        return Code(special, kind_of_call(node.function)) if special else super().call(node)

    def _call(self, node: ast.Call) -> str | None:
        match node:
            case (
                ast.Call(function="size", target=None, args=(operand,))
                | ast.Call(function="size", target=ast.Node() as operand, args=())
            ):
                # len() raises TypeError for exactly the values that have no size.
                return f"len({self.emit(operand).text})"
            case ast.Call(function=name, target=ast.Node() as target, args=(ast.Literal() as arg,)):
                if self._inline and not isinstance(target, ast.Literal):
                    return self._text_test(name, target, arg.value)
        return None

    def _text_test(self, name: str, target: ast.Node, arg: object) -> str | None:
        if not isinstance(arg, str):
            return None
        if name == "matches":
            try:
                test = f"{self.constant(functions.pattern(arg).search)}({{t}}) is not None"
            except ValueError:
                return None
        elif name == "contains":
            test = "{a} in {t}"
        elif name in _TEXT_TESTS:
            test = _TEXT_TESTS[name]
        else:
            return None
        t, text = self._temporary(), self.emit(target).text
        test = test.replace("{t}", t).replace("{a}", repr(arg))
        return f"({test} if ({t} := {text}).__class__ is str else bad({name!r}, {t}))"
