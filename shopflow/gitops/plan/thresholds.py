"""How much a change may do before somebody has to look: read from options, held against a plan."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from shopflow.gitops.plan.comparing import Comparison

_AMOUNT = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[A-Za-z]{3})?\s*(?:/\s*day)?")
_SHARE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<percent>%)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """So many more, or so many percent more."""

    number: Decimal
    percent: bool

    def __str__(self) -> str:
        return f"{self.number}%" if self.percent else f"{self.number}"

    def passed(self, before: int, after: int) -> bool:
        """True when there are more than that; from none on, any is more than any share."""
        allowed = before * self.number / 100 if self.percent else self.number
        return after - before > allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """An amount a day; without a currency it is the project's."""

    number: Decimal
    currency: str = ""

    def __str__(self) -> str:
        return f"{self.number}{self.currency}/day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """What a plan must not pass; None is no threshold."""

    extra_sends: Share | None = None
    new_customers: int | None = None
    cost_increase: Money | None = None

    def breaches(self, found: Comparison, currency: str) -> tuple[str, ...]:
        """What is passed, in words."""
        return tuple(self._breaches(found, currency))

    def _breaches(self, found: Comparison, currency: str) -> Iterator[str]:
        if self.extra_sends is not None:
            for channel, change in found.channels.items():
                if self.extra_sends.passed(change.before, change.after):
                    yield (
                        f"{channel}: {change.delta:+,} messages on {change.before:,}, "
                        f"over --max-extra-sends {self.extra_sends}"
                    )
        if self.new_customers is not None and found.new_customers > self.new_customers:
            yield (
                f"{found.new_customers:,} customers get something and got nothing before, "
                f"over --max-new-customers {self.new_customers}"
            )
        if self.cost_increase is not None:
            total = sum((each.delta for each in found.costs.values()), Decimal(0))
            a_day = total / Decimal(str(found.after.days)) if found.after.days else Decimal(0)
            if a_day > self.cost_increase.number:
                yield (
                    f"{a_day:+.2f} {currency} a day, over --max-cost-increase {self.cost_increase}"
                )


NO_THRESHOLDS = Thresholds()


def parse_share(text: str) -> Share | None:
    """The share of a text such as `5%` or `100`; None when it is none."""
    match = _SHARE.fullmatch(text.strip())
    if match is None:
        return None
    return Share(number=Decimal(match["number"]), percent=match["percent"] is not None)


def parse_money(text: str) -> Money | None:
    """The amount of a text such as `10EUR/day`; None when it is none."""
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        return None
    return Money(number=Decimal(match["number"]), currency=(match["unit"] or "").upper())
