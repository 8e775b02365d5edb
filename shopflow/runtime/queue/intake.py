"""The reader of the door: routes what shops add to the stream of each partition.

Each input is counted once, whatever is killed when:

- The entries of a batch, their removal from the door and the reader's new place are one MULTI,
  made only while the place is where this reader found it. So an entry is in exactly one partition,
  once, although two readers may both believe that the door is theirs.
- Nothing is checked, counted or set aside here. A bad event goes on like a good one, and the
  transaction that moves its partition's cursor in SQL takes it as accepted, as duplicate or as
  dead letter. Killed before the commit, all three are undone with the cursor; after it, none is
  read again. And a worker with older schemas never routes an event elsewhere than a newer one.

So `accepted + duplicates + dead letters = events in` needs no word from Redis. An entry that is
read again after Redis itself went back in time is one more input: a duplicate, if it was good.

A tick is copied to every partition behind all that came before it, but for those where it can
change nothing: no entry waits there and no timer is due.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import orjson

from shopflow.domain.event import IDENTIFIED
from shopflow.runtime.ingest import MAX_BYTES
from shopflow.runtime.queue.streams import START, EntryId, StreamEntry, Streams
from shopflow.store.protocol import Store


class Intake:
    """Routes the door's entries, batch by batch."""

    def __init__(self, store: Store, streams: Streams) -> None:
        self._store = store
        self._streams = streams

    def work(self, on_routed: Callable[[set[int]], None], is_over: Callable[[], bool]) -> None:
        """Routes until nothing is left or the time is over; tells which partitions got something.

        Raises:
            Moved: Another reader is at the door; this one stops.
        """
        while batch := self._batch():
            before, entries = batch
            routed: list[tuple[int, StreamEntry]] = []
            touched: set[int] = set()
            for entry in entries:
                partitions = self._partitions(entry, touched)
                touched.update(partitions)
                routed += [(partition, entry) for partition in partitions]
            self._streams.route((before, entries[-1].id), routed)
            on_routed(touched)
            if is_over():
                return

    def _batch(self) -> tuple[EntryId, list[StreamEntry]] | None:
        streams = self._streams
        before = streams.ingest_cursor()
        entries = streams.read(streams.door, before)
        if not entries and streams.went_back(streams.door, before):
            entries = streams.read(streams.door, START)
        return (before, entries) if entries else None

    def _partitions(self, entry: StreamEntry, touched: set[int]) -> list[int]:
        tick = entry.tick
        if tick is None:
            # What is no event has nobody's id; its own place spreads such entries evenly.
            subject = subject_of(entry.raw) or str(entry.id)
            return [self._store.partition_of(subject)]
        everyone = range(self._streams.partitions)
        if not tick.of_arrival:
            return list(everyone)
        _, waiting = self._streams.lengths()
        return [
            partition
            for partition in everyone
            if partition in touched or waiting[partition] or self._is_due(partition, tick.at)
        ]

    def _is_due(self, partition: int, at: datetime) -> bool:
        due = self._store.views.next_due_at(partition)
        return due is not None and due <= at


def subject_of(raw: bytes) -> str | None:
    """The id that an event is routed by, as `ingest.routing_id` has it for every good event."""
    if len(raw) > MAX_BYTES:
        return None
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(document, dict):
        return None
    ids = [document.get("customer_id"), document.get("anonymous_id")]
    if document.get("type") == IDENTIFIED:
        data = document.get("data")
        told = data.get("anonymous_id") if isinstance(data, dict) else None
        ids = [document.get("anonymous_id"), told]
    return next((one for one in [*ids, document.get("id")] if one and isinstance(one, str)), None)
