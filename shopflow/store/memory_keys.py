"""The keys of links in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from shopflow.store.keys import StoredKey


class MemoryKeys:
    """A `Keys` in a list."""

    def __init__(self) -> None:
        self._kept: list[StoredKey] = []

    def all(self) -> list[StoredKey]:
        """See `Keys`."""
        return list(reversed(self._kept))

    def add(self, salt: str, *, at: datetime, condemn: bool) -> StoredKey:
        """See `Keys`."""
        if not self._kept:
            self._kept.append(StoredKey(number=0, salt="", made_at=at))
        if condemn:
            self._kept = [replace(one, condemned_at=one.condemned_at or at) for one in self._kept]
        key = StoredKey(number=len(self._kept), salt=salt, made_at=at)
        self._kept.append(key)
        return key
