"""What concerns everybody, as far as decisions have to know of it: partition by partition."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from shopflow.domain.event import Event, Facts
from shopflow.engine import Rulebook
from shopflow.store.protocol import Store

#: With a partition's number: the schedule that tells up to when everybody was looked at.
SWEPT = "swept:"


class _Known(NamedTuple):
    events: tuple[Event, ...]
    swept_to: datetime | None


class Occasions:
    """Events with an audience, and how far sweeps have come; kept in SQL, known here."""

    def __init__(self, store: Store, rulebook: Rulebook) -> None:
        self._store = store
        self._rulebook = rulebook
        self._known: dict[int | None, _Known] = {}

    def facts(self, facts: Facts, partition: int | None) -> Facts:
        """The facts with what is known of the partition, or of all of them."""
        if not self._rulebook.has_sweeps:
            return facts
        if partition not in self._known:
            self._known[partition] = self._read(partition)
        known = self._known[partition]
        swept_to = None if facts.event_clock else known.swept_to
        return replace(facts, occasions=known.events, swept_to=swept_to)

    def forget(self) -> None:
        """What is known is read anew."""
        self._known.clear()

    def _read(self, partition: int | None) -> _Known:
        sweeps = self._store.views.sweeps()
        events = {
            one.event.id: one.event
            for one in sweeps
            if one.event is not None and partition in {None, one.partition}
        }
        numbers = range(self._store.partitions) if partition is None else [partition]
        return _Known(
            tuple(sorted(events.values(), key=lambda event: event.occurred_at)),
            self._swept_to(numbers),
        )

    def _swept_to(self, partitions: Iterable[int]) -> datetime | None:
        occurrences = self._store.views.occurrences()
        swept = [occurrences.get(f"{SWEPT}{number}") for number in partitions]
        times = [at for at in swept if at is not None]
        return min(times) if len(times) == len(swept) else None
