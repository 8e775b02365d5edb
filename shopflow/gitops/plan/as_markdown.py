"""A plan as the comment of a pull request: what has to be seen first, everything else folded.

The first line is a marker that nobody sees: by it the comment is found and updated in place.
What comes from rules stands in code blocks, so that it is never read as Markdown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from shopflow.gitops.plan.as_text import EXAMPLES, MOST, limits, outcome_lines, rule_lines
from shopflow.gitops.plan.comparing import Comparison
from shopflow.gitops.plan.plan import Plan
from shopflow.gitops.plan.told import (
    Row,
    counted,
    headline,
    message_rows,
    other_rows,
    standing_lines,
    worst_line,
)
from shopflow.problem import Severity, render

#: By which the comment is found again.
MARKER = "<!-- shopflow plan -->"
#: GitHub takes 65,536 characters; what is over is in the file and the log.
LONGEST = 60_000


def as_markdown(plan: Plan) -> str:
    """The comment, with its marker."""
    text = "\n\n".join(_blocks(plan))
    if len(text) > LONGEST:
        # Cut at a line, and leave neither a code block nor a fold open.
        kept = text[:LONGEST].rpartition("\n")[0]
        text = f"{kept}\n{_fence(kept)}\n\n</details>\n\nThe rest is in the log of the job."
    return f"{MARKER}\n{text}\n"


def _blocks(plan: Plan) -> Iterator[str]:
    yield f"### {_title(plan)}"
    yield headline(plan)
    yield _plain(worst_line(plan))
    errors = [each for each in plan.findings if each.severity is Severity.ERROR]
    rest = [each for each in plan.findings if each.severity is not Severity.ERROR]
    for line in plan.breaches:
        yield f"> ❌ {_plain(line)}"
    for problem in errors:
        yield f"> ❌ {problem.code} {_plain(problem.message)}"
    if plan.comparison is not None:
        yield _table(plan.comparison, plan.currency)
    if plan.findings:
        yield _folded(
            f"{counted(len(errors), 'error')}, {counted(len(rest), 'other finding')}",
            "\n\n".join(map(render, [*errors, *rest])),
        )
    if plan.changes:
        title = f"{counted(len(plan.changes.workflows), 'workflow')} with another behaviour"
        yield _folded(title, "\n".join(rule_lines(plan.changes)))
    if plan.comparison is not None:
        yield from _details(plan.comparison)


def _title(plan: Plan) -> str:
    if plan.is_refused:
        return "shopflow plan: look at this before it is merged"
    return "shopflow plan: rules behave differently" if plan.changes else "shopflow plan: no change"


def _table(found: Comparison, currency: str) -> str:
    rows: list[Row] = [*message_rows(found), *other_rows(found, currency)]
    lines = ["| messages | before | after | delta |", "|---|---:|---:|---|"]
    for row in rows:
        name, *numbers = map(_plain, row)
        indent = "&emsp;" if row[0].startswith(" ") else ""
        lines.append(f"| {indent}{name.strip()} | {' | '.join(numbers)} |")
    return "\n".join(lines)


def _details(found: Comparison) -> Iterator[str]:
    if found.outcomes:
        title = f"something else for {counted(found.changed_customers, 'customer')}"
        yield _folded(title, "\n".join(outcome_lines(found, most=4 * MOST, examples=EXAMPLES)))
    else:
        yield "Nobody gets anything else than before."
    if found.standing:
        count = sum(one.count for one in found.standing)
        title = f"{counted(count, 'enrolment')} in flight"
        yield _folded(title, "\n".join(standing_lines(found)))
    yield f"<sub>{limits(found)}</sub>"


def _folded(title: str, text: str) -> str:
    fence = _fence(text)
    return f"<details><summary>{title}</summary>\n\n{fence}text\n{text}\n{fence}\n\n</details>"


def _fence(text: str) -> str:
    """Backticks enough that nothing in the text ends the block."""
    runs: Iterable[str] = re.findall(r"`+", text)
    return "`" * max(3, 1 + max(map(len, runs), default=0))


def _plain(text: str) -> str:
    """Text that is not read as Markdown, nor as somebody's name to be called."""
    return re.sub(r"([\\`*_{}\[\]<>|#@~])", r"\\\1", text).replace("\\@", "@&#8203;")
