"""A plan for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import wrap

from shopflow.gitops.plan.comparing import Comparison
from shopflow.gitops.plan.plan import Plan
from shopflow.gitops.plan.rule_changes import RuleChanges
from shopflow.gitops.plan.told import (
    SIGNS,
    Row,
    action,
    grouped,
    headline,
    message_rows,
    other_rows,
    standing_lines,
    worst_line,
)
from shopflow.problem import render

#: Kinds of changes for customers that are told; the rest is counted.
MOST = 12
#: Before what continues a line.
_DEEP = " " * 6
#: Customers that stand for each.
EXAMPLES = 3


def as_text(plan: Plan) -> str:
    """Everything that somebody needs who decides about the change."""
    blocks = [f"shopflow plan   {headline(plan)}", "\n".join(rule_lines(plan.changes))]
    blocks.append(worst_line(plan))
    if plan.findings:
        blocks += [render(problem) for problem in plan.findings]
    if plan.comparison is not None:
        blocks += ["\n".join(block) for block in _figures(plan.comparison, plan.currency)]
        blocks.append(limits(plan.comparison))
    if plan.breaches:
        blocks.append("\n".join(f"! {line}" for line in plan.breaches))
    return "\n\n".join(blocks)


def rule_lines(changes: RuleChanges) -> Iterator[str]:
    """The workflows that behave differently, each with its reasons."""
    if not changes:
        yield "no behaviour change"
        return
    yield "workflows"
    lone, together = grouped(changes)
    width = max((len(each.workflow) for each in lone), default=0)
    for each in lone:
        first, *rest = each.reasons or ("",)
        lead = f"  {SIGNS[each.action]} {each.workflow:<{width}}  {action(each):<9}"
        yield f"{lead}  {first}".rstrip()
        yield from (f"{'':<{len(lead)}}  {reason}" for reason in rest)
    for reasons, names in together.items():
        yield f"  ~ {len(names)} workflows  indirect   {'; '.join(reasons)}"
        yield from wrap(
            ", ".join(names),
            100,
            initial_indent=_DEEP,
            subsequent_indent=_DEEP,
            break_on_hyphens=False,
        )
    word = "other" if changes.unchanged == 1 else "others"
    yield f"  = {changes.unchanged} {word}  no behaviour change"
    if unused := changes.unused:
        yield "shared, and no workflow behaves differently by it"
        yield from (f"  ~ {line}" for line in unused)


def _figures(found: Comparison, currency: str) -> Iterator[Iterable[str]]:
    head: Row = ("messages", "before", "after", "delta")
    yield _table([head, *_indented(message_rows(found)), *_indented(other_rows(found, currency))])
    if found.outcomes:
        yield outcome_lines(found)
    else:
        yield ["nobody gets anything else than before"]
    if found.standing:
        yield standing_lines(found)


def _indented(rows: Iterable[Row]) -> Iterator[Row]:
    for name, *numbers in rows:
        before, after, delta = numbers
        yield f"  {name}", before, after, delta


def _table(rows: list[Row]) -> Iterator[str]:
    first = max(len(row[0]) for row in rows)
    second, third = (max(len(row[column]) for row in rows) for column in (1, 2))
    for name, before, after, delta in rows:
        number, _, note = delta.partition("  ")
        line = f"{name:<{first}}  {before:>{second}}  {after:>{third}}  {number:>9}"
        yield f"{line}  {note.strip()}".rstrip()


def outcome_lines(
    found: Comparison, *, most: int = MOST, examples: int = EXAMPLES
) -> Iterator[str]:
    """The kinds of changes for customers, with how many they are and a few of them."""
    yield (
        f"customers who get something else: {found.changed_customers:,}; "
        f"{found.new_customers:,} of them got nothing before"
    )
    for each in found.outcomes[:most]:
        told = ", ".join(each.customers[:examples])
        yield f"  {len(each.customers):>6,}  {each}   such as {told}"
    if (rest := len(found.outcomes) - most) > 0:
        yield f"          and {rest:,} more kinds"


def limits(found: Comparison) -> str:
    """What the figures cannot know, in a line."""
    return f"limits of this estimate: {'; '.join(found.limits)}."
