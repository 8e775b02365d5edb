"""`shopflow events`: bringing events in from elsewhere."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import click

from shopflow.cli.options import FORMAT, PROJECT
from shopflow.cli.run import as_json, as_text, progress_bar, run_until_stopped
from shopflow.cli.send import send
from shopflow.runtime.app import open_app
from shopflow.runtime.embedded import Embedded
from shopflow.runtime.sources import open_sources


@click.group
def events() -> None:
    """Bring events in."""


events.add_command(send)


@events.command(name="import")
@click.argument("files", nargs=-1, required=True)
@FORMAT
@PROJECT
def import_files(files: tuple[str, ...], style: str, project: Path) -> None:
    """Read recorded events into the state, so that traits, segments and timers know the past.

    FILES are JSONL files, plain or gzipped; - is standard input. Nothing is delivered meanwhile,
    and what is too old to be sent is dropped as stale. What is still due leaves at the next run.
    """
    with open_app(project) as app, progress_bar() as show:
        runner = Embedded(app.parts(deliver=False), sources=open_sources(files), on_progress=show)
        totals = asyncio.run(run_until_stopped(runner))
    click.echo(json.dumps(as_json(totals), indent=2) if style == "json" else as_text(totals))
