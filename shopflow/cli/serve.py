"""`shopflow serve`: the HTTP door of production, beside workers that read the queue."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import click
from redis import Redis, RedisError

from shopflow.cli.options import LOGS, PROJECT
from shopflow.cli.run import API_KEY, METRICS_KEY
from shopflow.errors import StoreError
from shopflow.lang.project import Project
from shopflow.rulebook import load_project, load_settings
from shopflow.runtime.activation import LOOK, Activation, Lookout, activate
from shopflow.runtime.advice import Advice
from shopflow.runtime.app import database_url
from shopflow.runtime.contact import region_of
from shopflow.runtime.counter import Counter
from shopflow.runtime.environment import hold_environment
from shopflow.runtime.ingest import Ingest
from shopflow.runtime.logs import say
from shopflow.runtime.meter import Meter
from shopflow.runtime.queue.bells import Bell, Bells, Kind
from shopflow.runtime.queue.connecting import connect
from shopflow.runtime.queue.door import StreamDoor
from shopflow.runtime.queue.pulse import Board, Pulse, RulesAtWork
from shopflow.runtime.queue.streams import Streams
from shopflow.runtime.queue.vitals import FleetVitals
from shopflow.runtime.sealing import check_secrets
from shopflow.store.opening import open_store
from shopflow.store.protocol import Store
from shopflow.web.app import create_app
from shopflow.web.customers import customer_pages
from shopflow.web.front import Front, Served
from shopflow.web.probes import Probes
from shopflow.web.server import listen
from shopflow.web.server import serve as serve_app

log = logging.getLogger("shopflow.serve")


@click.command
@click.option(
    "--http",
    metavar="HOST:PORT",
    default="127.0.0.1:8080",
    show_default=True,
    help="Take events over HTTP there, until stopped.",
)
@LOGS
@PROJECT
def serve(http: str, project: Path) -> None:
    """Take events over HTTP and add them to the queue in Redis, for `shopflow worker`.

    /metrics tells Prometheus of all workers on all machines; /readyz says whether events are taken.

    With the environment variable SHOPFLOW_API_KEY, events need it as a bearer token, and so do the
    metrics, unless SHOPFLOW_METRICS_KEY names one of their own.
    """
    check_secrets(os.environ, [API_KEY, METRICS_KEY])
    settings = load_settings(project, strict=True)
    redis = connect(settings)
    streams = Streams(redis, settings.queue.namespace, settings.partitions)

    def opened() -> Store:
        # The tables are made by workers; events are taken all the same.
        return open_store(database_url(settings), partitions=settings.partitions, create=False)

    with closing(Office(project, settings, streams, opened)) as office:
        pulse = Pulse(
            Board(redis, streams.namespace), office.meter, queues=["http"], rules=office.rules
        )
        listening = listen(http)
        host, port = listening.getsockname()[:2]
        say(f"events: POST http://{host}:{port}/v1/events")

        async def run() -> None:
            ending = asyncio.Event()
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, ending.set)
            keeping = asyncio.create_task(office.keep_up(ending))
            await serve_app(office.front, listening, ending)
            ending.set()
            await keeping

        pulse.start()
        asyncio.run(run())
        pulse.end()


class Office:
    """What answers by the rules at work, and others in its place when they are deployed."""

    def __init__(
        self, root: Path, settings: Project, streams: Streams, opened: Callable[[], Store]
    ) -> None:
        self._root = root
        self._settings = settings
        self._streams = streams
        self._bells = Bells(streams.redis, streams.namespace)
        self._open = opened
        self._store: Store | None = None
        self._lookout: Lookout | None = None
        self.meter = Meter()
        self._vitals = FleetVitals(streams, opened)
        self._active = self._begin()
        self.front = Front(self._served(self._active))

    def close(self) -> None:
        """Lets go of everything."""
        self.front.close()
        self._vitals.close()
        if self._store is not None:
            self._store.close()

    def rules(self) -> RulesAtWork:
        """What answers here, for others to see."""
        failure = self._lookout.failure if self._lookout is not None else None
        return RulesAtWork(
            digest=self._active.loaded.ruleset.digest,
            revision=self._active.revision,
            failure=failure.message if failure is not None else "",
        )

    async def keep_up(self, ending: asyncio.Event) -> None:
        """Puts other rules in place as they are deployed, until it ends."""
        while not ending.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await ending.wait()
            if (served := await asyncio.to_thread(self._newer)) is not None:
                self.front.put(served)

    def _begin(self) -> Activation:
        try:
            self._store = self._open()
            hold_environment(self._store, self._settings)
            active = activate(self._root, self._store)
        except StoreError as e:
            # Events are taken before there is a database; what is deployed is taken up later.
            log.info("the rules of the folder answer for now: %s", e)
            return Activation(loaded=load_project(self._root, kept=True).require())
        self._lookout = Lookout(self._root, self._store, active)
        return active

    def _newer(self) -> Served | None:
        if self._lookout is None:
            try:
                self._store = self._store or self._open()
            except StoreError:
                return None
            self._lookout = Lookout(self._root, self._store, self._active)
        return self._lookout.take_up(self._turn_to)

    def _turn_to(self, active: Activation) -> Served:
        served = self._served(active)
        self._active = active
        return served

    def _ring(self) -> None:
        """Messages may leave: whoever delivers need not wait for the clock."""
        try:
            self._bells.ring(Bell(Kind.DELIVER, name) for name in self._settings.channels)
        except RedisError as e:
            # What was wished is kept; the clock rings for it as soon as Redis is back.
            log.info("the bells of the channels are out of reach: %s", type(e).__name__)

    def _served(self, active: Activation) -> Served:
        loaded, redis = active.loaded, self._streams.redis
        ruleset, api_key = loaded.ruleset, os.environ.get(API_KEY, "")
        probes = Probes(self._vitals.read, lambda: _answers(redis), digest=ruleset.digest)
        advice, desk = Advice(ruleset, self._open), Counter(loaded, self._open, self._ring)
        ingest = Ingest(loaded.events.schemas, region=region_of(self._settings.locale))
        made = create_app(
            StreamDoor(self._streams, ingest, self._settings.queue.max_length),
            api_key=api_key,
            metrics_key=os.environ.get(METRICS_KEY, ""),
            probes=probes,
            meter=self.meter,
            advice=advice,
            pages=customer_pages(
                self._settings,
                ruleset,
                desk.links,
                run=desk.run,
                wishes=desk.wishes,
                api_key=api_key,
            ),
        )

        def close() -> None:
            for one in (probes, advice, desk):
                one.close()

        return Served(app=made, close=close)


def _answers(redis: Redis) -> bool:
    try:
        return bool(redis.ping())
    except RedisError:
        return False
