"""Who gets something else than before, and why, in one line each.

Customers with the same line stand together: how many they are tells more than any one of them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from shopflow.domain.ruleset import Ruleset
from shopflow.gitops.plan.replayed import Replayed, Sent
from shopflow.lang.lengths import written

#: What was sent, told without when: workflow, step, channel.
_What = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeChange:
    """What changes for some customers: `+` more, `-` less, `~` otherwise; and why."""

    sign: str
    workflow: str
    what: str
    why: str
    #: All of them, in order.
    customers: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.sign} {self.what}" + (f": {self.why}" if self.why else "")


def newly_reached(before: Replayed, after: Replayed) -> int:
    """Customers who get something and got nothing before."""
    return len({one.customer for one in after.sends} - {one.customer for one in before.sends})


def outcome_changes(
    base: Ruleset, head: Ruleset, before: Replayed, after: Replayed
) -> tuple[OutcomeChange, ...]:
    """Every change of what somebody gets, the most frequent first."""
    old, new = _Side(base, before), _Side(head, after)
    found: dict[tuple[str, str, str, str], set[str]] = defaultdict(set)
    for customer in sorted({*old.sends, *new.sends}):
        for line in _lines(customer, old, new):
            found[line].add(customer)
    every = [
        OutcomeChange(sign=line[0], workflow=line[1], what=line[2], why=line[3],
                      customers=tuple(sorted(customers)))
        for line, customers in found.items()
    ]  # fmt: skip
    return tuple(sorted(every, key=lambda each: (-len(each.customers), str(each))))


class _Side:
    """One replay, looked up by customer."""

    def __init__(self, ruleset: Ruleset, replayed: Replayed) -> None:
        self.ruleset = ruleset
        self.replayed = replayed
        self.sends: dict[str, list[Sent]] = defaultdict(list)
        for sent in replayed.sends:
            self.sends[sent.customer].append(sent)
        self._withheld: dict[tuple[str, str, str], str] = {
            (one.customer, one.workflow, one.step): f"{one.reason} by {one.cap}"
            if one.cap
            else one.reason
            for one in replayed.withheld
        }

    def why_not(self, customer: str, workflow: str, step: str) -> str:
        """Why the customer does not get this here; empty where that is not known."""
        known = self.ruleset.workflows.get(workflow)
        if known is None:
            return "there is no such workflow"
        if (reason := self._withheld.get((customer, workflow, step))) is not None:
            return f"dropped, {reason}"
        if step not in known.steps:
            return "there is no such step"
        if (customer, workflow) not in self.replayed.entered:
            return "nobody starts" if not self._starts(workflow) else "does not start"
        if (end := self.replayed.ended.get((customer, workflow))) is not None:
            return f"ended before, {end}"
        return "not come that far"

    def _starts(self, workflow: str) -> bool:
        return any(name == workflow for _, name in self.replayed.entered)


def _lines(customer: str, old: _Side, new: _Side) -> Iterator[tuple[str, str, str, str]]:
    before, after = old.sends.get(customer, []), new.sends.get(customer, [])
    gained = _counted(after) - _counted(before)
    lost = _counted(before) - _counted(after)
    for workflow, step, channel in sorted(gained):
        instead = next((each for each in sorted(lost) if each[:2] == (workflow, step)), None)
        if instead is not None:
            lost[instead] -= 1
            lost += Counter()
            what = f"{workflow}.{step} by {channel} instead of {instead[2]}"
            yield "~", workflow, what, ""
            continue
        why = f"before: {old.why_not(customer, workflow, step)}"
        yield "+", workflow, f"{workflow}.{step} by {channel}", why
    for workflow, step, channel in sorted(lost):
        why = f"now: {new.why_not(customer, workflow, step)}"
        yield "-", workflow, f"{workflow}.{step} by {channel}", why
    yield from _moved(before, after)


def _moved(before: list[Sent], after: list[Sent]) -> Iterator[tuple[str, str, str, str]]:
    """Messages that come at another time."""
    times = _times(before)
    for what, moments in _times(after).items():
        earlier = times.get(what, [])
        if len(earlier) == len(moments) and earlier != moments:
            by = next(new - old for old, new in zip(earlier, moments, strict=True) if old != new)
            yield "~", what[0], f"{what[0]}.{what[1]} by {what[2]}", _shift(by)


def _shift(by: timedelta) -> str:
    """How much later or earlier: to the hour beyond a day, and to the minute below."""
    unit = timedelta(hours=1) if abs(by) >= timedelta(days=1) else timedelta(minutes=1)
    length = max(unit, round(abs(by) / unit) * unit)
    return f"{written(length)} {'later' if by > timedelta() else 'earlier'}"


def _counted(sends: list[Sent]) -> Counter[_What]:
    return Counter((one.workflow, one.step, one.channel) for one in sends)


def _times(sends: list[Sent]) -> Mapping[_What, list[datetime]]:
    found: dict[_What, list[datetime]] = defaultdict(list)
    for one in sorted(sends):
        found[one.workflow, one.step, one.channel].append(one.at)
    return found
