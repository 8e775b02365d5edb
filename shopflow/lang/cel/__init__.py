"""Conditions: CEL compiled to Python, checked against schemas, right and fast."""

from shopflow.errors import CompileError, EvaluationError
from shopflow.lang.cel.checker import Environment, check, infer
from shopflow.lang.cel.findings import Finding
from shopflow.lang.cel.limits import DEFAULT_LIMITS, Limits
from shopflow.lang.cel.program import NOT_CONSTANT, Program, compile_expression
from shopflow.lang.cel.types import (
    BOOL,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    NULL,
    STRING,
    TIMESTAMP,
    Type,
    list_of,
    map_of,
    one_of,
    record,
    type_from_schema,
)

__all__ = [
    "BOOL",
    "DEFAULT_LIMITS",
    "DOUBLE",
    "DURATION",
    "DYN",
    "INT",
    "NOT_CONSTANT",
    "NULL",
    "STRING",
    "TIMESTAMP",
    "CompileError",
    "Environment",
    "EvaluationError",
    "Finding",
    "Limits",
    "Program",
    "Type",
    "check",
    "compile_expression",
    "infer",
    "list_of",
    "map_of",
    "one_of",
    "record",
    "type_from_schema",
]
