"""Whether calls fit their functions, and whether text that must mean something does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from shopflow.lang.cel import ast
from shopflow.lang.cel.findings import Findings, closest
from shopflow.lang.cel.functions import pattern
from shopflow.lang.cel.lexer import HINTS
from shopflow.lang.cel.signatures import function_names, signature
from shopflow.lang.cel.timetext import parse_duration, parse_timestamp, zone
from shopflow.lang.cel.types import DYN, Type

_MEANT_TO_READ: dict[str, Callable[[str], object]] = {
    "duration": parse_duration,
    "timestamp": parse_timestamp,
    "matches": pattern,
}


def check_call(node: ast.Call, operands: Sequence[Type], findings: Findings) -> Type:
    """The type a call gives; reports an unknown function, wrong operands, unreadable text."""
    on_target = node.target is not None
    found = signature(node.function, on_target=on_target)
    if found is None:
        _report_unknown(node, findings)
        return DYN
    _check_text(node, findings)
    if not found.takes(operands):
        given = ", ".join(str(operand) for operand in operands) or "nothing"
        message = f"{node.function} does not take {given}"
        wanted, _, result = found.text.partition(" -> ")
        target, _, rest = wanted.partition(", ")
        form = f"{target}.{node.function}({rest})" if on_target else f"{node.function}({wanted})"
        findings.add("SF104", (node.start, node.end), message, hint=f"{form} gives {result}")
    return found.result


def _report_unknown(node: ast.Call, findings: Findings) -> None:
    name, on_target = node.function, node.target is not None
    known = function_names()
    hint = HINTS.get(name, "")
    if not hint and name in known:
        other = signature(name, on_target=not on_target)
        hint = f"write x.{name}(…)" if other is None or not on_target else f"write {name}(…)"
    if not hint:
        meant = closest(name, known)
        hint = f"did you mean {meant}?" if meant else f"functions: {', '.join(sorted(known))}"
    findings.add("SF102", (node.start, node.end), f"no function named {name!r}", hint=hint)


def _check_text(node: ast.Call, findings: Findings) -> None:
    literals = [arg for arg in node.args if isinstance(arg, ast.Literal)]
    read = _MEANT_TO_READ.get(node.function)
    if node.function.startswith("get"):
        read = zone
    for literal in literals[-1:]:
        if read is None or not isinstance(literal.value, str):
            continue
        try:
            read(literal.value)
        except (ValueError, LookupError, OverflowError, OSError) as error:
            message = f"{literal.value!r} is no time zone" if read is zone else str(error)
            findings.add("SF109", (literal.start, literal.end), message)
