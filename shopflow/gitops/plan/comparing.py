"""Two replays of the same events held together: how much more or less, and for whom."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Generic, TypeVar

from shopflow.domain.journal import Reason
from shopflow.domain.policy import MessageClass
from shopflow.domain.ruleset import Ruleset
from shopflow.gitops.plan import fates
from shopflow.gitops.plan.fates import Standing
from shopflow.gitops.plan.outcomes import OutcomeChange, newly_reached, outcome_changes
from shopflow.gitops.plan.replayed import Place, Replayed, Sent
from shopflow.gitops.plan.rule_changes import RuleChanges
from shopflow.rulebook import LoadedProject

#: Two messages to somebody within this time count as one too many.
SOON = timedelta(hours=24)
#: Classes of messages that nobody waits for.
_UNASKED = frozenset({MessageClass.MARKETING.value, MessageClass.RELATIONSHIP.value})

_Number = TypeVar("_Number", int, Decimal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(Generic[_Number]):
    """A number before and after."""

    before: _Number
    after: _Number

    @property
    def delta(self) -> _Number:
        """How much more it is."""
        return self.after - self.before


Counts = Mapping[str, Change[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What the head would have done with the recorded events, beside what the base does."""

    before: Replayed
    after: Replayed
    #: Messages by (workflow, channel), where there are any.
    sends: Mapping[tuple[str, str], Change[int]]
    #: Messages by channel.
    channels: Counts
    #: Customers with two messages that they did not ask for within a day.
    reached_twice: Change[int]
    #: The pairs of workflows behind it, those first whose number grew most.
    pairs: Mapping[tuple[str, str], Change[int]]
    #: Messages dropped because a cap was full, by cap.
    capped: Counts
    #: Codes drawn, by coupon.
    codes: Counts
    #: In the project's currency, by channel.
    costs: Mapping[str, Change[Decimal]]
    outcomes: tuple[OutcomeChange, ...]
    #: Customers who get something and got nothing before.
    new_customers: int
    #: Who stands where when the recorded events are over, and what becomes of them.
    standing: tuple[Standing, ...]
    #: Codes left in the pools of coupons, as far as that is known.
    left: Mapping[str, int]

    @property
    def limits(self) -> tuple[str, ...]:
        """What the figures cannot know."""
        later = self.after.left_after
        return (
            "recorded events are taken as given; nobody's reaction to a message is simulated",
            *(() if later is None else (f"what is due after {later} is not counted",)),
        )

    @property
    def changed_customers(self) -> int:
        """How many get something else than before."""
        return len({customer for each in self.outcomes for customer in each.customers})


def compare(
    base: LoadedProject,
    head: LoadedProject,
    before: Replayed,
    after: Replayed,
    changes: RuleChanges,
    *,
    standing: Mapping[Place, int],
    pools: Mapping[str, int],
) -> Comparison:
    """The two replays, number by number; a workflow that was renamed goes by its new name."""
    before = before.under({one.was: one.workflow for one in changes.workflows if one.was})
    channels = _changes(
        Counter(each.channel for each in before.sends),
        Counter(each.channel for each in after.sends),
    )
    soon_before, soon_after = (
        list(_soon(one.ruleset, each.sends)) for one, each in ((base, before), (head, after))
    )
    pairs = _changes(
        Counter(pair for _, pair in soon_before), Counter(pair for _, pair in soon_after)
    )
    return Comparison(
        before=before,
        after=after,
        sends=_changes(_by_workflow(before.sends), _by_workflow(after.sends)),
        channels=channels,
        reached_twice=Change(
            before=len({customer for customer, _ in soon_before}),
            after=len({customer for customer, _ in soon_after}),
        ),
        pairs=dict(sorted(pairs.items(), key=lambda item: (-item[1].delta, item[0]))),
        capped=_changes(_capped(before), _capped(after)),
        codes=_changes(before.codes, after.codes),
        costs={
            name: Change(
                before=change.before * _cost(base, name), after=change.after * _cost(head, name)
            )
            for name, change in channels.items()
            if _cost(base, name) or _cost(head, name)
        },
        outcomes=outcome_changes(base.ruleset, head.ruleset, before, after),
        new_customers=newly_reached(before, after),
        standing=fates.standing(base.ruleset, head.ruleset, standing),
        left={
            coupon.id: pools[coupon.pool]
            for coupon in head.ruleset.coupons.values()
            if coupon.pool in pools
        },
    )


def renamed(found: Comparison, naming: Callable[[str], str]) -> Comparison:
    """The same, with customers named otherwise."""
    return replace(
        found,
        outcomes=tuple(
            replace(each, customers=tuple(sorted(map(naming, each.customers))))
            for each in found.outcomes
        ),
    )


_Key = TypeVar("_Key", bound="str | tuple[str, str]")


def _changes(before: Mapping[_Key, int], after: Mapping[_Key, int]) -> dict[_Key, Change[int]]:
    return {
        key: Change(before=before.get(key, 0), after=after.get(key, 0))
        for key in sorted({*before, *after})
    }


def _by_channel(sends: Iterable[Sent]) -> Counter[str]:
    return Counter(each.channel for each in sends)


def _by_workflow(sends: Iterable[Sent]) -> Counter[tuple[str, str]]:
    return Counter((each.workflow, each.channel) for each in sends)


def _capped(replayed: Replayed) -> Counter[str]:
    dropped = (each for each in replayed.withheld if each.reason == Reason.CAPPED)
    # Of a message that was queued and called back, the journal does not name the cap.
    return Counter(each.cap or "of messages called back" for each in dropped)


def _soon(ruleset: Ruleset, sends: Iterable[Sent]) -> Iterator[tuple[str, tuple[str, str]]]:
    """The customer and the two workflows of every pair of messages that come within a day."""
    known = ruleset.channels
    of_customer: dict[str, list[Sent]] = defaultdict(list)
    for each in sends:
        channel = known.get(each.channel)
        # What a page of the shop shows, or a log, reaches nobody who did not come by themselves.
        if each.message_class in _UNASKED and channel is not None and channel.address_attribute:
            of_customer[each.customer].append(each)
    for customer, every in of_customer.items():
        for one, other in pairwise(sorted(every)):
            if other.at - one.at < SOON:
                yield (
                    customer,
                    (min(one.workflow, other.workflow), max(one.workflow, other.workflow)),
                )


def _cost(loaded: LoadedProject, channel: str) -> Decimal:
    return Decimal(str(loaded.project.channels.get(channel, {}).get("cost", 0)))
