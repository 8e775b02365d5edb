"""`shopflow serve`: the HTTP door of production, beside workers that read the queue."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import closing
from pathlib import Path

import click
from redis import Redis, RedisError

from shopflow.cli.options import LOGS, PROJECT
from shopflow.cli.run import API_KEY, METRICS_KEY
from shopflow.rulebook import load_project
from shopflow.runtime.advice import Advice
from shopflow.runtime.app import database_url
from shopflow.runtime.counter import Counter
from shopflow.runtime.ingest import Ingest
from shopflow.runtime.logs import say
from shopflow.runtime.meter import Meter
from shopflow.runtime.queue.door import StreamDoor
from shopflow.runtime.queue.fleet import connect
from shopflow.runtime.queue.pulse import Board, Pulse
from shopflow.runtime.queue.streams import Streams
from shopflow.runtime.queue.vitals import FleetVitals
from shopflow.store.opening import open_store
from shopflow.store.protocol import Store
from shopflow.web.app import create_app
from shopflow.web.customers import customer_pages
from shopflow.web.probes import Probes
from shopflow.web.server import listen
from shopflow.web.server import serve as serve_app


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
    loaded = load_project(project, kept=True).require()
    settings, digest = loaded.project, loaded.ruleset.digest
    redis = connect(settings)
    streams = Streams(redis, settings.queue.namespace, settings.partitions)
    door = StreamDoor(streams, Ingest(loaded.events.schemas), settings.queue.max_length)

    def opened() -> Store:
        # The tables are made by workers; events are taken all the same.
        return open_store(database_url(settings), partitions=settings.partitions, create=False)

    vitals = FleetVitals(streams, opened)
    meter = Meter()
    pulse = Pulse(Board(redis, streams.namespace), meter, queues=["http"], digest=digest)
    listening = listen(http)
    host, port = listening.getsockname()[:2]
    say(f"events: POST http://{host}:{port}/v1/events")
    with (
        closing(vitals),
        closing(Probes(vitals.read, lambda: _answers(redis), digest=digest)) as p,
        closing(Advice(loaded.ruleset, opened)) as advice,
        closing(Counter(loaded, opened)) as desk,
    ):
        app = create_app(
            door,
            api_key=os.environ.get(API_KEY, ""),
            metrics_key=os.environ.get(METRICS_KEY, ""),
            probes=p,
            meter=meter,
            advice=advice,
            pages=customer_pages(
                settings,
                loaded.ruleset,
                desk.links,
                run=desk.run,
                wishes=desk.wishes,
                api_key=os.environ.get(API_KEY, ""),
            ),
        )

        async def run() -> None:
            ending = asyncio.Event()
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, ending.set)
            await serve_app(app, listening, ending)

        pulse.start()
        asyncio.run(run())
        pulse.end()


def _answers(redis: Redis) -> bool:
    try:
        return bool(redis.ping())
    except RedisError:
        return False
