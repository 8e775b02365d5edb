"""The keys of links as running processes know them: read again now and then."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from shopflow.errors import StoreError
from shopflow.store.keys import Keys, StoredKey

#: Seconds after which a process knows of a new key.
KNOWN_WITHIN = 30.0


class KeysNow:
    """What the store keeps of keys, at most half a minute old; callable from any thread."""

    def __init__(
        self, read: Callable[[], Sequence[StoredKey]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._clock = clock
        self._lock = threading.Lock()
        self._known: tuple[float, tuple[StoredKey, ...]] | None = None

    def __call__(self) -> Sequence[StoredKey]:
        """The keys, the newest first.

        Raises:
            StoreError: They cannot be read, and never were.
        """
        known = self._known
        if known is not None and self._clock() - known[0] < KNOWN_WITHIN:
            return known[1]
        with self._lock:
            try:
                found = tuple(self._read())
            except StoreError:
                # Keys hardly ever change: those of a moment ago serve until the store is back.
                if known is None:
                    raise
                found = known[1]
            self._known = self._clock(), found
        return found


def rotate(keys: Keys, *, at: datetime, leaked: bool) -> StoredKey:
    """A new key seals from now on; after a leak, what was sealed before counts no more.

    Unsubscribes count all the same: whoever made one could have asked for nothing worse.
    """
    return keys.add(secrets.token_hex(32), at=at, condemn=leaked)
