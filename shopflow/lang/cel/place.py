"""Offsets into a source as lines and columns, and errors that stand at one."""

from __future__ import annotations

from shopflow.errors import CompileError


def line_and_column(source: str, offset: int) -> tuple[int, int]:
    """Where an offset stands, both counted from 1."""
    before = source[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


def error_at(
    source: str, start: int, end: int, message: str, *, hint: str = "", code: str = "SF101"
) -> CompileError:
    """A CompileError that underlines the source from start to end, on its first line."""
    line, column = line_and_column(source, start)
    line_end = source.find("\n", start)
    stop = min(end, line_end if line_end >= 0 else len(source))
    return CompileError(
        message,
        line=line,
        column=column,
        length=max(1, stop - start),
        hint=hint,
        code=code,
    )
