"""Problems as annotations of a pull request on GitHub, and as the summary of a job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shopflow.problem import Problem, Severity
from shopflow.report.problems.text import summary

#: GitHub shows so many annotations of each level of one step, and drops the rest in silence.
MOST = 10
_LEVELS: Mapping[Severity, str] = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.INFO: "notice",
}
_IN_TEXT = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_IN_PROPERTY = {**_IN_TEXT, ":": "%3A", ",": "%2C"}


def as_github(problems: Sequence[Problem], prefix: str = "") -> str:
    """As many annotations of each level as GitHub shows, then a line each for the rest."""
    shown, rest = annotated(problems)
    lines = [_annotation(problem, prefix) for problem in shown]
    if rest:
        lines += [f"{len(rest)} more, which GitHub would not show in place:", *map(str, rest)]
    return "\n".join([*lines, summary(problems)])


def annotated(problems: Sequence[Problem]) -> tuple[list[Problem], list[Problem]]:
    """Those that GitHub shows beside the changed lines, and the rest."""
    shown: list[Problem] = []
    rest: list[Problem] = []
    for problem in problems:
        alike = sum(each.severity is problem.severity for each in shown)
        (shown if alike < MOST else rest).append(problem)
    return shown, rest


def _annotation(problem: Problem, prefix: str) -> str:
    place = problem.location
    properties = {
        "file": f"{prefix}{place.path}",
        "line": place.line,
        "col": place.column,
        "endColumn": place.column + place.length,
        "title": f"{problem.code} (shopflow rule {problem.code})",
    }
    written = ",".join(
        f"{name}={_escaped(str(value), _IN_PROPERTY)}" for name, value in properties.items()
    )
    message = "\n".join(filter(None, [problem.message, problem.hint]))
    return f"::{_LEVELS[problem.severity]} {written}::{_escaped(message, _IN_TEXT)}"


def _escaped(text: str, signs: Mapping[str, str]) -> str:
    return "".join(signs.get(char, char) for char in text)
