"""What is kept of single persons: their ledger, their aliases, what stops them, and their erasure.

Persons and addresses that must not be known any more are known by keyed hashes only; making these
is left to `shopflow.runtime.hashes`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from shopflow.domain.customer import ConsentState, SuppressionScope
from shopflow.domain.ids import CustomerId, MessageId
from shopflow.domain.journal import LedgerEntry
from shopflow.store.door import DoorReads
from shopflow.store.records import StoredMessage, Suppression

#: Scopes that stop marketing only, and that the person's own fresh word may lift.
LIFTABLE = frozenset({SuppressionScope.MARKETING, SuppressionScope.PERSON})

#: States that end a consent.
ENDED = frozenset(
    {
        ConsentState.DENIED,
        ConsentState.WITHDRAWN,
        ConsentState.SUNSET,
        ConsentState.LAPSED,
    }
)


class Lifted(NamedTuple):
    """Marketing to this hash may go again over the channel, if it was stopped before then."""

    hash: str
    channel: str
    before: datetime


class Tombstone(NamedTuple):
    """Somebody was erased: nothing about them from before then is taken in any more."""

    seq: int
    hash: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """Who is to be erased, and what stays instead."""

    #: The customer and every alias.
    ids: Collection[CustomerId]
    #: The hashes of these ids.
    hashes: Collection[str]
    #: Text that only what is about the person holds: dead letters with it go too.
    words: Collection[str] = ()
    at: datetime
    #: The opt-out that is kept.
    suppressions: Sequence[Suppression] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """How many rows of each table are gone."""

    rows: Mapping[str, int] = field(default_factory=dict)


class People(DoorReads, Protocol):
    """Reads and rare writes about single persons."""

    def aliases(self, customer_id: CustomerId) -> list[CustomerId]:
        """The visitors who turned out to be this customer, in order."""

    def ledger(self, ids: Collection[CustomerId]) -> list[LedgerEntry]:
        """All that the consent ledger holds of these ids, as it was written."""

    def messages(self, ids: Collection[MessageId]) -> list[StoredMessage]:
        """The messages of these ids that there are."""

    def suppressions(self) -> Iterator[Suppression]:
        """Every suppression, by hash."""

    def suppress(self, suppressions: Sequence[Suppression]) -> None:
        """The hashes are suppressed; where one is already, the later word stays."""

    def unsuppress(self, hashes: Collection[str], channel: str) -> int:
        """No suppression of these hashes on the channel is left; returns how many there were."""

    def erase(self, erasure: Erasure) -> Erased:
        """Nothing is left of these ids but their tombstones and the opt-out."""

    def forget_bodies(self, before: datetime, *, since: datetime | None = None) -> int:
        """Messages that ended by then hold no address and no values; returns how many changed.

        Only those that ended after `since`, where given.
        """

    def forget_proof(self, before: datetime) -> int:
        """Of consents that ended by then, the entries up to that are gone; returns how many."""

    def mentions(self, words: Collection[str], *, blank: str) -> int:
        """Where others' rows held one of these words, they hold the blank; returns how many rows.

        A word is an address; one that is part of a longer word is another one.
        """

    def scrub(self) -> None:
        """What was deleted is gone from the files too, where the database leaves that to us."""

    def hold_setting(self, name: str, value: str) -> str:
        """The value kept under the name: this one where there was none."""

    def set_setting(self, name: str, value: str) -> None:
        """This is the value kept under the name."""
