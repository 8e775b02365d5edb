"""Finds conditions, and parts of conditions, that no event can change."""

from __future__ import annotations

from shopflow.lang.cel import analysis, ast
from shopflow.lang.cel.emit import ExactEmitter
from shopflow.lang.cel.findings import Findings
from shopflow.lang.cel.limits import DEFAULT_LIMITS
from shopflow.lang.cel.program import NOT_CONSTANT
from shopflow.lang.cel.runtime import CEL_ERRORS


def check_constants(tree: ast.Node, findings: Findings) -> None:
    """Report the largest parts that are always true or always false."""
    _Constants(findings).check(tree)


class _Constants:
    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._known: dict[int, bool | None] = {}

    def check(self, node: ast.Node) -> None:
        decided = self._truth(node)
        if decided is not None:
            message = f"this is always {'true' if decided else 'false'}"
            hint = "remove it, or compare a field"
            self._findings.add("SF110", (node.start, node.end), message, hint=hint)
            return
        match node:
            case ast.And() | ast.Or() | ast.Not():
                for part in ast.children(node):
                    self.check(part)
            case ast.Conditional():
                self.check(node.condition)
            case _:
                pass

    def _truth(self, node: ast.Node) -> bool | None:
        """Whether the node is always true or always false; None when neither is sure."""
        if id(node) not in self._known:
            self._known[id(node)] = self._find(node)
        return self._known[id(node)]

    def _find(self, node: ast.Node) -> bool | None:
        match node:
            case ast.And():
                return _decided([self._truth(item) for item in node.items], by=False)
            case ast.Or():
                return _decided([self._truth(item) for item in node.items], by=True)
            case ast.Not():
                inner = self._truth(node.operand)
                return None if inner is None else not inner
            case _:
                value = value_of(node)
                return value if isinstance(value, bool) else None


def _decided(parts: list[bool | None], *, by: bool) -> bool | None:
    if by in parts:
        return by
    return None if None in parts else not by


def _is_closed(node: ast.Node) -> bool:
    """Whether it reads no variable, nor the variable of a macro around it."""
    if not analysis.is_constant(node):
        return False
    nodes = list(analysis.walk(node))
    own = {each.variable.index for each in nodes if isinstance(each, ast.Comprehension)}
    return not any(isinstance(each, ast.Local) and each.index not in own for each in nodes)


def value_of(node: ast.Node) -> object:
    """The value when it reads no variable and does not fail, else NOT_CONSTANT."""
    match node:
        # By far the most: nothing has to be compiled for these.
        case ast.Literal():
            return node.value
        case ast.Global() | ast.Local():
            return NOT_CONSTANT
        case ast.Select() | ast.Has() if ast.path_of(node.operand) is not None:
            return NOT_CONSTANT
    if not _is_closed(node):
        return NOT_CONSTANT
    try:
        return ExactEmitter(DEFAULT_LIMITS.iterations).function(node)({})
    except CEL_ERRORS:
        return NOT_CONSTANT
