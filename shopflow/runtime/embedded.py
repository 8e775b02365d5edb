"""The whole in one process: sources and the door in, decisions, deliveries out, until it is done.

Every call of the store runs in one thread of its own, so that there is one writer; deliveries go
on in the event loop meanwhile. Wiring the parts together is left to `shopflow.runtime.app`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from shopflow.engine import Rulebook
from shopflow.errors import ShopflowError
from shopflow.runtime.answers import Answer, Totals, tell_refused
from shopflow.runtime.deliver import Deliverer
from shopflow.runtime.door import Door, answer
from shopflow.runtime.memory import settled
from shopflow.runtime.meter import DECISION, TICK, Meter
from shopflow.runtime.nightly import Watch
from shopflow.runtime.process import Entry, Processor
from shopflow.runtime.simulate import Until
from shopflow.runtime.sources import Source
from shopflow.runtime.stream import ALONE, Stream
from shopflow.runtime.sweep import Sweeps
from shopflow.runtime.timers import Timers
from shopflow.runtime.wishes import Wishes
from shopflow.store.protocol import Store

Result = TypeVar("Result")

#: Inputs that one transaction takes, and fewer while receipts wait for it.
BATCH, SMALL_BATCH = 500, 100
#: Seconds between two looks while nothing happens.
IDLE = 0.05
#: What no channel has taken for so long will not be taken: it is paused, or its channel is gone.
STUCK = timedelta(seconds=1)
#: Recorded events are the clock, so nothing that was decided may seem to lie in the future.
REPLAY_LEAD = timedelta(days=365_000)


def wall_clock() -> datetime:
    """Now."""
    return datetime.now(UTC)


def replay_clock() -> datetime:
    """A clock for deliveries of a replay: everything decided is due, retries wait as usual."""
    return datetime.now(UTC) + REPLAY_LEAD


class StoreThread:
    """The one thread that calls the store."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")

    async def __call__(self, call: Callable[[], Result], /) -> Result:
        """The call's result."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, call)

    def close(self) -> None:
        """Ends the thread after the call it is at."""
        self._executor.shutdown()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the runner runs."""

    store: Store
    rulebook: Rulebook
    sweeps: Sweeps
    processor: Processor
    wishes: Wishes
    timers: Timers
    #: None: nothing is delivered, messages stay in the outbox.
    deliverer: Deliverer | None
    write: StoreThread
    meter: Meter = field(default_factory=Meter)
    event_clock: bool = False
    #: What is computed every night; None where the events are the clock.
    nightly: Sequence[Watch] = ()


