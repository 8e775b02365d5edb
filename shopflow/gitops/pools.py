"""Pools of codes where nothing is stored: each has as many codes as anybody wants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import replace

from shopflow.domain.coupon import CodeInHand, Reserve
from shopflow.domain.event import Facts
from shopflow.domain.journal import Effect
from shopflow.domain.ruleset import Ruleset

#: Codes of each pool that one decision may choose from; more than it could ever draw.
IN_HAND = 25


class EndlessPools:
    """The pools of a ruleset; no code is given twice."""

    def __init__(self, ruleset: Ruleset) -> None:
        coupons = ruleset.coupons.values()
        self._pools = sorted({one.imported_pool for one in coupons if one.imported_pool})
        self._given: Counter[str] = Counter()

    def facts(self, facts: Facts) -> Facts:
        """The facts, with the codes that come next."""
        if not self._pools:
            return facts
        return replace(facts, codes={pool: self._next(pool) for pool in self._pools})

    def take(self, effects: Iterable[Effect]) -> None:
        """The codes that were drawn are gone."""
        for effect in effects:
            if isinstance(effect, Reserve):
                self._given[effect.drawn.pool] += 1

    def _next(self, pool: str) -> list[CodeInHand]:
        if pool == EXHAUSTED:
            return []
        first = self._given[pool] + 1
        return [
            CodeInHand(code=f"{pool.upper()}-{number:06}")
            for number in range(first, first + IN_HAND)
        ]


#: The pool that never has a code.
EXHAUSTED = "exhausted"


def with_exhausted(ruleset: Ruleset, coupons: Collection[str]) -> Ruleset:
    """The ruleset, in which these coupons have no code left."""
    if not coupons:
        return ruleset
    changed = {
        name: replace(ruleset.coupons[name], imported_pool=EXHAUSTED, pattern=None)
        for name in coupons
    }
    return replace(ruleset, coupons={**ruleset.coupons, **changed})
