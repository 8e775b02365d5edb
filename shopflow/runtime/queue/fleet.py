"""What one worker process has: the opened project, its Redis, and the answer to each doorbell.

A job works batch after batch until nothing is left or its time slice ends. What could not be done
is looked for again by the clock's rounds, so an error here only ends the slice.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from redis import Redis

from shopflow.errors import Conflict, StoreError
from shopflow.rulebook import load_settings
from shopflow.runtime.activation import Lookout
from shopflow.runtime.app import App, open_app
from shopflow.runtime.carrier import carriers_of
from shopflow.runtime.embedded import replay_clock, wall_clock
from shopflow.runtime.memory import settled
from shopflow.runtime.meter import BUSY
from shopflow.runtime.meter import TICK as TICKED
from shopflow.runtime.nightly import Watch
from shopflow.runtime.queue.bells import Bell, Bells, Kind
from shopflow.runtime.queue.connecting import connect
from shopflow.runtime.queue.delivery import Deliveries
from shopflow.runtime.queue.intake import Intake
from shopflow.runtime.queue.partition import Deciders, Reader
from shopflow.runtime.queue.pulse import Board, Pulse, RulesAtWork
from shopflow.runtime.queue.slices import Slice
from shopflow.runtime.queue.streams import Moved, Streams

log = logging.getLogger("shopflow.worker")

#: Seconds between two ticks.
TICK = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What hangs on the rules at work: replaced as a whole when others are deployed."""

    app: App
    deciders: Deciders
    nightly: Sequence[Watch]
    #: Types of events about no customer that every partition has to see.
    awaited: Collection[str] = ()


