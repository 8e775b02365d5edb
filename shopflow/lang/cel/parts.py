"""The conditions inside a condition: the operands of its `&&`, `||` and `!`, with their places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shopflow.errors import EvaluationError
from shopflow.lang.cel import ast
from shopflow.lang.cel.limits import DEFAULT_LIMITS
from shopflow.lang.cel.program import Program

_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">=", "in"})
_JUDGING = frozenset({ast.Macro.ALL, ast.Macro.EXISTS, ast.Macro.EXISTS_ONE})


@dataclass(frozen=True, slots=True)
class Part:
    """One operand that is joined with others: true or false by itself."""

    program: Program
    #: Offset into the source of the whole.
    start: int

    @property
    def source(self) -> str:
        """The text of the operand."""
        return self.program.source


class Anatomy:
    """A condition taken apart."""

    def __init__(self, program: Program) -> None:
        self._tree = program.tree
        self._numbers: dict[ast.Node, int] = {}
        found: list[Part] = []
        for node in _operands(program.tree):
            self._numbers[node] = len(found)
            text = program.source[node.start : node.end]
            found.append(Part(Program(text, node, DEFAULT_LIMITS), node.start))
        #: In the order of the source; none where nothing is joined.
        self.parts: tuple[Part, ...] = tuple(found) if len(found) > 1 else ()

    def outcomes(self, bindings: Mapping[str, object]) -> Iterator[tuple[int, bool]]:
        """The number of each part that was asked, with its answer, where it has one."""
        for number, answer in self.asked(bindings).items():
            if answer is not None:
                yield number, answer

    def asked(self, bindings: Mapping[str, object]) -> dict[int, bool | None]:
        """The number of each part that was asked, with its answer; one that fails has none.

        What comes after the operand that decided is not asked.
        """
        found: dict[int, bool | None] = {}
        if self.parts:
            self._ask(self._tree, bindings, found)
        return found

    def _ask(
        self, node: ast.Node, bindings: Mapping[str, object], found: dict[int, bool | None]
    ) -> bool | None:
        match node:
            case ast.And() | ast.Or():
                deciding = isinstance(node, ast.Or)
                answers = []
                for item in node.items:
                    answers.append(self._ask(item, bindings, found))
                    if answers[-1] is deciding:
                        return deciding
                return None if None in answers else not deciding
            case ast.Not(operand=ast.And() | ast.Or() | ast.Not()):
                answer = self._ask(node.operand, bindings, found)
                return None if answer is None else not answer
            case _:
                return self._answer(node, bindings, found)

    def _answer(
        self, node: ast.Node, bindings: Mapping[str, object], found: dict[int, bool | None]
    ) -> bool | None:
        number = self._numbers[node]
        found[number] = None
        try:
            value = self.parts[number].program.evaluate(bindings)
        except EvaluationError:
            return None
        if isinstance(value, bool):
            found[number] = value
        return found[number]


def is_condition(program: Program) -> bool:
    """True when the way it is written leaves no doubt that it gives true or false."""
    match program.tree:
        case ast.And() | ast.Or() | ast.Not() | ast.Has():
            return True
        case ast.Binary(op=op):
            return op in _COMPARISONS
        case ast.Comprehension(macro=macro):
            return macro in _JUDGING
        case _:
            return False


def essence(program: Program) -> str:
    """The condition without those of its conjuncts that only ask whether a field is there."""
    if not isinstance(program.tree, ast.And):
        return program.source
    kept = [item for item in program.tree.items if not isinstance(item, ast.Has)]
    if not kept or len(kept) == len(program.tree.items):
        return program.source
    texts = [program.source[item.start : item.end] for item in kept]
    return " && ".join(
        f"({t})" if isinstance(n, ast.Or) else t for t, n in zip(texts, kept, strict=True)
    )


def _operands(node: ast.Node) -> Iterator[ast.Node]:
    match node:
        case ast.And() | ast.Or():
            for item in node.items:
                yield from _operands(item)
        case ast.Not(operand=ast.And() | ast.Or() | ast.Not()):
            yield from _operands(node.operand)
        case _:
            yield node
