"""The keys that seal links: what is kept of them, and what a store does for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """One key, of which only half is kept: without the project's secret it opens nothing."""

    #: Counted from 0, which is the project's secret by itself.
    number: int
    #: What makes this key of the secret, in hexadecimal.
    salt: str
    made_at: datetime
    #: Since when nothing that it sealed counts any more but unsubscribes.
    condemned_at: datetime | None = None


class Keys(Protocol):
    """The keys of one installation."""

    def all(self) -> Sequence[StoredKey]:
        """Every key there was, the newest first, none forgotten; empty before the first `add`."""

    def add(self, salt: str, *, at: datetime, condemn: bool) -> StoredKey:
        """A new key, by which links are sealed from now on; `condemn` condemns all before it."""
