"""Problems for people: with the lines they point into, or a line each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shopflow.lang.lint.catalogue import catalogue
from shopflow.problem import Problem, Safety, Severity, render


def as_text(problems: Sequence[Problem], prefix: str = "") -> str:
    """Each problem with its line and caret, what comes of its kind, and how many there are."""
    del prefix  # people stand in the project
    first = {problem.code: problem for problem in reversed(problems)}
    blocks = [
        "\n".join([render(each), *_about(each.code, told=first[each.code] is not each)])
        for each in problems
    ]
    return "\n\n".join([*blocks, summary(problems)])


def as_concise(problems: Sequence[Problem], prefix: str = "") -> str:
    """A line for each problem, and how many there are."""
    del prefix
    return "\n".join([*map(str, problems), summary(problems)])


def summary(problems: Sequence[Problem]) -> str:
    """How many there are of each severity, and how many lint could mend."""
    if not problems:
        return "no problems found"
    errors, warnings, infos = (
        sum(each.severity is severity for each in problems) for severity in Severity
    )
    parts = [_number(errors, "error"), _number(warnings, "warning")]
    if infos:
        parts.append(_number(infos, "note"))
    told = ", ".join(parts)
    fixes = [each.fix.safety for each in problems if each.fix is not None]
    if safe := fixes.count(Safety.SAFE):
        told += f"; --fix mends {safe}"
    if unsafe := fixes.count(Safety.UNSAFE):
        told += f"; --unsafe-fixes mends {unsafe}{' more' if safe else ''}"
    return told


def _about(code: str, *, told: bool) -> Iterator[str]:
    """What comes of such a problem, and where there is more about it; said once of each code."""
    entry = catalogue().get(code)
    if entry is not None and not told:
        if entry.consequence:
            yield f"   = {entry.consequence[0].lower()}{entry.consequence[1:].rstrip('.')}"
        yield f"   = more: shopflow rule {code}"


def _number(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
