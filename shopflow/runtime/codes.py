"""Codes that this process has taken ahead, so that decisions find them among their facts.

Taking is a short transaction of its own; binding is part of the batch that decides. A batch that
finds too few codes, or one that is no longer ours, is taken back whole and decided again: deciding
twice costs little, and a code that is promised twice costs a customer.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar
from uuid import uuid4

from shopflow.domain.coupon import CodeInHand, CodeState, OutOfCodes, Reserve, Settle, is_made
from shopflow.domain.event import Facts
from shopflow.domain.journal import Cancel, CodeChange
from shopflow.errors import DecideAgain
from shopflow.store.codes import Codes
from shopflow.store.protocol import Batch

log = logging.getLogger("shopflow.codes")

Result = TypeVar("Result")

#: Codes taken at first, and at most; each time there are too few, twice as many are taken.
FEWEST, MOST = 32, 1_024
#: How long a code may be in hand without being used, and how long before that it is let go.
HELD, MARGIN = timedelta(minutes=10), timedelta(minutes=1)
#: How long a pool that had no code left is not asked again.
DRY = timedelta(seconds=30)
#: Times that one batch is decided anew for its codes; each time there is more to decide with.
ATTEMPTS = 100


class TooFewCodesError(DecideAgain):
    """The batch cannot be kept as it was decided; taken back, it has a better chance.

    Codes are taken only then: on SQLite an open batch lets nobody else write.
    """

    def __init__(self, pool: str | None = None) -> None:
        super().__init__()
        self.pool = pool


class _Held(NamedTuple):
    code: CodeInHand
    until: datetime


class CodesAhead:
    """The codes in hand of one process."""

    def __init__(self, codes: Codes, clock: Callable[[], datetime]) -> None:
        self._codes = codes
        self._clock = clock
        self.owner = uuid4().hex
        self._held: dict[str, list[_Held]] = {}
        self._dry_until: dict[str, datetime] = {}
        self._sizes: Counter[str] = Counter()
        self._known: set[tuple[str, str]] = set()
        self._bound: list[Reserve] = []

    def serve(self, work: Callable[[], Result]) -> Result:
        """What the batch gives, once it has the codes that it needs."""
        for _ in range(ATTEMPTS):
            self._bound.clear()
            try:
                result = work()
            except TooFewCodesError as e:
                if e.pool is not None:
                    self._take(e.pool)
                continue
            self._known.clear()
            self._let_go(self._bound)
            return result
        raise RuntimeError(f"a batch did not get its codes within {ATTEMPTS} attempts")

    def facts(self, facts: Facts) -> Facts:
        """The facts, with the codes in hand."""
        now = self._clock()
        for pool, held in self._held.items():
            self._held[pool] = [one for one in held if one.until > now]
        codes = {pool: [one.code for one in held] for pool, held in self._held.items()}
        return replace(facts, codes=codes, known_codes=frozenset(self._known))

    def may_get(self, pool: str) -> bool:
        """False for a pool that had no code left a moment ago."""
        dry_until = self._dry_until.get(pool)
        return dry_until is None or self._clock() >= dry_until

    def _take(self, pool: str) -> None:
        now = self._clock()
        size = self._sizes[pool] = min(max(self._sizes[pool] * 2, FEWEST), MOST)
        until = now + HELD
        taken = self._codes.take(pool, limit=size, owner=self.owner, now=now, until=until)
        held = self._held.setdefault(pool, [])
        held += [_Held(code, until - MARGIN) for code in taken]
        if not taken:
            self._dry_until[pool] = now + DRY
            log.warning("the pool %s has no code left: import more", pool)

    def give_back(self) -> None:
        """Nothing is in hand any more."""
        if self._held:
            self._codes.give_back(self.owner)
            self._held.clear()

    def refused(self, reserves: Sequence[Reserve]) -> None:
        """These codes are somebody else's."""
        for one in reserves:
            if is_made(one.drawn.pool):
                self._known.add((one.drawn.pool, one.drawn.code))
        self._let_go(reserves)

    def bound(self, reserves: Iterable[Reserve]) -> None:
        """These codes are no longer in hand once the batch is kept."""
        self._bound.extend(reserves)

    def _let_go(self, reserves: Iterable[Reserve]) -> None:
        gone = {(one.drawn.pool, one.drawn.code) for one in reserves}
        for pool in {pool for pool, _ in gone} & set(self._held):
            self._held[pool] = [
                one for one in self._held[pool] if (pool, one.code.code) not in gone
            ]


class Draws:
    """What one batch does with codes."""

    def __init__(self, ahead: CodesAhead | None, facts: Facts) -> None:
        self._ahead = ahead
        self._changes: list[CodeChange] = []
        self.facts = facts if ahead is None else ahead.facts(facts)

    def take(self, effect: CodeChange | OutOfCodes) -> None:
        """The effect of a decision is taken note of.

        Raises:
            TooFewCodesError: There may be more codes; the batch has to be decided again.
        """
        if isinstance(effect, OutOfCodes):
            if self._ahead is not None and self._ahead.may_get(effect.pool):
                raise TooFewCodesError(effect.pool)
            return
        self._changes.append(effect)
        if isinstance(effect, Reserve):
            # The next customer of this batch must not be shown it.
            held = self.facts.codes.get(effect.drawn.pool)
            if isinstance(held, list):
                held[:] = [one for one in held if one.code != effect.drawn.code]

    def free(self, cancels: Sequence[Cancel], stopped: Collection[str], at: datetime) -> None:
        """What the messages show that were stopped in time, in every channel, is free again."""
        leaving = {key for one in cancels if one.message_id not in stopped for key in one.draws}
        back = {key: None for one in cancels for key in one.draws if key not in leaving}
        self._changes += [Settle(draw=key, state=CodeState.FREE, at=at) for key in back]

    def write(self, batch: Batch) -> None:
        """Every code is in the batch as it was decided.

        Raises:
            TooFewCodesError: One of them is somebody else's; the batch has to be decided again.
        """
        if not self._changes:
            return
        owner = self._ahead.owner if self._ahead is not None else ""
        refused = batch.change_codes(self._changes, owner=owner)
        if self._ahead is None:
            return
        if refused:
            self._ahead.refused(refused)
            raise TooFewCodesError
        self._ahead.bound(one for one in self._changes if isinstance(one, Reserve))
