"""A compiled condition: runs the fast function, and the exact one only where that raised."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cached_property, lru_cache
from typing import Final, Never

from shopflow.domain.expression import Atom
from shopflow.errors import CompileError, EvaluationError
from shopflow.lang.cel import analysis, ast
from shopflow.lang.cel.emit import ExactEmitter
from shopflow.lang.cel.fast import FastEmitter
from shopflow.lang.cel.limits import DEFAULT_LIMITS, Limits
from shopflow.lang.cel.parse import parse
from shopflow.lang.cel.resolve import Resolver
from shopflow.lang.cel.runtime import CEL_ERRORS

#: Nodes above one another that Python takes in any case: it allows two hundred brackets.
SHALLOW: Final = 16


class NotConstant:
    """The kind of NOT_CONSTANT."""

    def __repr__(self) -> str:
        return "NOT_CONSTANT"


#: What Program.constant is when the condition reads a variable, or fails.
NOT_CONSTANT: Final = NotConstant()


class Program:
    """A condition compiled once; immutable, so it may be shared between threads."""

    def __init__(self, source: str, tree: ast.Node, limits: Limits) -> None:
        self.source = source
        self.tree = tree
        self.reads: frozenset[tuple[str, ...]] = analysis.reads(tree)
        self.atoms: tuple[Atom, ...] = analysis.atoms(tree)
        self.is_constant = analysis.is_constant(tree)
        self._limits = limits
        self._absorbs = analysis.absorbs(tree)
        # What cannot be turned into Python is to be known now; else it is done when it is asked.
        if analysis.depth(tree) > SHALLOW:
            _ = self._fast

    @classmethod
    def kept(
        cls,
        source: str,
        *,
        reads: frozenset[tuple[str, ...]],
        atoms: tuple[Atom, ...],
        facts: tuple[bool, bool],
    ) -> Program:
        """The program of a condition that was compiled before, by what was found out then.

        It is parsed and turned into Python when it is first asked.
        """
        made = cls.__new__(cls)
        is_constant, absorbs = facts
        vars(made).update(
            source=source,
            reads=reads,
            atoms=atoms,
            is_constant=is_constant,
            _absorbs=absorbs,
            _limits=DEFAULT_LIMITS,
        )
        return made

    @property
    def facts(self) -> tuple[bool, bool]:
        """Whether it reads no variable, and whether an error in it may be absorbed."""
        return self.is_constant, self._absorbs

    def __repr__(self) -> str:
        return f"Program({self.source!r})"

    def evaluate(self, bindings: Mapping[str, object]) -> object:
        """The value over plain JSON bindings; raises EvaluationError where CEL has an error."""
        try:
            return self._fast(bindings)
        except CEL_ERRORS as error:
            # Python's own words for a wrong type are not the author's; exact has CEL's.
            if not self._absorbs and not isinstance(error, TypeError):
                _raise(error)
        try:
            return self._exact(bindings)
        except CEL_ERRORS as error:
            _raise(error)

    @cached_property
    def tree(self) -> ast.Node:
        """What it was parsed to."""
        return _tree(self.source, "", frozenset(), self._limits)

    @cached_property
    def _fast(self) -> Callable[[object], object]:
        # Compiling it twice in a race does no harm.
        repeated = analysis.repeated_variables(self.tree)
        return FastEmitter(self._limits.iterations, repeated).function(self.tree)

    @cached_property
    def _exact(self) -> Callable[[object], object]:
        # Most conditions never need it.
        return ExactEmitter(self._limits.iterations).function(self.tree)

    @cached_property
    def constant(self) -> object:
        """The value when it reads no variable and does not fail, else NOT_CONSTANT."""
        if not self.is_constant:
            return NOT_CONSTANT
        try:
            return self.evaluate({})
        except EvaluationError:
            return NOT_CONSTANT


def _raise(error: Exception) -> Never:
    if isinstance(error, EvaluationError):
        raise error
    if isinstance(error, KeyError):
        raise EvaluationError(f"nothing named {error}") from error
    if isinstance(error, RecursionError):
        raise EvaluationError("a value nests too deeply") from error
    raise EvaluationError(str(error)) from error


def compile_expression(
    source: str,
    *,
    container: str = "",
    variables: Collection[str] = (),
    limits: Limits = DEFAULT_LIMITS,
) -> Program:
    """The compiled condition; raises CompileError with its place.

    ``variables`` need only name those with dots; ``container`` is the namespace names are in.
    """
    return _compiled(source, container, frozenset(variables), limits)


@lru_cache(maxsize=16_384)
def _compiled(source: str, container: str, variables: frozenset[str], limits: Limits) -> Program:
    try:
        return Program(source, _tree(source, container, variables, limits), limits)
    except (RecursionError, MemoryError, SyntaxError) as error:
        message = "this condition nests too deeply to be compiled"
        hint = "give parts of it a name under let, or make them segments"
        raise CompileError(message, length=len(source), hint=hint, code="SF116") from error


def _tree(source: str, container: str, variables: frozenset[str], limits: Limits) -> ast.Node:
    resolver = Resolver(source, container=container, variables=variables, limits=limits)
    return resolver.resolve(parse(source, limits))
