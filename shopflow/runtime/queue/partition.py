"""The reader of one partition: decides its stream in order, events and ticks, and its inbox.

The place in the stream and the epoch of the reader are a row in SQL, written by the transaction
that decides. Whoever opens the partition after this reader makes its transactions fail, so a
reader that only believes that the partition is its own commits nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby

from shopflow.runtime.answers import tell_refused
from shopflow.runtime.meter import DECISION, Meter
from shopflow.runtime.process import Entry, Processor
from shopflow.runtime.queue.streams import START, EntryId, StreamEntry, Streams, TickEntry
from shopflow.runtime.stream import Stream, fenced
from shopflow.runtime.sweep import Sweeps
from shopflow.runtime.timers import PAGE, Timers
from shopflow.store.protocol import Store

#: Inputs from the inbox between two looks into the stream: a sweep does not hold up events.
HEARD = 1_000
#: Customers with a timer due that a tick decides on before it gives way: some 30 milliseconds.
CROWD = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Deciders:
    """What decides the inputs of any partition, against one rulebook."""

    store: Store
    processor: Processor
    timers: Timers
    sweeps: Sweeps
    clock: Callable[[], datetime]
    meter: Meter = field(default_factory=Meter)


class Reader:
    """Reads one partition, from when it took it over."""

    def __init__(self, deciders: Deciders, streams: Streams, partition: int) -> None:
        self._deciders = deciders
        self._streams = streams
        self._key = streams.of(partition)
        cursor = deciders.store.take_over(stream_name(partition))
        self._stream = Stream(stream_name(partition), cursor.epoch, partition)
        #: How far it has read, and how far that is kept: a tick is kept with what follows it.
        self._place = self._kept = EntryId.parse(cursor.position)
        #: It stopped for others although more of a tick is left.
        self.gave_way = False

    def work(self, is_over: Callable[[], bool]) -> int:
        """Decides what is there until nothing is left or the time is over; returns how much.

        Of a crowd whose timers are due at once it decides on a part, then gives way to others.

        Raises:
            Conflict: Another reader has taken over; nothing more was decided.
        """
        deciders = self._deciders
        # A reader that was killed after its commit left entries that have served.
        if not self._streams.went_back(self._key, self._place):
            self._streams.trim(self._key, self._kept)
        worked, heard, self.gave_way = 0, HEARD, False
        # What is told from now on rings, or is found by the next round of the clock.
        while (entries := self._read()) or heard >= HEARD:
            heard = deciders.processor.hear(deciders.clock(), self._stream, most=HEARD)
            worked += heard
            if not self._decide(entries, is_over):
                break
            worked += len(entries)
            if self.gave_way or is_over():
                break
        self._keep()
        return worked

    def _read(self) -> list[StreamEntry]:
        entries = self._streams.read(self._key, self._place)
        if not entries and self._streams.went_back(self._key, self._place):
            # Redis was lost, and what comes now comes from its new beginning. What is known
            # already is recognised.
            self._place = START
            entries = self._streams.read(self._key, START)
        return entries

    def _decide(self, entries: Sequence[StreamEntry], is_over: Callable[[], bool]) -> bool:
        """False when the time was over before the last entry was decided."""
        for is_tick, run in groupby(entries, key=lambda entry: entry.tick is not None):
            some = list(run)
            if not is_tick:
                self._take(some)
                continue
            for entry, tick in _ticks(some):
                if not self._fire(entry, tick, is_over):
                    return False
                self._place = entry.id
        return True

    def _take(self, entries: Sequence[StreamEntry]) -> None:
        now = self._deciders.clock()
        since = [min(one.received_at, now) for one in entries]
        taken = [
            Entry(one.raw, str(one.id), received_at, one.copied)
            for one, received_at in zip(entries, since, strict=True)
        ]
        answers = self._deciders.processor.take(self._stream, taken, now=now)
        tell_refused(self._stream.name, answers)
        self._deciders.meter.took(DECISION, since=since, until=self._deciders.clock())
        self._place = self._kept = entries[-1].id
        self._streams.trim(self._key, self._kept)

    def _fire(self, entry: StreamEntry, tick: TickEntry, is_over: Callable[[], bool]) -> bool:
        timers, clock = self._deciders.timers, self._deciders.clock
        # Neither Redis' clock nor ours fires a timer before the other has come to it.
        at = min(tick.at, clock()) if tick.of_arrival else tick.at
        most = CROWD if tick.of_arrival else PAGE
        while fired := timers.tick_page(at, stream=self._stream, clock=max(at, clock()), most=most):
            if is_over():
                return False
            if tick.of_arrival and fired == CROWD:
                # No event waits for a whole crowd of timers: what is left of it comes behind.
                self._streams.put_behind(self._key, entry)
                self.gave_way = True
                return True
        partition = self._stream.partition
        assert partition is not None  # noqa: S101 - a reader reads one
        if tick.of_arrival:
            self._deciders.sweeps.notice(partition, at, self._stream)
        else:
            for _ in self._deciders.sweeps.all_at_once(at, self._stream, max(at, clock())):
                if is_over():
                    return False
        if tick.drain:
            for _ in timers.drain(self._stream):
                if is_over():
                    return False
        return True

    def _keep(self) -> None:
        """Ticks at the end of what was read are behind us too."""
        if self._place == self._kept:
            return
        with fenced(self._deciders.store, self._stream) as batch:
            batch.advance(str(self._place))
        self._kept = self._place
        self._streams.trim(self._key, self._kept)


def stream_name(partition: int) -> str:
    """The name that a partition's cursor is kept under."""
    return f"events:{partition}"


def _ticks(entries: Sequence[StreamEntry]) -> Iterator[tuple[StreamEntry, TickEntry]]:
    for entry in entries:
        if (tick := entry.tick) is not None:
            yield entry, tick
