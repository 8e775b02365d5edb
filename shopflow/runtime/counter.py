"""What a process needs that decides wishes beside workers: opened when the first one comes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from shopflow.rulebook import LoadedProject
from shopflow.runtime.app import App
from shopflow.runtime.codes import CodesAhead
from shopflow.runtime.embedded import StoreThread, wall_clock
from shopflow.runtime.keys import KeysNow
from shopflow.runtime.links import Links
from shopflow.runtime.sealing import links_of
from shopflow.runtime.wishes import Wishes
from shopflow.store.keys import StoredKey
from shopflow.store.protocol import Store


class Counter:
    """Wishes of one process; its pages can be served before there is a database."""

    def __init__(
        self,
        loaded: LoadedProject,
        opened: Callable[[], Store],
        when_queued: Callable[[], None] = lambda: None,
    ) -> None:
        self._loaded = loaded
        self._open = opened
        self._when_queued = when_queued
        self._app: App | None = None
        self._wishes: Wishes | None = None
        #: Every call of the store.
        self.run = StoreThread()
        self.links: Links = links_of(loaded.project, os.environ, KeysNow(self._keys))

    def wishes(self) -> Wishes:
        """Decides them; to be called where calls are run.

        Raises:
            StoreError: The database does not answer, or has no tables yet.
        """
        if self._wishes is None:
            parts = self._opened().parts(deliver=False)
            parts.write.close()
            self._wishes = parts.wishes
            self._wishes.when_queued = self._when_queued
        return self._wishes

    def close(self) -> None:
        """Gives back what is in hand, and lets go of the store."""
        self.run.close()
        if self._app is not None:
            if self._app.codes is not None:
                self._app.codes.give_back()
            self._app.store.close()

    def _keys(self) -> Sequence[StoredKey]:
        return self._opened().store.keys.all()

    def _opened(self) -> App:
        if self._app is None:
            store = self._open()
            codes = CodesAhead(store.codes, wall_clock)
            self._app = App(loaded=self._loaded, store=store, codes=codes)
        return self._app