@dataclass(slots=True, kw_only=True)
class Fleet:
    """One worker process' part of the work."""

    work: Work
    streams: Streams
    bells: Bells
    deliveries: Deliveries
    #: Looks for rules that are deployed meanwhile.
    lookout: Lookout
    #: What this process answers.
    kinds: Collection[Kind]
    _readers: dict[int, Reader] = field(default_factory=dict)
    _slice: Slice | None = None
    _answering: Bell | None = None

    @property
    def app(self) -> App:
        """The project, with the rules at work."""
        return self.work.app

    @property
    def deciders(self) -> Deciders:
        """What decides by the rules at work."""
        return self.work.deciders

    def rules(self) -> RulesAtWork:
        """What runs here, for others to see; safe to call from any thread."""
        failure = self.lookout.failure
        return RulesAtWork(
            digest=self.app.loaded.ruleset.digest,
            revision=self.lookout.active.revision,
            failure=failure.message if failure is not None else "",
        )

    def keep_up(self) -> None:
        """Takes up rules that were deployed meanwhile; to be called between jobs only."""
        work = self.lookout.take_up(lambda active: work_of(self.app.activated(active)))
        if work is None:
            return
        self.work = work
        # What they had ready hangs on the old rules; the place in the stream is kept in SQL.
        self._readers.clear()
        log.info("the worker runs other rules", extra={"rules": self.app.loaded.ruleset.digest})

    @property
    def every_bell(self) -> list[Bell]:
        """All bells that there are."""
        return [
            Bell(Kind.CLOCK),
            Bell(Kind.INGEST),
            *(self.partition_bell(number) for number in range(self.streams.partitions)),
            *(self.sweep_bell(number) for number in range(self.streams.partitions)),
            *self.channel_bells,
        ]

    @property
    def channel_bells(self) -> list[Bell]:
        """The bells of all channels, one for each worker that may deliver on it at a time."""
        return [Bell(Kind.DELIVER, seat) for seat in self.deliveries.seats]

    @property
    def first_bells(self) -> list[Bell]:
        """A bell of each channel; whoever answers it rings the others when it needs help."""
        return [Bell(Kind.DELIVER, seat) for seat in self.deliveries.first_seats]

    def partition_bell(self, partition: int) -> Bell:
        """The bell of a partition."""
        return Bell(Kind.PROCESS, str(partition))

    def sweep_bell(self, partition: int) -> Bell:
        """The bell of the sweeps of a partition."""
        return Bell(Kind.SWEEP, str(partition))

    def answer(self, bell: Bell) -> None:
        """Does what the bell asks for, unless another worker is at it."""
        self.keep_up()
        if not self.bells.hold(bell):
            return
        self._answering = bell
        self.bells.heard(bell)
        self._slice = Slice(self.bells, bell, self.kinds, self.lookout.has_moved)
        began = time.monotonic()
        try:
            self._work(bell, self._slice.is_over)
        except (Conflict, Moved) as e:
            log.warning("%s: another worker took it over: %s", bell, e)
            self._forget(bell)
        except StoreError as e:
            log.error("%s: %s", bell, e)  # noqa: TRY400 - it says what to do, the place does not
            self._forget(bell)
        finally:
            self._slice = None
            self.app.meter.add(BUSY, str(bell.kind), amount=time.monotonic() - began)

    def answered(self) -> None:
        """The job is gone; whoever rang meanwhile is answered by the next one."""
        bell, self._answering = self._answering, None
        if bell is not None:
            self.bells.free(bell)
            self.bells.ring_again(bell)

    def cut(self) -> None:
        """The job at hand ends after its batch."""
        if self._slice is not None:
            self._slice.cut()

    def look(self) -> list[Bell]:
        """Rings wherever work is found, by whoever is to do it; returns these bells."""
        door, waiting = self.streams.lengths()
        bells = [Bell(Kind.INGEST)] if door else []
        told = self.app.store.views.told_partitions()
        busy = {number for number, length in enumerate(waiting) if length} | set(told)
        bells += [self.partition_bell(number) for number in sorted(busy)]
        bells += [self.sweep_bell(number) for number in self.deciders.sweeps.pending()]
        bells += self._delivering()
        self.bells.mend(self.every_bell)
        self.bells.ring(bells)
        return bells

    def _work(self, bell: Bell, is_over: Callable[[], bool]) -> None:
        match bell.kind:
            case Kind.CLOCK:
                self._tick()
                self.look()
            case Kind.INGEST:
                sweeps = self.deciders.sweeps
                intake = Intake(self.app.store, self.streams, self.work.awaited, sweeps)
                intake.work(self._ring_partitions, is_over)
            case Kind.PROCESS:
                self._process(int(bell.of), is_over)
            case Kind.SWEEP:
                self._sweep(int(bell.of), is_over)
            case Kind.DELIVER:
                call_help = lambda: self._call_help(bell.of)  # noqa: E731 - one line, used once
                self.deliveries.work(self.app, bell.of, is_over, call_help)
                self._ring_partitions(set(self.app.store.views.told_partitions()))
        if is_over():
            self.bells.ring([bell])

    def _tick(self) -> None:
        if self.app.event_clock:
            return
        redis, ticked = self.streams.redis, f"{self.streams.namespace}:ticked"
        millis = int(TICK * 1000)
        # Redis' clock was set back, and would keep the last tick until it has caught up.
        if redis.pttl(ticked) > millis:
            redis.delete(ticked)
        if redis.set(ticked, "1", nx=True, px=millis):
            self.streams.add_tick()
            self.app.meter.mark(TICKED, at=wall_clock())
            for night in self.work.nightly:
                night.look(wall_clock())

    def _process(self, partition: int, is_over: Callable[[], bool]) -> None:
        try:
            worked = self._reader(partition).work(is_over)
        except Conflict:
            # Others have read it since we did, and now it is our turn again.
            self._readers.pop(partition, None)
            worked = self._reader(partition).work(is_over)
        if worked:
            self.bells.ring(self._delivering())
        if self._reader(partition).gave_way:
            self.bells.ring([self.partition_bell(partition)])
        if partition in self.deciders.sweeps.pending():
            self.bells.ring([self.sweep_bell(partition)])

    def _sweep(self, partition: int, is_over: Callable[[], bool]) -> None:
        """A page after the other, as long as nothing else waits: nobody is held up by a sweep."""
        others = [kind for kind in self.kinds if kind is not Kind.SWEEP]
        told = 0
        for sweep in self.deciders.sweeps.work(partition, wall_clock):
            if sweep.told > told:
                self.bells.ring([self.partition_bell(partition)])
            told = sweep.told
            if is_over() or self.bells.wait(others):
                self.bells.ring([self.sweep_bell(partition)])
                return

    def _reader(self, partition: int) -> Reader:
        if partition not in self._readers:
            self._readers[partition] = Reader(self.deciders, self.streams, partition)
        return self._readers[partition]

    def _forget(self, bell: Bell) -> None:
        """What a reader knew of its place may be wrong; it takes the partition over anew."""
        if bell.kind is Kind.PROCESS:
            self._readers.pop(int(bell.of), None)

    def _delivering(self) -> list[Bell]:
        """The bells to ring for what may leave."""
        outbox = self.app.store.outbox
        at = outbox.next_attempt_at()
        if at is not None and at <= delivery_clock(self.app)():
            return self.first_bells
        # What a dead worker had in its hands is taken back by the next turn at its seat.
        left = outbox.in_hand() and not self.bells.held(self.channel_bells)
        return self.channel_bells if left else []

    def _call_help(self, seat: str) -> None:
        following = self.deliveries.next_seat(seat)
        if following is not None:
            self.bells.ring([Bell(Kind.DELIVER, following)])

    def _ring_partitions(self, partitions: set[int]) -> None:
        self.bells.ring(self.partition_bell(number) for number in sorted(partitions))


