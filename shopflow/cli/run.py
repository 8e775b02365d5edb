"""`shopflow run`: everything in one process, from events to messages that have left."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from starlette.routing import Route

from shopflow.cli.options import FORMAT, LOGS, PROJECT
from shopflow.report.status import messages_line, reasons_line, totals_line
from shopflow.runtime.activation import Activation
from shopflow.runtime.advice import Advice
from shopflow.runtime.answers import Taken, Totals
from shopflow.runtime.app import App, open_app
from shopflow.runtime.door import Door
from shopflow.runtime.embedded import Embedded, Parts
from shopflow.runtime.logs import say
from shopflow.runtime.sealing import check_secrets
from shopflow.runtime.simulate import Until
from shopflow.runtime.sources import open_sources
from shopflow.runtime.vitals import EmbeddedVitals, StoreLooks
from shopflow.web.app import create_app
from shopflow.web.customers import customer_pages
from shopflow.web.front import Front, Served
from shopflow.web.probes import Probes
from shopflow.web.server import listen, serve

#: Whoever posts events must show this, when it is set.
API_KEY = "SHOPFLOW_API_KEY"
#: Whoever reads metrics must show this, or else the key of the events.
METRICS_KEY = "SHOPFLOW_METRICS_KEY"


@click.command
@click.argument("files", nargs=-1)
@click.option("--http", metavar="HOST:PORT", help="Take events over HTTP there, until stopped.")
@click.option(
    "--clock",
    type=click.Choice(["wall", "event"]),
    default="wall",
    show_default=True,
    help="What the time is: the machine's clock, or (for recorded events) the events themselves.",
)
@click.option(
    "--until",
    type=click.Choice([str(each) for each in Until]),
    default=str(Until.END),
    show_default=True,
    help="With --clock event: stop the clock at the last event, or when no timer is left.",
)
@click.option("--follow", is_flag=True, help="Wait for lines that are appended to the files.")
@FORMAT
@LOGS
@PROJECT
def run(  # noqa: PLR0917 - click passes each option by name
    files: tuple[str, ...],
    http: str | None,
    clock: str,
    until: str,
    follow: bool,  # noqa: FBT001 - click passes flags by name
    style: str,
    project: Path,
) -> None:
    """Read events, decide, and send: one process, SQLite, nothing else to install.

    FILES are JSONL files, plain or gzipped, read one after the other; - is standard input.
    Without --http and --follow it ends when everything is read and nothing is left to send.
    SIGTERM and Ctrl-C finish the batch at hand. After any end, run it again: it goes on there.

    With the environment variable SHOPFLOW_API_KEY, events over HTTP need it as a bearer token, and
    so do the metrics at /metrics, unless SHOPFLOW_METRICS_KEY names one of their own.
    """
    if not files and http is None:
        raise click.UsageError("name a file, - for standard input, or --http HOST:PORT")
    if http is not None:
        check_secrets(os.environ, [API_KEY, METRICS_KEY])
    with open_app(project, event_clock=clock == "event") as app:
        totals = _run(app, files, http=http, follow=follow, until=Until(until))
        messages = app.store.views.status().messages
    if style == "json":
        left = {str(state): count for state, count in messages.items() if count}
        click.echo(json.dumps({**as_json(totals), "messages": left}, indent=2))
    else:
        click.echo(as_text(totals))
        click.echo(f"messages: {messages_line(messages)}")


def as_text(totals: Totals) -> str:
    """The sums of a run, as people read them."""
    line = totals_line({str(each): totals.taken[each] for each in Taken})
    return f"{line}\n  dead letters: {reasons_line(totals.reasons)}" if totals.reasons else line


def as_json(totals: Totals) -> dict[str, object]:
    """The sums of a run, as plain values."""
    return {
        "events": {"in": totals.events, **{str(each): totals.taken[each] for each in Taken}},
        "dead_letters": dict(totals.reasons),
    }


def _run(
    app: App, files: tuple[str, ...], *, http: str | None, follow: bool, until: Until
) -> Totals:
    sources, door = open_sources(files, follow=follow), Door() if http is not None else None
    desk = Desk(app, door)
    beside: Callable[[asyncio.Event], Awaitable[None]] | None = None
    if http is not None:
        listening = listen(http)
        host, port = listening.getsockname()[:2]
        beside = lambda ending: serve(desk.front, listening, ending)  # noqa: E731 - one line, used once
        say(f"events: POST http://{host}:{port}/v1/events")
    with progress_bar() as show:
        runner = Embedded(
            desk.parts,
            sources=sources,
            door=door,
            stays=follow,
            until=until,
            on_progress=show,
            newer=desk.newer,
        )
        return asyncio.run(run_until_stopped(runner, beside))


class Desk:
    """What runs by the rules at work: the parts of the runner, and the pages over HTTP."""

    def __init__(self, app: App, door: Door | None) -> None:
        self._app = app
        self._door = door
        self._lookout = app.lookout()
        self.parts = app.parts()
        self.front = Front(self._served())

    def newer(self, parts: Parts) -> Parts | None:
        """What takes the place of these parts, when other rules were deployed."""
        if self._lookout.take_up(lambda active: self._turn_to(active, parts)) is None:
            return None
        return self.parts

    def _turn_to(self, active: Activation, parts: Parts) -> bool:
        app = self._app.activated(active)
        self.parts = app.parts(write=parts.write)
        self._app = app
        self.front.put(self._served())
        return True

    def _served(self) -> Served:
        app = self._app
        vitals = EmbeddedVitals(StoreLooks(app.store), app.meter, self._failure)
        probes = Probes(vitals.read, vitals.can_take, digest=app.loaded.ruleset.digest)
        api_key = os.environ.get(API_KEY, "")
        pages = [] if app.event_clock else self._pages(api_key)
        made = create_app(
            self._door or Door(),
            api_key=api_key,
            metrics_key=os.environ.get(METRICS_KEY, ""),
            probes=probes,
            meter=app.meter,
            advice=Advice(app.loaded.ruleset, lambda: app.store),
            pages=pages,
        )
        return Served(app=made, close=probes.close)

    def _pages(self, api_key: str) -> Sequence[Route]:
        app = self._app
        return customer_pages(
            app.project,
            app.loaded.ruleset,
            app.links(),
            run=self.parts.write,
            wishes=lambda: self.parts.wishes,
            api_key=api_key,
        )

    def _failure(self) -> str:
        failure = self._lookout.failure
        return failure.message if failure is not None else ""


async def run_until_stopped(
    runner: Embedded, beside: Callable[[asyncio.Event], Awaitable[None]] | None = None
) -> Totals:
    """Runs; the first SIGTERM or Ctrl-C ends it in order, a second one at once."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        say("stopping: the batch at hand is finished")
        runner.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    return await runner.run(beside)


@contextmanager
def progress_bar() -> Iterator[Callable[[Totals], None] | None]:
    """Shows how much of the files is read; on a terminal only."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[events]:,} events"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None, events=0)

        def show(totals: Totals) -> None:
            bar.update(task, total=totals.size or None, completed=totals.read, events=totals.events)

        yield show
