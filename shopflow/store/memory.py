"""The store in memory: for simulations, rule tests and property tests; nothing outlives it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from shopflow.store.delivery import pause_entry, resume_entry
from shopflow.store.memory_batch import MemoryBatch
from shopflow.store.memory_codes import MemoryCodes
from shopflow.store.memory_deployments import MemoryDeployments
from shopflow.store.memory_keys import MemoryKeys
from shopflow.store.memory_outbox import MemoryOutbox
from shopflow.store.memory_people import MemoryPeople
from shopflow.store.memory_recommendations import MemoryRecommendations
from shopflow.store.memory_state import State
from shopflow.store.memory_traffic import MemoryTraffic
from shopflow.store.memory_views import MemoryViews
from shopflow.store.protocol import Batch
from shopflow.store.records import Cursor, Fence, Pause, StoredRuleset, StreamPosition
from shopflow.store.tally import day_of


class MemoryStore:
    """A `Store` of dicts; one batch at a time, across threads too.

    Without history it forgets accepted events and the journal once they are counted, so that
    long streams fit into memory.
    """

    def __init__(self, partitions: int = 1, *, history: bool = True) -> None:
        self._state = State(partitions, history=history)
        self.outbox = MemoryOutbox(self._state)
        self.codes = MemoryCodes(self._state)
        self.keys = MemoryKeys()
        self.deployments = MemoryDeployments(self._state)
        self.views = MemoryViews(self._state)
        self.recommendations = MemoryRecommendations(self._state)
        self.traffic = MemoryTraffic(self._state)
        self.people = MemoryPeople(self._state)

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
                state.hold(Fence(stream, epoch or 0))
            yield MemoryBatch(state, tally, stream)

    def sync(self) -> None:
        """See `Store`."""

    def make_room(self, until: datetime) -> None:
        """See `Store`."""

    def forget_events(
        self,
        before: datetime,
        *,
        types: Collection[str] | None = None,
        since: datetime | None = None,
    ) -> bool:
        """See `Store`."""
        state = self._state
        end = day_of(before.astimezone(UTC))
        first = 0 if since is None else day_of(since.astimezone(UTC))
        with state.changing():
            old = [
                key
                for key, event in state.event_keys.items()
                if first <= key[0] < end and (types is None or (event and event.type in types))
            ]
            for key in old:
                state.drop(state.event_keys, key)
        return bool(old)

    def forget_journal(self, before: datetime) -> bool:
        """See `Store`."""
        state = self._state
        end = day_of(before.astimezone(UTC))
        with state.lock:
            kept = [entry for entry in state.journal if day_of(entry.at) >= end]
            found = len(kept) < len(state.journal)
            state.journal[:] = kept
        return found

    def forget_dead_letters(self, before: datetime) -> bool:
        """See `Store`."""
        letters = self._state.dead_letters
        with self._state.changing():
            old = [seq for seq, letter in letters.items() if letter.at < before]
            for seq in old:
                self._state.drop(letters, seq)
        return bool(old)

    def deploy(self, digest: str, document: Mapping[str, object], at: datetime) -> None:
        """See `Store`."""
        ruleset = StoredRuleset(digest=digest, document=document, deployed_at=at)
        with self._state.changing():
            self._state.put(self._state.rulesets, digest, ruleset)

    def pause(self, pause: Pause) -> None:
        """See `Store`."""
        state = self._state
        with state.changing():
            state.put(state.pauses, pause.scope, pause)
            state.drop(state.resumed, pause.scope)
            state.append(state.journal, pause_entry(pause))

    def resume(self, scope: str, *, at: datetime, reason: str = "") -> bool:
        """See `Store`."""
        state = self._state
        with state.changing():
            if state.drop(state.pauses, scope) is None:
                return False
            state.put(state.resumed, scope, at)
            state.append(state.journal, resume_entry(scope, at, reason))
        return True

    def close(self) -> None:
        """See `Store`."""
