"""The store in memory: for simulations, rule tests and property tests; nothing outlives it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from shopflow.store.memory_batch import MemoryBatch
from shopflow.store.memory_outbox import MemoryOutbox
from shopflow.store.memory_state import State
from shopflow.store.memory_views import MemoryViews
from shopflow.store.protocol import Batch
from shopflow.store.records import Cursor, Pause, StoredRuleset, StreamPosition, lost


class MemoryStore:
    """A `Store` of dicts; one batch at a time, across threads too.

    Without history it forgets accepted events and the journal once they are counted, so that
    long streams fit into memory.
    """

    def __init__(self, partitions: int = 1, *, history: bool = True) -> None:
        self._state = State(partitions, history=history)
        self.outbox = MemoryOutbox(self._state)
        self.views = MemoryViews(self._state)

    @property
    def partitions(self) -> int:
        """See `Store`."""
        return self._state.partitions

    def partition_of(self, subject: str) -> int:
        """See `Store`."""
        return self._state.partition_of(subject)

    def take_over(self, stream: str) -> Cursor:
        """See `Store`."""
        state = self._state
        with state.changing():
            old = state.cursors.get(stream, StreamPosition(stream=stream, epoch=0, position=""))
            new = replace(old, epoch=old.epoch + 1)
            state.put(state.cursors, stream, new)
        return Cursor(new.epoch, new.position)

    @contextmanager
    def transaction(self, stream: str | None = None, epoch: int | None = None) -> Iterator[Batch]:
        """See `Store`."""
        state = self._state
        with state.changing() as tally:
            if stream is not None:
                cursor = state.cursors.get(stream)
                if cursor is None or cursor.epoch != epoch:
                    raise lost(stream, epoch)
            yield MemoryBatch(state, tally, stream)

    def wake_all(self, at: datetime) -> None:
        """See `Store`."""
        state = self._state
        with state.changing():
            for customer in list(state.customers.values()):
                if customer.next_due_at is None or customer.next_due_at > at:
                    state.put_customer(replace(customer, next_due_at=at))

    def deploy(self, digest: str, document: Mapping[str, object], at: datetime) -> None:
        """See `Store`."""
        ruleset = StoredRuleset(digest=digest, document=document, deployed_at=at)
        with self._state.changing():
            self._state.put(self._state.rulesets, digest, ruleset)

    def pause(self, pause: Pause) -> None:
        """See `Store`."""
        with self._state.changing():
            self._state.put(self._state.pauses, pause.scope, pause)

    def resume(self, scope: str) -> bool:
        """See `Store`."""
        with self._state.changing():
            return self._state.drop(self._state.pauses, scope) is not None

    def close(self) -> None:
        """See `Store`."""
