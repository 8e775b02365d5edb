"""`shopflow events`: bringing events in from elsewhere."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from shopflow.cli.reading import PROJECT
from shopflow.cli.run import progress_bar, run_until_stopped, tell_totals
from shopflow.runtime.app import open_app
from shopflow.runtime.embedded import Embedded
from shopflow.runtime.sources import open_sources


@click.group
def events() -> None:
    """Bring events in."""


@events.command(name="import")
@click.argument("files", nargs=-1, required=True)
@PROJECT
def import_files(files: tuple[str, ...], project: Path) -> None:
    """Read recorded events into the state, so that traits, segments and timers know the past.

    FILES are JSONL files, plain or gzipped; - is standard input. Nothing is delivered meanwhile,
    and what is too old to be sent is dropped as stale. What is still due leaves at the next run.
    """
    with open_app(project) as app, progress_bar() as show:
        runner = Embedded(app.parts(deliver=False), sources=open_sources(files), on_progress=show)
        tell_totals(asyncio.run(run_until_stopped(runner)))
