"""Events about no customer on their way to everybody who waits for them.

Such an event is decided where it stands in the stream, for all who wait: one page of them in the
transaction that takes the event, longer queues page by page before it. The event counts as taken
with its last page only. So a reader that was killed in between begins again with whoever still
waits, and hearing of an event twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from shopflow.domain.event import Event
from shopflow.engine.news import Place, keys_of
from shopflow.engine.rulebook import Rulebook
from shopflow.store.protocol import Store
from shopflow.store.records import Wait

#: Enrolments that one transaction tells of an event.
PAGE = 1_000


class Fanout:
    """Finds who waits for events about no customer."""

    def __init__(self, store: Store, rulebook: Rulebook) -> None:
        self._store = store
        self._rulebook = rulebook

    def is_awaited(self, event: Event) -> bool:
        """True when enrolments may wait for the event."""
        return bool(self._keys(event))

    def pages(self, event: Event, partition: int | None) -> Iterator[list[Place]]:
        """Who has waited for the event since before its instant, the longest first."""
        for key in self._keys(event):
            after: Wait | None = None
            while page := self._page(event.type, key, partition, after):
                yield [
                    (wait.since, wait.enrolment_id, wait.customer_id)
                    for wait in page
                    if wait.since < event.occurred_at
                ]
                after = page[-1]

    def _keys(self, event: Event) -> list[str]:
        return keys_of(self._rulebook, event) if event.concerns is None else []

    def _page(
        self, event_type: str, key: str, partition: int | None, after: Wait | None
    ) -> list[Wait]:
        return self._store.views.waiting(
            event_type, key, partition=partition, after=after, limit=PAGE
        )
