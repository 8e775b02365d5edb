"""The HTTP door of production: checks events, and adds them to the stream that workers read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from redis import RedisError

from shopflow.runtime.answers import Answer, Taken
from shopflow.runtime.door import Full, Shut
from shopflow.runtime.ingest import Accepted, Ingest, Refused
from shopflow.runtime.queue.streams import Streams

#: Seconds that a count of what waits is good for.
COUNTED = 1.0


class StreamDoor:
    """An `EventDoor` whose events go to Redis; a duplicate is only known by the worker.

    What is refused goes there too: a dead letter is kept and counted where all events are.
    """

    def __init__(self, streams: Streams, ingest: Ingest, max_length: int) -> None:
        self._streams = streams
        self._ingest = ingest
        self._max_length = max_length
        self._waiting = 0
        self._counted_at = -COUNTED
        self._shut = False

    @property
    def is_open(self) -> bool:
        """True while events are taken."""
        return not self._shut

    def shut(self) -> None:
        """Nothing more is taken."""
        self._shut = True

    async def submit(self, raws: Sequence[bytes]) -> list[Answer]:
        """What is known of each event, once Redis has it.

        Raises:
            Full: Too many wait already; none of these was taken.
            Shut: None of these is known to be taken; send them again.
        """
        if self._shut:
            raise Shut
        now = datetime.now(UTC)
        answers = [_answer(self._ingest.read(raw, received_at=now)) for raw in raws]
        try:
            await asyncio.to_thread(self._add, raws)
        except RedisError as e:
            raise Shut from e
        return answers

    def _add(self, raws: Sequence[bytes]) -> None:
        if time.monotonic() - self._counted_at >= COUNTED:
            self._waiting = self._streams.waiting()
            self._counted_at = time.monotonic()
        if self._waiting >= self._max_length:
            raise Full
        self._streams.add(raws)
        self._waiting += len(raws)


def _answer(read: Accepted | Refused) -> Answer:
    if isinstance(read, Accepted):
        return Answer(taken=Taken.ACCEPTED, event_id=read.event.id)
    return Answer(
        taken=Taken.DEAD_LETTER, event_id=read.event_id, reason=read.reason, detail=read.detail
    )
