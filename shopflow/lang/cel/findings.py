"""What the checker says: findings with a place in the condition, and suggestions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from shopflow.errors import CompileError
from shopflow.lang.cel.place import line_and_column
from shopflow.problem import Severity

#: More names than this are cut in a hint.
_MAX_NAMES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something wrong with a condition; line and column count from 1 in its source."""

    code: str
    message: str
    line: int
    column: int
    length: int
    hint: str = ""
    severity: Severity = Severity.ERROR
    #: What certainly was meant in the place of the underlined text; empty where nobody can tell.
    meant: str = ""


def from_compile_error(error: CompileError) -> Finding:
    """The finding for a condition that does not compile."""
    return Finding(
        code=error.code,
        message=error.message,
        line=error.line,
        column=error.column,
        length=error.length,
        hint=error.hint,
    )


class Findings:
    """Collects what is found in one source, once each, in the order of the source."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._found: dict[Finding, None] = {}

    def add(
        self,
        code: str,
        span: tuple[int, int],
        message: str,
        *,
        hint: str = "",
        severity: Severity = Severity.ERROR,
        meant: str | None = None,
    ) -> None:
        """Record what is wrong from the span's start to its end, on its first line."""
        start, end = span
        line, column = line_and_column(self._source, start)
        length = max(1, len(self._source[start:end].split("\n", 1)[0]))
        finding = Finding(
            code=code,
            message=message,
            line=line,
            column=column,
            length=length,
            hint=hint,
            severity=severity,
            meant=meant or "",
        )
        self._found[finding] = None

    def sorted(self) -> tuple[Finding, ...]:
        """Everything found."""
        return tuple(sorted(self._found, key=lambda each: (each.line, each.column, each.code)))


def closest(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The known name someone may have meant; a cutoff near 1 asks for a near match."""
    by_folded = {each.lower().replace("_", ""): each for each in known}
    folded = name.lower().replace("_", "")
    matches = get_close_matches(folded, by_folded, n=1, cutoff=cutoff)
    return by_folded[matches[0]] if matches else None


def suggestion(name: str, known: Iterable[str], what: str) -> str:
    """A hint: the name that was meant, if one is close, and the names there are."""
    names = sorted(known)
    meant = closest(name, names)
    more = f", and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    listed = f"{what}: {', '.join(names[:_MAX_NAMES])}{more}" if names else f"there are no {what}"
    return f"did you mean {meant!r}? {listed}" if meant else listed
