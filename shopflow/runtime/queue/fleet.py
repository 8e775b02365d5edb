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

from redis import AuthenticationError, Redis, RedisError

from shopflow.errors import Conflict, SettingsError, StoreError
from shopflow.lang.project import Project
from shopflow.rulebook import load_project
from shopflow.runtime.app import App, carriers_of, open_app
from shopflow.runtime.embedded import replay_clock, wall_clock
from shopflow.runtime.memory import settled
from shopflow.runtime.meter import BUSY
from shopflow.runtime.meter import TICK as TICKED
from shopflow.runtime.nightly import Watch
from shopflow.runtime.queue.bells import RENEWAL, Bell, Bells, Kind
from shopflow.runtime.queue.delivery import Deliveries
from shopflow.runtime.queue.intake import Intake
from shopflow.runtime.queue.partition import Deciders, Reader
from shopflow.runtime.queue.pulse import Board, Pulse
from shopflow.runtime.queue.streams import Moved, Streams

log = logging.getLogger("shopflow.worker")

#: Seconds that a job works at most, and at least when other bells wait.
SLICE, SHORT_SLICE = 20.0, 1.0
#: Seconds between two ticks.
TICK = 5.0


class Slice:
    """A job's share of the worker's time."""

    def __init__(self, bells: Bells, bell: Bell, kinds: Collection[Kind]) -> None:
        self._bells = bells
        self._bell = bell
        self._kinds = kinds
        self._began = self._renewed = self._looked = time.monotonic()
        self._cut = False

    def cut(self) -> None:
        """It is over after the batch at hand."""
        self._cut = True

    def is_over(self) -> bool:
        """True when the job is to end; keeps the bell's lease meanwhile."""
        now = time.monotonic()
        if now - self._renewed > RENEWAL:
            self._renewed = now
            self._cut = self._cut or not self._bells.renew(self._bell)
        if not self._cut and now - max(self._began, self._looked) > SHORT_SLICE:
            self._looked = now
            self._cut = self._bells.wait(self._kinds)
        return self._cut or now - self._began > SLICE


@dataclass(slots=True, kw_only=True)
class Fleet:
    """One worker process' part of the work."""

    app: App
    streams: Streams
    bells: Bells
    deliveries: Deliveries
    deciders: Deciders
    nightly: Sequence[Watch]
    #: What this process answers.
    kinds: Collection[Kind]
    #: Types of events about no customer that every partition has to see.
    awaited: Collection[str] = ()
    _readers: dict[int, Reader] = field(default_factory=dict)
    _slice: Slice | None = None
    _answering: Bell | None = None

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
        if not self.bells.hold(bell):
            return
        self._answering = bell
        self.bells.heard(bell)
        self._slice = Slice(self.bells, bell, self.kinds)
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
                intake = Intake(self.app.store, self.streams, self.awaited, sweeps)
                intake.work(self._ring_partitions, is_over)
            case Kind.PROCESS:
                self._process(int(bell.of), is_over)
            case Kind.SWEEP:
                self._sweep(int(bell.of), is_over)
            case Kind.DELIVER:
                self.deliveries.work(bell.of, is_over, lambda: self._call_help(bell.of))
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
            for night in self.nightly:
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


def redis_of(project: Project, **options: float) -> Redis:
    """The server that the project names, with options of the client; not yet reached.

    Raises:
        SettingsError: What is named is no address.
    """
    try:
        return Redis.from_url(project.redis, protocol=2, **options)
    except ValueError as e:
        raise SettingsError(
            "`redis` in shopflow.yaml is no address of a server; give one such as "
            "redis://localhost:6379/0, or set the variable that it names"
        ) from e


def connect(project: Project) -> Redis:
    """The project's Redis, reached.

    Raises:
        SettingsError: None is named, or it does not know the password.
        StoreError: It cannot be reached just now.
    """
    if not project.redis:
        raise SettingsError(
            "`redis` in shopflow.yaml is empty: name a server, or use `shopflow run`, "
            "which needs none"
        )
    redis = redis_of(project)
    try:
        redis.ping()
    except AuthenticationError as e:
        raise SettingsError(f"Redis refuses us; check `redis` in shopflow.yaml: {e}") from e
    except RedisError as e:
        message = f"Redis cannot be reached; check `redis` in shopflow.yaml: {e}"
        raise StoreError(message, retryable=True) from e
    return redis


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
    loaded = load_project(root, kept=True).require()
    redis = connect(loaded.project)
    with ExitStack() as opened:
        app = opened.enter_context(open_app(root, event_clock=event_clock, loaded=loaded))
        fleet = fleet_of(app, redis, kinds)
        opened.callback(fleet.deliveries.close)
        pulse = Pulse(
            Board(redis, fleet.streams.namespace),
            app.meter,
            queues=map(str, kinds),
            digest=loaded.ruleset.digest,
        )
        pulse.start()
        opened.callback(pulse.end)
        told = {"queues": [*kinds], "rules": loaded.ruleset.digest}
        log.info("the worker begins", extra=told)
        opened.enter_context(settled())
        yield fleet
        log.info("the worker ends", extra=told)


def fleet_of(app: App, redis: Redis, kinds: Collection[Kind] = tuple(Kind)) -> Fleet:
    """One worker's part of the work on an opened project."""
    parts = app.parts(deliver=False)
    # Jobs are done one after the other, so that the store needs no thread of its own.
    parts.write.close()
    namespace = app.project.queue.namespace
    return Fleet(
        app=app,
        streams=Streams(redis, namespace, app.store.partitions),
        bells=Bells(redis, namespace),
        deliveries=Deliveries(app, carriers_of(app.project)),
        deciders=Deciders(
            store=app.store,
            processor=parts.processor,
            timers=parts.timers,
            sweeps=parts.sweeps,
            clock=wall_clock,
            meter=app.meter,
        ),
        nightly=app.nightly(),
        kinds=kinds,
        awaited=parts.rulebook.awaited_types,
    )
