"""Problems as Markdown: a table for the page of a job, or for a pull request."""

from __future__ import annotations

from collections.abc import Sequence

from shopflow.problem import Problem
from shopflow.report.problems.text import summary


def as_markdown(problems: Sequence[Problem], prefix: str = "") -> str:
    """All of them, each in a row."""
    lines = ["## shopflow lint", "", summary(problems)]
    if problems:
        lines += ["", "| where | what | how to mend it |", "|---|---|---|"]
    for each in problems:
        where = f"`{prefix}{each.location.path}:{each.location.line}`"
        what = f"{each.severity} {each.code}: {each.message}"
        lines.append(f"| {where} | {_cell(what)} | {_cell(each.hint)} |")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