class Embedded:
    """Reads, decides and delivers until everything is done, or until it is stopped."""

    def __init__(
        self,
        parts: Parts,
        *,
        sources: Sequence[Source] = (),
        door: Door | None = None,
        stays: bool = False,
        until: Until = Until.END,
        on_progress: Callable[[Totals], None] | None = None,
        newer: Callable[[Parts], Parts | None] = lambda _: None,
    ) -> None:
        self._parts = parts
        #: What is to take the place of these parts, when other rules were deployed.
        self._newer = newer
        self._next: Parts | None = None
        self._delivering: asyncio.Task[None] | None = None
        self._sources = list(sources)
        self._door = door
        #: It waits for more instead of ending by itself.
        self._stays = stays or door is not None
        self._until = until
        self._on_progress = on_progress
        self._streams: dict[str, Stream] = {}
        self._finishing: Iterator[int] | None = None
        self._stopping = asyncio.Event()
        self._quiet_since: datetime | None = None
        self.totals = Totals()

    def stop(self) -> None:
        """The batch at hand is finished, receipts under way are kept, then it ends."""
        self._stopping.set()
        if self._door is not None:
            self._door.shut()

    async def run(self, serve: Callable[[asyncio.Event], Awaitable[None]] | None = None) -> Totals:
        """Runs; `serve` is run beside it and is to end when its event is set.

        Raises:
            StoreError: The state can no longer be kept.
            SettingsError: A source cannot be read.
        """
        with settled():
            return await self._run(serve)

    async def _run(self, serve: Callable[[asyncio.Event], Awaitable[None]] | None) -> Totals:
        ending = asyncio.Event()
        try:
            await self._parts.write(self._begin)
            async with asyncio.TaskGroup() as group:
                if serve is not None:
                    group.create_task(_awaited(serve(ending)))
                self._begin_delivering(group)
                try:
                    await self._pump(group)
                finally:
                    ending.set()
                    if self._parts.deliverer is not None:
                        self._parts.deliverer.stop()
            # The last receipts told their customers after the last batch.
            await self._parts.write(lambda: self._parts.processor.hear(wall_clock()))
        except BaseExceptionGroup as errors:
            raise _cause(errors) from errors
        finally:
            if self._door is not None:
                self._door.turn_away()
            for source in self._sources:
                source.close()
            self._parts.write.close()
        return self.totals

    def _begin_delivering(self, group: asyncio.TaskGroup) -> None:
        if self._parts.deliverer is not None:
            self._delivering = group.create_task(self._parts.deliverer.run())

    async def _turn_to(self, parts: Parts, group: asyncio.TaskGroup) -> None:
        """Other rules are at work from here on; receipts under way are kept before."""
        if self._parts.deliverer is not None and self._delivering is not None:
            self._parts.deliverer.stop()
            await asyncio.wait([self._delivering])
        parts.processor.read_to = self._parts.processor.read_to
        self._parts, self._next = parts, None
        self._begin_delivering(group)

    def _begin(self) -> None:
        parts = self._parts
        if parts.deliverer is not None:
            parts.deliverer.recover()
        if self._door is not None:
            self._streams["http"] = Stream("http", parts.store.take_over("http").epoch)
        for source in self._sources:
            cursor = parts.store.take_over(source.stream)
            self._streams[source.stream] = Stream(source.stream, cursor.epoch)
            source.start(cursor.position)
        if parts.event_clock:
            times = (cursor.read_to for cursor in parts.store.views.status().cursors)
            parts.processor.read_to = max((at for at in times if at), default=None)

    async def _pump(self, group: asyncio.TaskGroup) -> None:
        while True:
            if self._next is not None:
                await self._turn_to(self._next, group)
            worked = await self._serve_door()
            if self._stopping.is_set():
                return
            if await self._parts.write(self._step) or worked:
                self._quiet_since = None
                if self._parts.deliverer is not None:
                    self._parts.deliverer.wake()
                self._tell_progress()
            elif not self._stays and await self._parts.write(self._is_done):
                return
            else:
                await self._idle()

    async def _serve_door(self) -> bool:
        if self._door is None:
            return False
        worked = False
        while taken := self._door.take(BATCH):
            entries = [
                Entry(raw, received_at=submission.received_at)
                for submission in taken
                for raw in submission.raws
            ]
            try:
                answers = await self._parts.write(lambda: self._take("http", entries))  # noqa: B023 - awaited here
            except BaseException:
                self._door.turn_away(taken)
                raise
            answer(taken, answers)
            worked = True
        return worked

    def _step(self) -> bool:
        """One transaction of each kind, so that receipts need not wait long for the thread."""
        if self._finishing is None and (parts := self._newer(self._parts)) is not None:
            self._next = parts
            return True
        now = wall_clock()
        if self._stays:
            for night in self._parts.nightly:
                night.look(now)
        worked = self._parts.processor.hear(now) > 0
        if not self._parts.event_clock:
            worked = self._parts.timers.tick_page(now) > 0 or worked
            self._parts.meter.mark(TICK, at=now)
            worked = self._sweep(now) or worked
        if self._read_on():
            return True
        if self._parts.event_clock and all(source.at_end for source in self._sources):
            worked = self._finish() or worked
        return worked

    def _sweep(self, now: datetime) -> bool:
        """A page of a partition where something starts for everybody."""
        sweeps, partitions = self._parts.sweeps, range(self._parts.store.partitions)
        for partition in partitions:
            sweeps.notice(partition, now, ALONE)
        return any(next(sweeps.work(each, wall_clock), None) for each in sweeps.pending())

    def _read_on(self) -> bool:
        """A batch of the first source that has one; files follow each other, as they are named."""
        deliverer = self._parts.deliverer
        limit = SMALL_BATCH if deliverer is not None and deliverer.active else BATCH
        for source in self._sources:
            entries = source.read(limit)
            if entries:
                self._take(source.stream, entries)
                return True
            if not source.at_end and not self._stays:
                return False
        return False

    def _take(self, stream: str, entries: Sequence[Entry]) -> list[Answer]:
        now = wall_clock()
        answers = self._parts.processor.take(self._streams[stream], entries, now=now)
        self.totals.add(answers)
        tell_refused(stream, answers)
        since = [entry.received_at or now for entry in entries]
        self._parts.meter.took(DECISION, since=since, until=wall_clock())
        return answers

    def _finish(self) -> bool:
        """What is left to fire when recorded events are over, a page at a time."""
        if self._finishing is None:
            self._finishing = self._last_ticks()
        return next(self._finishing, 0) > 0

    def _last_ticks(self) -> Iterator[int]:
        timers, end = self._parts.timers, self._parts.processor.read_to
        if end is None:
            return
        while timers.tick_page(end):
            yield 1
        for told in self._parts.sweeps.all_at_once(end, ALONE, end):
            yield told + 1
        if self._until is Until.DRAIN:
            yield from timers.drain()

    def _is_done(self) -> bool:
        now = wall_clock()
        if not all(source.at_end for source in self._sources):
            return False
        deliverer, outbox = self._parts.deliverer, self._parts.store.outbox
        if deliverer is None:
            return True
        if not outbox.pending():
            # The last receipt may have told its customer since the last look into the inbox.
            return self._parts.processor.hear(now) == 0
        if not deliverer.is_idle:
            self._quiet_since = None
            return False
        self._quiet_since = self._quiet_since or now
        next_at = outbox.next_attempt_at()
        waits = next_at is not None and next_at > deliverer.clock()
        return not waits and now - self._quiet_since > STUCK

    async def _idle(self) -> None:
        waiting = [asyncio.create_task(self._stopping.wait())]
        if self._door is not None:
            waiting.append(asyncio.create_task(self._door.knocked.wait()))
        await asyncio.wait(waiting, timeout=IDLE, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()

    def _tell_progress(self) -> None:
        if self._on_progress is None:
            return
        progress = [source.progress for source in self._sources]
        self.totals.read = sum(read for read, _ in progress)
        self.totals.size = sum(size for _, size in progress)
        self._on_progress(self.totals)


async def _awaited(running: Awaitable[None]) -> None:
    await running


def _cause(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error to show of those that came together: ours first, else any."""
    leaves: list[BaseException] = []
    pending: list[BaseException] = [errors]
    while pending:
        one = pending.pop()
        if isinstance(one, BaseExceptionGroup):
            pending.extend(one.exceptions)
        else:
            leaves.append(one)
    return next((leaf for leaf in leaves if isinstance(leaf, ShopflowError)), leaves[-1])
