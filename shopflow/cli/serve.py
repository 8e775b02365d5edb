"""`shopflow serve`: the HTTP door of production, beside workers that read the queue."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import click

from shopflow.cli.options import PROJECT
from shopflow.cli.run import API_KEY
from shopflow.rulebook import load_project
from shopflow.runtime.ingest import Ingest
from shopflow.runtime.queue.door import StreamDoor
from shopflow.runtime.queue.fleet import connect
from shopflow.runtime.queue.streams import Streams
from shopflow.web.app import create_app
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
@PROJECT
def serve(http: str, project: Path) -> None:
    """Take events over HTTP and add them to the queue in Redis, for `shopflow worker`.

    With the environment variable SHOPFLOW_API_KEY, events need it as a bearer token.
    """
    loaded = load_project(project).require()
    settings = loaded.project
    streams = Streams(connect(settings), settings.queue.namespace, settings.partitions)
    door = StreamDoor(streams, Ingest(loaded.events.schemas), settings.queue.max_length)
    listening = listen(http)
    host, port = listening.getsockname()[:2]
    click.echo(f"events: POST http://{host}:{port}/v1/events", err=True)

    async def run() -> None:
        ending = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ending.set)
        await serve_app(create_app(door, api_key=os.environ.get(API_KEY, "")), listening, ending)

    asyncio.run(run())
