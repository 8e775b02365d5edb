"""What comes in from outside: whose an address is, and what was taken in before."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from shopflow.domain.ids import CustomerId


class AddressLink(NamedTuple):
    """The address of that hash is the customer's."""

    hash: str
    customer_id: CustomerId


class DoorWrites(Protocol):
    """What a batch does for what comes in."""

    def link_addresses(self, gone: Collection[AddressLink], new: Collection[AddressLink]) -> None:
        """These addresses are no longer theirs, and those are."""

    def take_once(self, key: str, at: datetime) -> bool:
        """True for a key that was never taken before; from now on it was."""


class DoorReads(Protocol):
    """What can be read of what came in, and forgotten of it."""

    def at_address(self, hashes: Sequence[str]) -> list[CustomerId]:
        """Whoever has one of the addresses, in order."""

    def forget_taken(self, before: datetime) -> None:
        """What was taken by then may be taken again."""
