"""What the runtime and people may ask of a store about the codes of coupons.

Drawing and settling codes belongs to the batch that decides; this is what happens beside it, each
call a transaction of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from shopflow.domain.coupon import CodeInHand, CodeState, Reserve
from shopflow.domain.journal import CodeChange


class NewCode(NamedTuple):
    """A code to import, and when the shop no longer takes it."""

    code: str
    ends_at: datetime | None = None


class Imported(NamedTuple):
    """What came of an import: codes that are new, and those that the pool had already."""

    new: int
    known: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStatus:
    """A pool in numbers."""

    pool: str
    #: How many codes are in each state; those taken ahead count as free.
    counts: Mapping[CodeState, int] = field(default_factory=dict)
    #: Of the free ones: how many have ended, and when the next one ends.
    ended: int = 0
    next_end: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCode:
    """One code as the store knows it."""

    pool: str
    code: str
    state: CodeState
    #: The shop no longer takes it from then on.
    ends_at: datetime | None = None
    #: Whose it is, and until when, as the message said.
    customer_id: str = ""
    promised_until: datetime | None = None
    changed_at: datetime


class CodeDesk(Protocol):
    """What a batch does with codes."""

    def change_codes(self, changes: Sequence[CodeChange], *, owner: str) -> list[Reserve]:
        """The codes are as the changes say, in order; returns what somebody else has.

        The codes of pools are bound only while this owner has taken them.
        """


class Codes(Protocol):
    """The pools of codes."""

    def add(self, pool: str, codes: Iterable[NewCode], *, now: datetime) -> Imported:
        """The codes are in the pool; one that is there already is left as it is."""

    def take(
        self, pool: str, *, limit: int, owner: str, now: datetime, until: datetime
    ) -> list[CodeInHand]:
        """Codes that only this owner may bind until then; fewer than asked: there are no more.

        Free ones that have not ended, and those whose owner's time is over.
        """

    def give_back(self, owner: str) -> int:
        """What the owner has taken and not bound is free again; returns how many there were."""

    def pools(self, *, now: datetime) -> list[PoolStatus]:
        """Every pool, by name."""

    def of_pool(self, pool: str) -> Iterator[StoredCode]:
        """The codes of a pool, in order."""
