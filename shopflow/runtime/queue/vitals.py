"""Reading how a fleet is: what waits in SQL and in Redis, and what its workers tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from redis import RedisError

from shopflow.errors import StoreError
from shopflow.report.vitals import Lag, Part, Series, Vitals, WorkerSeen
from shopflow.runtime.queue.partition import stream_name
from shopflow.runtime.queue.pulse import Board
from shopflow.runtime.queue.streams import EntryId, StreamEntry, Streams
from shopflow.runtime.vitals import StoreLooks
from shopflow.store.protocol import Store
from shopflow.store.records import StatRow, StreamPosition
from shopflow.store.vitals import StoreVitals

#: How the stream at the door is called where streams are listed.
DOOR = "door"


class FleetVitals:
    """Looks at an installation of many processes; each part may be away."""

    def __init__(self, streams: Streams, open_store: Callable[[], Store]) -> None:
        self._streams = streams
        self._board = Board(streams.redis, streams.namespace)
        self._open_store = open_store
        self._looks: StoreLooks | None = None
        self._store: Store | None = None

    def close(self) -> None:
        """Lets go of the database."""
        if self._store is not None:
            self._store.close()

    def read(self) -> Vitals:
        """See `VitalsReader`."""
        now = datetime.now(UTC)
        store, sums = self._of_store()
        counted: Mapping[Series, float] = {}
        marks: Mapping[Series, float] = {}
        lags: tuple[Lag, ...] = ()
        workers: list[WorkerSeen] = []
        reached = True
        try:
            counted, marks, workers = self._board.read()
            lags = lags_of(self._streams, store.cursors if store else ())
        except RedisError:
            reached = False
        return Vitals(
            at=now,
            up={Part.DATABASE: store is not None, Part.REDIS: reached},
            store=store,
            sums=sums,
            lags=lags,
            workers=tuple(workers),
            counted=counted,
            marks=marks,
        )

    def _of_store(self) -> tuple[StoreVitals | None, tuple[StatRow, ...]]:
        try:
            if self._looks is None:
                self._store = self._open_store()
                self._looks = StoreLooks(self._store)
            return self._looks.read()
        except StoreError:
            return None, ()


def lags_of(streams: Streams, cursors: tuple[StreamPosition, ...]) -> tuple[Lag, ...]:
    """How far the readers of all streams are behind, by Redis' own clock."""
    places = {cursor.stream: EntryId.parse(cursor.position) for cursor in cursors}
    wanted = [(DOOR, streams.door, streams.ingest_cursor())]
    for number in range(streams.partitions):
        place = places.get(stream_name(number), EntryId())
        wanted.append((str(number), streams.of(number), place))
    with streams.redis.pipeline(transaction=False) as pipe:
        pipe.time()
        for _, key, place in wanted:
            pipe.xlen(key)
            pipe.xrange(key, min=place.following, count=1)
        (seconds, micros), *found = pipe.execute()
    now = datetime.fromtimestamp(seconds + micros / 1e6, UTC)
    lags = []
    for number, (name, key, place) in enumerate(wanted):
        length, first = found[2 * number], found[2 * number + 1]
        if length and not first and streams.went_back(key, place):
            # Redis was lost: everything in the stream is yet to be read.
            first = cast("Any", streams.redis.xrange(key, count=1))
        if not first:
            # What is left has served and is about to be taken away.
            lags.append(Lag(stream=name, entries=0, seconds=0.0))
            continue
        entry = StreamEntry(EntryId.parse(first[0][0]), first[0][1] or {})
        waited = max((now - entry.received_at).total_seconds(), 0.0)
        lags.append(Lag(stream=name, entries=length, seconds=waited))
    return tuple(lags)
