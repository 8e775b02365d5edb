"""What is wrong with a rules repository, as values: collected, sorted, rendered, never raised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a problem matters: an error fails lint, a warning asks for attention."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Location:
    """A place in a file: path relative to the project, line and column counted from 1."""

    path: str
    line: int = 1
    column: int = 1
    #: How many characters the caret underlines.
    length: int = 1

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One finding: a stable code, where it is, what was found and expected, and how to mend it."""

    code: str
    location: Location
    message: str
    severity: Severity = Severity.ERROR
    hint: str = ""
    #: The line of the file that the caret points into; empty when it is not known.
    excerpt: str = ""

    def __str__(self) -> str:
        return f"{self.location}: {self.severity}[{self.code}]: {self.message}"


def render(problem: Problem) -> str:
    """The problem as a person reads it: the headline, the line with a caret, and the hint."""
    lines = [str(problem)]
    if problem.excerpt:
        tabs = problem.excerpt[: problem.location.column - 1]
        dots = "".join("\t" if char == "\t" else "." for char in tabs)
        lines += [f"   | {problem.excerpt}", f"   | {dots}{'^' * max(1, problem.location.length)}"]
    if problem.hint:
        lines.append(f"   = {problem.hint}")
    return "\n".join(lines)


def in_order(problems: Sequence[Problem]) -> list[Problem]:
    """The problems by file, line and column, then code, so that two runs print the same."""
    return sorted(set(problems), key=lambda p: (p.location, p.code, p.message))
