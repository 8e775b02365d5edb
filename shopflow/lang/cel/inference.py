"""Walks a condition with the types of its variables and reports what does not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from shopflow.lang.cel import ast, narrowing, types
from shopflow.lang.cel.ast import Macro
from shopflow.lang.cel.calls import check_call
from shopflow.lang.cel.findings import Findings, closest, suggestion
from shopflow.lang.cel.narrowing import Facts
from shopflow.lang.cel.operands import check_arithmetic, check_comparison, check_membership
from shopflow.lang.cel.program import Program
from shopflow.lang.cel.types import BOOL, DYN, Type, TypeKind
from shopflow.lang.cel.values import CelType, Uint
from shopflow.lang.names import certainly
from shopflow.problem import Severity

_LITERALS = {
    bool: BOOL,
    Uint: types.UINT,
    int: types.INT,
    float: types.DOUBLE,
    str: types.STRING,
    bytes: types.BYTES,
    type(None): types.NULL,
    CelType: types.TYPE,
}
_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
_FIELDLESS = "only objects and maps have fields"


def infer_type(program: Program, variables: Mapping[str, Type], findings: Findings) -> Type:
    """The type of a condition's value; everything that does not fit is added to the findings."""
    return _Inference(program, variables, findings).result()


class _Inference:
    """The types of one condition's parts; findings go where the caller says."""

    def __init__(self, program: Program, variables: Mapping[str, Type], findings: Findings) -> None:
        self._source = program.source
        self._tree = program.tree
        self._variables = variables
        self._findings = findings
        self._locals: dict[int, Type] = {}

    def result(self) -> Type:
        """The type of the whole; everything that does not fit has been reported."""
        return self._type(self._tree, frozenset())

    def _type(self, node: ast.Node, facts: Facts) -> Type:
        return _RULES[type(node)](self, node, facts)

    def _report(
        self, code: str, node: ast.Node, message: str, hint: str = "", meant: str | None = None
    ) -> None:
        self._findings.add(code, (node.start, node.end), message, hint=hint, meant=meant)

    def literal(self, node: ast.Literal, _: Facts) -> Type:
        return _LITERALS[type(node.value)]

    def variable(self, node: ast.Global, _: Facts) -> Type:
        found = self._variables.get(node.name)
        if found is not None:
            return found
        homes = [
            f"{variable}.{field}"
            for variable, known in self._variables.items()
            if (field := closest(node.name, known.fields, cutoff=0.8))
        ]
        hint = suggestion(node.name, self._variables, "variables")
        meant = certainly(node.name, self._variables)
        if homes and not hint.startswith("did you mean"):
            hint = f"did you mean {' or '.join(sorted(homes))}?"
        self._report("SF102", node, f"no variable named {node.name!r}", hint, meant)
        return DYN

    def local(self, node: ast.Local, _: Facts) -> Type:
        return self._locals.get(node.index, DYN)

    def select(self, node: ast.Select, facts: Facts) -> Type:
        owner = self._type(node.operand, facts)
        found = self._field(node, owner, node.field, node.field_start)
        self._check_present(node, owner, node.field, facts)
        return found

    def has(self, node: ast.Has, facts: Facts) -> Type:
        owner = self._type(node.operand, facts)
        self._field(node, owner, node.field, node.field_start)
        return BOOL

    def _field(
        self, node: ast.Select | ast.Has | ast.Index, owner: Type, field: str, start: int
    ) -> Type:
        if owner.kind is TypeKind.MAP:
            return owner.item or DYN
        span = (start, start + len(field))
        if owner.kind is TypeKind.RECORD:
            if field in owner.fields:
                return owner.fields[field]
            if not owner.open:
                name = self._source[node.operand.start : node.operand.end]
                hint = suggestion(field, owner.fields, "fields")
                meant = certainly(field, owner.fields)
                message = f"{name} has no field {field!r}"
                self._findings.add("SF103", span, message, hint=hint, meant=meant)
        elif owner.kind is not TypeKind.DYN:
            message = f"{types.article(owner)} has no field {field!r}"
            self._findings.add("SF104", span, message, hint=_FIELDLESS)
        return DYN

    def _check_present(
        self, node: ast.Select | ast.Index, owner: Type, field: str, facts: Facts
    ) -> None:
        if field not in owner.fields or field in owner.required:
            return
        path = narrowing.path(node)
        if path is not None and path in facts:
            return
        text = self._source[node.start : node.end]
        message = f"{text} may be missing, and then this condition fails"
        hint = f"write has({text}) && …" if isinstance(node, ast.Select) else ""
        self._findings.add(
            "SF108", (node.start, node.end), message, hint=hint, severity=Severity.WARNING
        )

    def index(self, node: ast.Index, facts: Facts) -> Type:
        owner, key = self._type(node.operand, facts), self._type(node.key, facts)
        if owner.kind is TypeKind.LIST:
            if key.kind is not TypeKind.DYN and not types.is_number(key):
                self._report("SF104", node.key, f"a list is indexed by a number, not {key}")
            return owner.item or DYN
        if isinstance(node.key, ast.Literal) and isinstance(node.key.value, str):
            found = self._field(node, owner, node.key.value, node.key.start + 1)
            self._check_present(node, owner, node.key.value, facts)
            return found
        if owner.kind is TypeKind.MAP:
            return owner.item or DYN
        if owner.kind not in (TypeKind.DYN, TypeKind.RECORD):
            self._report("SF104", node, f"{types.article(owner)} has no elements to index")
        return DYN

    def listing(self, node: ast.ListLiteral, facts: Facts) -> Type:
        items = [self._type(item, facts) for item in node.items]
        if not items:
            return types.list_of(DYN)
        joined = items[0]
        for item in items[1:]:
            joined = types.joined(joined, item)
        return types.list_of(joined)

    def mapping(self, node: ast.MapLiteral, facts: Facts) -> Type:
        for part in ast.children(node):
            self._type(part, facts)
        return types.map_of(DYN, DYN)

    def call(self, node: ast.Call, facts: Facts) -> Type:
        operands = [self._type(part, facts) for part in ast.children(node)]
        return check_call(node, operands, self._findings)

    def both(self, node: ast.And, facts: Facts) -> Type:
        # && absorbs: where a later has() is false, an earlier read that failed does not matter.
        return self._chain(node.items, "&&", facts | narrowing.when_true(node))

    def either(self, node: ast.Or, facts: Facts) -> Type:
        return self._chain(node.items, "||", facts | narrowing.when_false(node))

    def _chain(self, items: tuple[ast.Node, ...], symbol: str, facts: Facts) -> Type:
        for item in items:
            self._truth(item, symbol, facts)
        return BOOL

    def _truth(self, node: ast.Node, symbol: str, facts: Facts) -> None:
        found = self._type(node, facts)
        if not types.fits(found, BOOL):
            message = f"{symbol} needs true or false, this is {types.article(found)}"
            self._report("SF104", node, message)

    def negation(self, node: ast.Not, facts: Facts) -> Type:
        self._truth(node.operand, "!", facts)
        return BOOL

    def minus(self, node: ast.Negate, facts: Facts) -> Type:
        operand = self._type(node.operand, facts)
        if operand.kind not in (TypeKind.INT, TypeKind.DOUBLE, TypeKind.DYN):
            self._report("SF104", node, f"- does not work on {types.article(operand)}")
            return DYN
        return Type(kind=operand.kind)

    def conditional(self, node: ast.Conditional, facts: Facts) -> Type:
        self._truth(node.condition, "?", facts)
        then = self._type(node.then, facts | narrowing.when_true(node.condition))
        otherwise = self._type(node.otherwise, facts | narrowing.when_false(node.condition))
        return types.joined(then, otherwise)

    def binary(self, node: ast.Binary, facts: Facts) -> Type:
        left, right = self._type(node.left, facts), self._type(node.right, facts)
        if node.op in _COMPARISONS:
            check_comparison(node, left, right, self._findings)
            return BOOL
        if node.op == "in":
            check_membership(node, left, right, self._findings)
            return BOOL
        return check_arithmetic(node, node.op, (left, right), self._findings)

    def comprehension(self, node: ast.Comprehension, facts: Facts) -> Type:
        source = self._type(node.source, facts)
        self._locals[node.variable.index] = self._element(node, source)
        inner = facts
        if node.predicate is not None:
            self._truth(node.predicate, node.macro.value, facts)
            inner = facts | narrowing.when_true(node.predicate)
        if node.transform is not None:
            return types.list_of(self._type(node.transform, inner))
        if node.macro is Macro.FILTER:
            return types.list_of(self._locals[node.variable.index])
        return BOOL

    def _element(self, node: ast.Comprehension, source: Type) -> Type:
        if source.kind is TypeKind.LIST:
            return source.item or DYN
        if source.kind in (TypeKind.MAP, TypeKind.RECORD):
            return types.STRING
        if source.kind is not TypeKind.DYN:
            message = f"{node.macro} goes over a list or a map, not {types.article(source)}"
            self._report("SF104", node.source, message)
        return DYN


_RULES: dict[type[ast.Node], Callable[..., Type]] = {
    ast.Literal: _Inference.literal,
    ast.Global: _Inference.variable,
    ast.Local: _Inference.local,
    ast.Select: _Inference.select,
    ast.Has: _Inference.has,
    ast.Index: _Inference.index,
    ast.ListLiteral: _Inference.listing,
    ast.MapLiteral: _Inference.mapping,
    ast.Call: _Inference.call,
    ast.And: _Inference.both,
    ast.Or: _Inference.either,
    ast.Not: _Inference.negation,
    ast.Negate: _Inference.minus,
    ast.Conditional: _Inference.conditional,
    ast.Binary: _Inference.binary,
    ast.Comprehension: _Inference.comprehension,
}