def delivery_clock(app: App) -> Callable[[], datetime]:
    """What deliveries take for now."""
    return replay_clock if app.event_clock else wall_clock


@contextmanager
def open_fleet(
    root: Path, *, kinds: Collection[Kind] = tuple(Kind), event_clock: bool = False
) -> Iterator[Fleet]:
    """The project under the folder, opened by one of its workers.

    Raises:
        RulesInvalid: The rules cannot be run; carries every problem.
        SettingsError: Redis is missing, or the database allows one process only and has one.
        StoreError: The state cannot be opened, or Redis be reached.
    """
    redis = connect(load_settings(root, strict=True))
    with ExitStack() as opened:
        app = opened.enter_context(open_app(root, event_clock=event_clock))
        fleet = fleet_of(app, redis, kinds)
        opened.callback(fleet.deliveries.close)
        pulse = Pulse(
            Board(redis, fleet.streams.namespace),
            app.meter,
            queues=map(str, kinds),
            rules=fleet.rules,
        )
        pulse.start()
        opened.callback(pulse.end)
        told = {"queues": [*kinds], "rules": app.loaded.ruleset.digest}
        log.info("the worker begins", extra=told)
        opened.enter_context(settled())
        yield fleet
        log.info("the worker ends", extra=told)


def fleet_of(app: App, redis: Redis, kinds: Collection[Kind] = tuple(Kind)) -> Fleet:
    """One worker's part of the work on an opened project."""
    namespace = app.project.queue.namespace
    return Fleet(
        work=work_of(app),
        streams=Streams(redis, namespace, app.store.partitions),
        bells=Bells(redis, namespace),
        deliveries=Deliveries(app.store, carriers_of(app.project)),
        lookout=app.lookout(),
        kinds=kinds,
    )


def work_of(app: App) -> Work:
    """What decides by the app's rules."""
    parts = app.parts(deliver=False)
    # Jobs are done one after the other, so that the store needs no thread of its own.
    parts.write.close()
    deciders = Deciders(
        store=app.store,
        processor=parts.processor,
        timers=parts.timers,
        sweeps=parts.sweeps,
        clock=wall_clock,
        meter=app.meter,
    )
    return Work(
        app=app,
        deciders=deciders,
        nightly=app.nightly(),
        awaited=parts.rulebook.awaited_types,
    )
