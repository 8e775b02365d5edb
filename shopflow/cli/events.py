"""`shopflow events`: bringing events in from elsewhere, and out for others to see."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from shopflow.cli.options import FORMAT, PROJECT, length
from shopflow.cli.reading import open_for_reading
from shopflow.cli.run import as_json, as_text, progress_bar, run_until_stopped
from shopflow.cli.send import send
from shopflow.errors import SettingsError
from shopflow.rulebook import load_project
from shopflow.runtime.app import open_app
from shopflow.runtime.embedded import Embedded
from shopflow.runtime.exporting import Exporter
from shopflow.runtime.logs import say
from shopflow.runtime.pseudonyms import pseudonyms_of
from shopflow.runtime.sources import open_sources


@click.group
def events() -> None:
    """Bring events in, or out for others to see."""


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


@events.command
@click.option(
    "--pseudonymous",
    is_flag=True,
    required=True,
    help="Name nobody: keyed ids, the fields that rules ask for, no words.",
)
@click.option(
    "--since",
    metavar="LENGTH",
    callback=length,
    default="30d",
    show_default=True,
    help="From when on all that rules listen to is written; of before, what customers are made of.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file; packed where it ends in .gz. Standard output unless given.",
)
@PROJECT
def export(*, pseudonymous: bool, since: timedelta, out: Path | None, project: Path) -> None:
    """Write recorded events that `shopflow plan` replays where nobody may see who they are about.

    SHOPFLOW_PSEUDONYM_KEY holds the secret that pseudonyms are made by: the same for the same.
    """
    del pseudonymous
    pseudonyms = pseudonyms_of(os.environ)
    with open_for_reading(project) as (_, store):
        exporter = Exporter(load_project(project, strict=False).require(), pseudonyms)
        lines = exporter.lines(store, datetime.now(UTC) - since)
        try:
            _put(lines, out)
        except OSError as e:
            raise SettingsError(f"{e.filename or out}: cannot be written: {e.strerror}") from e
    done = exporter.done
    say(f"{done.events:,} events; {done.unused:,} that no rule asks for are left out")
    for name, count in sorted(done.unsound.items()):
        say(f"{count:,} of {name} are left out: without their words they do not fit their schema")


def _put(lines: Iterable[bytes], out: Path | None) -> None:
    if out is None:
        sys.stdout.buffer.writelines(lines)
        return
    with out.open("wb") as raw:
        if out.suffix == ".gz":
            # No name and no time in it: the same events are the same bytes.
            with gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
                packed.writelines(lines)
        else:
            raw.writelines(lines)
