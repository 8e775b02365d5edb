"""Checks a condition against the types of what it reads: every finding, with its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shopflow.errors import CompileError
from shopflow.lang.cel import types
from shopflow.lang.cel.constants import check_constants
from shopflow.lang.cel.findings import Finding, Findings, from_compile_error
from shopflow.lang.cel.inference import infer_type
from shopflow.lang.cel.program import Program, compile_expression
from shopflow.lang.cel.types import Type, TypeKind


@dataclass(frozen=True, slots=True)
class Environment:
    """The variables a condition may read, and their types."""

    variables: Mapping[str, Type]

    def resolve(self, path: tuple[str, ...]) -> Type | None:
        """The type at a path such as Program.reads has; None when nothing is known there."""
        found = self.variables.get(path[0])
        for field in path[1:]:
            if found is None:
                return None
            found = found.fields.get(field, found.item if found.kind is TypeKind.MAP else None)
        return found


def check(
    condition: str | Program, environment: Environment, *, expected: Type | None = types.BOOL
) -> tuple[Finding, ...]:
    """Everything wrong with a condition, in the order of its source; empty when it is good."""
    try:
        program = _program(condition)
    except CompileError as error:
        return (from_compile_error(error),)
    findings = Findings(program.source)
    found = infer_type(program, environment.variables, findings)
    if expected is not None:
        _check_result(program, found, expected, findings)
        if expected.kind is TypeKind.BOOL:
            check_constants(program.tree, findings)
    return findings.sorted()


def infer(condition: str | Program, environment: Environment) -> Type:
    """The type of a condition's value, dyn where it cannot be known; raises CompileError."""
    program = _program(condition)
    return infer_type(program, environment.variables, Findings(program.source))


def _program(condition: str | Program) -> Program:
    return compile_expression(condition) if isinstance(condition, str) else condition


def _check_result(program: Program, found: Type, expected: Type, findings: Findings) -> None:
    if types.fits(found, expected):
        return
    tree = program.tree
    if expected.kind is TypeKind.BOOL:
        message = f"a condition must be true or false, this is {types.article(found)}"
    else:
        message = f"this must be {types.article(expected)}, but it is {types.article(found)}"
    findings.add("SF104", (tree.start, tree.end), message)
