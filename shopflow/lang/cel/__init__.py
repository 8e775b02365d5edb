"""Conditions: CEL compiled to Python, checked against schemas, right and fast."""

from shopflow.errors import CompileError, EvaluationError
from shopflow.lang.cel.limits import DEFAULT_LIMITS, Limits
from shopflow.lang.cel.program import NOT_CONSTANT, Program, compile_expression

__all__ = [
    "DEFAULT_LIMITS",
    "NOT_CONSTANT",
    "CompileError",
    "EvaluationError",
    "Limits",
    "Program",
    "compile_expression",
]
