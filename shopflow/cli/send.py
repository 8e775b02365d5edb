"""`shopflow events send`: recorded events to the queue, as a shop would send them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from shopflow.cli.options import PROJECT
from shopflow.cli.run import API_KEY
from shopflow.client import BATCH, Client, Sent
from shopflow.errors import SettingsError
from shopflow.rulebook import load_project
from shopflow.runtime.sources import Source, open_sources


@click.command
@click.argument("files", nargs=-1, required=True)
@click.option("--to", "url", metavar="URL", help="The HTTP door to send to, instead of Redis.")
@PROJECT
def send(files: tuple[str, ...], url: str | None, project: Path) -> None:
    """Send recorded events to the queue that `redis` in shopflow.yaml names.

    FILES are JSONL files, plain or gzipped, sent one after the other; - is standard input.
    Every line goes as it is, good or bad: the workers say what became of it. It waits while the
    queue is full. With --to, the environment variable SHOPFLOW_API_KEY is shown at the door.
    """
    with _client(project, url) as client:
        sent = _send(client, open_sources(files))
    click.echo(f"{sent.events:,} events sent" + _refused(sent))


def _refused(sent: Sent) -> str:
    return f"; {sent.refused:,} of them were refused and are dead letters" if sent.refused else ""


def _client(root: Path, url: str | None) -> Client:
    if url is not None:
        return Client(url=url, api_key=os.environ.get(API_KEY, ""))
    project = load_project(root).project
    if not project.redis:
        raise SettingsError(
            "`redis` in shopflow.yaml is empty: name a server, or send --to the HTTP door"
        )
    return Client(
        redis_url=project.redis,
        namespace=project.queue.namespace,
        max_length=project.queue.max_length,
    )


def _send(client: Client, sources: Sequence[Source]) -> Sent:
    sent, done = Sent(), 0
    with _bar(sum(source.progress[1] for source in sources)) as (bar, task):
        for source in sources:
            source.start("")
            while not source.at_end:
                raws = [entry.raw for entry in source.read(BATCH)]
                sent += client.send(*raws)
                bar.update(task, completed=done + source.progress[0], events=sent.events)
            done += source.progress[1]
            source.close()
    return sent


@contextmanager
def _bar(total: int) -> Iterator[tuple[Progress, TaskID]]:
    """How much of the files is sent; on a terminal only."""
    console = Console(stderr=True)
    columns = (
        TextColumn("sending"),
        BarColumn(),
        TextColumn("{task.fields[events]:,} events"),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        yield bar, bar.add_task("sending", total=total or None, events=0)
