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

An event about no customer goes to the partition of its own id like any other. Where rules await
events of its type, every other partition gets a copy, so that each decides it for its own customers
where it stands among all other events; a copy is counted nowhere.

A tick is copied to every partition behind all that came before it, but for those where it can
change nothing: no entry waits there, no timer is due and no sweep.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import NamedTuple

import orjson

from shopflow.domain.event import IDENTIFIED
from shopflow.runtime.ingest import MAX_BYTES
from shopflow.runtime.queue.streams import START, EntryId, Routed, StreamEntry, Streams
from shopflow.runtime.sweep import Sweeps
from shopflow.store.protocol import Store


class Intake:
    """Routes the door's entries, batch by batch."""

    def __init__(
        self,
        store: Store,
        streams: Streams,
        awaited: Collection[str] = (),
        sweeps: Sweeps | None = None,
    ) -> None:
        self._store = store
        self._streams = streams
        #: Types of events about no customer that rules of this revision await.
        self._awaited = frozenset(awaited)
        self._sweeps = sweeps

    def work(self, on_routed: Callable[[set[int]], None], is_over: Callable[[], bool]) -> None:
        """Routes until nothing is left or the time is over; tells which partitions got something.

        Raises:
            Moved: Another reader is at the door; this one stops.
        """
        while batch := self._batch():
            before, entries = batch
            routed: list[Routed] = []
            touched: set[int] = set()
            for entry in entries:
                found = self._partitions(entry, touched)
                touched.update(one.partition for one in found)
                routed += found
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

    def _partitions(self, entry: StreamEntry, touched: set[int]) -> list[Routed]:
        everyone = range(self._streams.partitions)
        tick = entry.tick
        if tick is None:
            # What is no event has nobody's id; its own place spreads such entries evenly.
            subject = subject_of(entry.raw) or Subject(str(entry.id))
            home = self._store.partition_of(subject.id)
            if subject.nobodys not in self._awaited:
                return [Routed(home, entry)]
            return [Routed(partition, entry, partition != home) for partition in everyone]
        if not tick.of_arrival:
            return [Routed(partition, entry) for partition in everyone]
        _, waiting = self._streams.lengths()
        return [
            Routed(partition, entry)
            for partition in everyone
            if partition in touched
            or waiting[partition]
            or self._is_due(partition, tick.at)
            or (self._sweeps is not None and self._sweeps.is_due(partition, tick.at))
        ]

    def _is_due(self, partition: int, at: datetime) -> bool:
        due = self._store.views.next_due_at(partition)
        return due is not None and due <= at


class Subject(NamedTuple):
    """Whom or what an event is about, as far as its routing goes."""

    #: The id that it is routed by, as `ingest.routing_id` has it for every good event.
    id: str
    #: The type of an event that is about no customer; empty for any other.
    nobodys: str = ""


def subject_of(raw: bytes) -> Subject | None:
    """What an event is routed by; None when it is no event."""
    if len(raw) > MAX_BYTES:
        return None
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(document, dict):
        return None
    ids = [document.get("customer_id"), document.get("anonymous_id")]
    event_type = document.get("type")
    if event_type == IDENTIFIED:
        data = document.get("data")
        told = data.get("anonymous_id") if isinstance(data, dict) else None
        ids = [document.get("anonymous_id"), told]
    for one in ids:
        if one and isinstance(one, str):
            return Subject(one)
    own = document.get("id")
    if not own or not isinstance(own, str):
        return None
    is_nobodys = isinstance(event_type, str) and not any(ids)
    return Subject(own, str(event_type) if is_nobodys else "")
