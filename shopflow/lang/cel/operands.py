"""Whether operators fit the types of their operands, for the checker."""

from __future__ import annotations

from shopflow.lang.cel import ast, types
from shopflow.lang.cel.findings import Findings, closest
from shopflow.lang.cel.types import DYN, Type, TypeKind
from shopflow.lang.names import certainly

_ORDERED = frozenset(
    {
        TypeKind.BOOL,
        TypeKind.INT,
        TypeKind.UINT,
        TypeKind.DOUBLE,
        TypeKind.STRING,
        TypeKind.BYTES,
        TypeKind.TIMESTAMP,
        TypeKind.DURATION,
    }
)
_TIME = TypeKind.TIMESTAMP
_SPAN = TypeKind.DURATION
#: What + and - give for operands other than numbers.
_ADDED = {
    (TypeKind.STRING, TypeKind.STRING): types.STRING,
    (TypeKind.BYTES, TypeKind.BYTES): types.BYTES,
    (_TIME, _SPAN): types.TIMESTAMP,
    (_SPAN, _TIME): types.TIMESTAMP,
    (_SPAN, _SPAN): types.DURATION,
}
_SUBTRACTED = {
    (_TIME, _TIME): types.DURATION,
    (_TIME, _SPAN): types.TIMESTAMP,
    (_SPAN, _SPAN): types.DURATION,
}


def _span(node: ast.Node) -> tuple[int, int]:
    return node.start, node.end


def check_comparison(node: ast.Binary, left: Type, right: Type, findings: Findings) -> None:
    """Report a comparison that fails, is always unequal, or names a value the schema lacks."""
    if node.op in ("==", "!="):
        if not types.comparable(left, right):
            message = f"{types.article(left)} never equals {types.article(right)}"
            hint = ""
            if TypeKind.NULL in (left.kind, right.kind):
                hint = "a field that may be missing is asked for with has(…)"
            findings.add("SF104", _span(node), message, hint=hint)
        check_enum(node.right, left, findings)
        check_enum(node.left, right, findings)
        return
    kinds = {left.kind, right.kind} - {TypeKind.DYN}
    fits = types.comparable(left, right) and kinds <= _ORDERED
    if not fits:
        message = f"{node.op} cannot compare {types.article(left)} with {types.article(right)}"
        findings.add("SF104", _span(node), message)


def check_enum(node: ast.Node, other: Type, findings: Findings) -> None:
    """Report a literal that the schema of the other side does not list."""
    if not other.enum or not isinstance(node, ast.Literal) or node.value is None:
        return
    if node.value in other.enum:
        return
    known = [str(value) for value in other.enum]
    meant = closest(str(node.value), known)
    listed = f"values: {', '.join(known)}"
    hint = f"did you mean {meant!r}? {listed}" if meant else listed
    certain = certainly(str(node.value), known)
    findings.add(
        "SF107",
        _span(node),
        f"{node.value!r} is none of the values it can have",
        hint=hint,
        meant=f'"{certain}"' if certain and isinstance(node.value, str) else None,
    )


def check_membership(node: ast.Binary, left: Type, right: Type, findings: Findings) -> None:
    """Report an ``in`` whose right side holds nothing, or nothing of that type."""
    if right.kind in (TypeKind.DYN, TypeKind.MAP, TypeKind.RECORD):
        return
    if right.kind is not TypeKind.LIST:
        message = f"in looks into a list or a map, not into {types.article(right)}"
        hint = "write text.contains('part')" if right.kind is TypeKind.STRING else ""
        findings.add("SF104", _span(node), message, hint=hint)
        return
    item = right.item or DYN
    if not types.comparable(left, item):
        findings.add("SF104", _span(node), f"{types.article(left)} is never in a {right}")
    check_enum(node.left, item, findings)
    if isinstance(node.right, ast.ListLiteral):
        for element in node.right.items:
            check_enum(element, left, findings)


def check_arithmetic(
    node: ast.Node, symbol: str, operands: tuple[Type, Type], findings: Findings
) -> Type:
    """The type arithmetic gives; reports operands it does not work on."""
    left, right = operands
    if TypeKind.DYN in (left.kind, right.kind):
        return _with_dyn(symbol, left, right)
    found = _numbers(symbol, left, right)
    if found is None and symbol == "+":
        found = _ADDED.get((left.kind, right.kind))
        if left.kind is right.kind is TypeKind.LIST:
            found = left if left == right else types.list_of(DYN)
    if found is None and symbol == "-":
        found = _SUBTRACTED.get((left.kind, right.kind))
    if found is None:
        message = f"{symbol} does not work on {types.article(left)} and {types.article(right)}"
        findings.add("SF104", _span(node), message, hint=_arithmetic_hint(symbol, left, right))
        return DYN
    return found


def _with_dyn(symbol: str, left: Type, right: Type) -> Type:
    known = left if right.kind is TypeKind.DYN else right
    return types.DOUBLE if symbol in "*/" and known.kind is TypeKind.DOUBLE else DYN


def _numbers(symbol: str, left: Type, right: Type) -> Type | None:
    if not (types.is_number(left) and types.is_number(right)):
        return None
    kinds = {left.kind, right.kind}
    if TypeKind.UINT in kinds and len(kinds) > 1:
        return None
    if TypeKind.DOUBLE in kinds:
        return None if symbol == "%" else types.DOUBLE
    return types.UINT if TypeKind.UINT in kinds else types.INT


def _arithmetic_hint(symbol: str, left: Type, right: Type) -> str:
    kinds = {left.kind, right.kind}
    if symbol == "+" and TypeKind.STRING in kinds:
        return "string(…) makes text of a number"
    if kinds & {_TIME, _SPAN} and (types.is_number(left) or types.is_number(right)):
        return "days(n), hours(n) and duration('90m') make lengths of time"
    return ""
