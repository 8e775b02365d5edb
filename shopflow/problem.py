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


class Safety(StrEnum):
    """How sure a fix is: a safe one means the same, or what was certainly meant."""

    SAFE = "safe"
    UNSAFE = "unsafe"


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


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Edit:
    """A piece of a file's text, by offsets in characters, and what goes in its place."""

    path: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """Edits that mend a problem, all of them or none."""

    #: What they do, as an order: replace `totl` by `total`.
    title: str
    edits: tuple[Edit, ...]
    safety: Safety = Safety.SAFE


@dataclass(frozen=True, slots=True, kw_only=True)
class Related:
    """A second place that a problem is about, often in another file, and what stands there."""

    location: Location
    message: str
    excerpt: str = ""


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
    related: Related | None = None
    fix: Fix | None = None

    def __str__(self) -> str:
        return f"{self.location}: {self.severity}[{self.code}]: {self.message}"


def render(problem: Problem) -> str:
    """The problem as a person reads it: headline, line with a caret, second place, hint, fix."""
    lines = [str(problem), *_pointed_at(problem.excerpt, problem.location)]
    if problem.related is not None:
        place = problem.related.location
        lines.append(f" ::: {place}: {problem.related.message}")
        lines += _pointed_at(problem.related.excerpt, place)
    if problem.hint:
        lines.append(f"   = {problem.hint}")
    if problem.fix is not None:
        flag = "--fix" if problem.fix.safety is Safety.SAFE else "--unsafe-fixes"
        lines.append(f"   = {flag}: {problem.fix.title}")
    return "\n".join(lines)


def _pointed_at(excerpt: str, place: Location) -> list[str]:
    if not excerpt:
        return []
    dots = "".join("\t" if char == "\t" else "." for char in excerpt[: place.column - 1])
    return [f"   | {excerpt}", f"   | {dots}{'^' * max(1, place.length)}"]


def in_order(problems: Sequence[Problem]) -> list[Problem]:
    """The problems by file, line and column, then code, so that two runs print the same."""
    return sorted(set(problems), key=lambda p: (p.location, p.code, p.message))
