"""The lines that every format of a plan shares: its tables, as rows of text."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from shopflow.gitops.plan.comparing import Change, Comparison
from shopflow.gitops.plan.plan import Plan, Side
from shopflow.gitops.plan.rule_changes import Action, RuleChanges, WorkflowChange
from shopflow.gitops.revision import SHORT

#: Sign before a workflow.
SIGNS = {
    Action.ADDED: "+",
    Action.REMOVED: "-",
    Action.RENAMED: "~",
    Action.CHANGED: "~",
    Action.INDIRECT: "~",
}

#: Workflows that change by the same shared thing, from which on they are told together.
MANY = 4

Row = tuple[str, str, str, str]


def headline(plan: Plan) -> str:
    """Which revisions, and how much was replayed."""
    line = f"base {side(plan.base)} -> head {side(plan.head)}"
    found = plan.comparison
    if found is None:
        return line
    days = found.after.days
    length = f"{days:.0f} days" if days >= 2 else f"{days * 24:.0f} hours"  # noqa: PLR2004 - days are told from two on
    return f"{line}   {length}, {found.after.events:,} events, {found.after.customers:,} customers"


def side(one: Side) -> str:
    """A revision as people name it: what they asked for, and its commit where that is not it."""
    if not one.commit or one.commit.startswith(one.ref):
        return one.ref[:SHORT] if one.commit else one.ref
    return f"{one.ref} ({one.commit[:SHORT]})"


def action(change: WorkflowChange) -> str:
    """What happens to the workflow, in words."""
    return f"renamed from {change.was}" if change.was else str(change.action)


def grouped(
    changes: RuleChanges,
) -> tuple[list[WorkflowChange], dict[tuple[str, ...], list[str]]]:
    """The changes to be told one by one, and those that many workflows have in common."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for each in changes.workflows:
        if each.action is Action.INDIRECT:
            alike.setdefault(each.reasons, []).append(each.workflow)
    together = {reasons: names for reasons, names in alike.items() if len(names) >= MANY}
    of_many = {name for names in together.values() for name in names}
    return [each for each in changes.workflows if each.workflow not in of_many], together


def worst_line(plan: Plan) -> str:
    """The most that one person can be sent, and whether that changes."""
    before, after = plan.worst
    told = str(after) if before == after else f"{before} -> {after}"
    return f"worst case for one person in any 7 days, marketing and relationship: {told}"


def counted(number: int, word: str, words: str = "") -> str:
    """So many of something: `1 error`, `2 errors`."""
    return f"{number:,} {word if number == 1 else words or f'{word}s'}"


def amount(number: int | Decimal) -> str:
    """A number with its thousands apart; money with its cents."""
    return f"{number:,.2f}" if isinstance(number, Decimal) else f"{number:,}"


def row(name: str, change: Change[int] | Change[Decimal], note: str = "") -> Row:
    """A line of the table: name, before, after, and the difference with its share."""
    delta = change.delta
    told = f"+{amount(delta)}" if delta > 0 else amount(delta)
    if delta and change.before:
        told += f"  ({float(delta) / float(change.before):+.0%})"
    if note:
        told += f"   {note}"
    return name, amount(change.before), amount(change.after), told


def message_rows(found: Comparison) -> Iterator[Row]:
    """Messages by channel, and under each the workflows in which something changes."""
    for channel, change in found.channels.items():
        yield row(channel, change)
        for (workflow, each), inner in found.sends.items():
            if each == channel and inner.delta:
                yield row(f"  {workflow}", inner)


def other_rows(found: Comparison, currency: str) -> Iterator[Row]:
    """What else there is to count: people reached twice, caps, coupons, cost."""
    pair = next((each for each, change in found.pairs.items() if change.delta > 0), None)
    why = f"most by {pair[0]} x {pair[1]}" if pair else ""
    yield row("customers reached twice in 24 h", found.reached_twice, why)
    yield row("customers reached at all", _reached(found))
    for cap, change in found.capped.items():
        yield row(f"dropped by cap {cap}", change)
    for coupon, change in found.codes.items():
        yield row(f"codes of {coupon}", change, _left(found, coupon))
    for channel, cost in found.costs.items():
        yield row(f"cost of {channel}, {currency}", cost)


def _left(found: Comparison, coupon: str) -> str:
    """How long the pool lasts at this rate, where it is known."""
    if coupon not in found.left:
        return ""
    left, a_day = found.left[coupon], found.codes[coupon].after / (found.after.days or 1)
    lasts = f"; lasts {left / a_day:,.0f} days" if a_day else ""
    return f"pool left: {left:,}{lasts}"


def _reached(found: Comparison) -> Change[int]:
    return Change(
        before=len({one.customer for one in found.before.sends}),
        after=len({one.customer for one in found.after.sends}),
    )


def standing_lines(found: Comparison) -> Iterator[str]:
    """Who stands where when the recorded events are over, and what becomes of them."""
    yield f"enrolments in flight: {sum(one.count for one in found.standing):,}"
    for one in found.standing:
        if one.why:
            yield f"  {one.count:>6,}  {one.workflow}.{one.step}  {one.fate}: {one.why}"
    if rest := sum(one.count for one in found.standing if not one.why):
        yield f"  {rest:>6,}  unaffected"
    yield f"  {0:>6,}  released at once"
