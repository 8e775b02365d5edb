"""`shopflow simulate`: recorded events through the rules, and what would have been sent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import click
from rich.console import Console
from rich.progress import Progress

from shopflow.cli.options import FORMAT, PROJECT
from shopflow.cli.until import UNTIL
from shopflow.engine import Rulebook
from shopflow.gitops.outcome import WorkflowTally
from shopflow.rulebook import load_project
from shopflow.runtime.contact import region_of
from shopflow.runtime.ingest import Ingest
from shopflow.runtime.memory import settled
from shopflow.runtime.simulate import Line, Simulation, Until, in_pages
from shopflow.runtime.simulate import simulate as replay
from shopflow.runtime.sources import Source, open_sources


@click.command
@click.argument("events", nargs=-1, required=True)
@UNTIL
@click.option(
    "--sends",
    type=click.File("wb", lazy=False),
    help="Write a line of JSON for each message to this file.",
)
@FORMAT
@PROJECT
def simulate(
    events: tuple[str, ...],
    until: Until | datetime,
    sends: BinaryIO | None,
    style: str,
    project: Path,
) -> None:
    """Replay recorded events on a virtual clock and say what would be sent.

    EVENTS are JSONL files, plain or gzipped, read one after the other; - is standard input.
    """
    loaded = load_project(project, strict=False).require()
    with ExitStack() as opened:
        sources = []
        for name in events:
            sources += open_sources([name])
            opened.callback(sources[-1].close)
        opened.enter_context(settled())
        result = replay(
            Rulebook(loaded.ruleset),
            Ingest(
                loaded.events.schemas, event_clock=True, region=region_of(loaded.project.locale)
            ),
            _read(sources, events),
            until=until,
            partitions=loaded.project.partitions,
        )
    if sends is not None:
        sends.writelines(result.sends())
    if style == "json":
        click.echo(json.dumps(result.as_json(), indent=2))
    else:
        _tell(result)


def _read(sources: Sequence[Source], names: Sequence[str]) -> Iterator[Line]:
    """The lines of all sources, with a bar on a terminal that shows how far it is."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("simulating", total=None)
        for source, name in zip(sources, names, strict=True):
            for lines in in_pages(source, name):
                read = [each.progress for each in sources]
                bar.update(
                    task, completed=sum(r[0] for r in read), total=sum(r[1] for r in read) or None
                )
                yield from lines


def _tell(result: Simulation) -> None:
    dead = result.dead_letters.total()
    click.echo(
        f"{result.events:,} events of {result.customers:,} customers; "
        f"{result.duplicates:,} duplicates, {dead:,} dead letters"
    )
    for reason, count in sorted(result.dead_letters.items()):
        click.echo(f"  {reason}: {count:,}")
    for bad in result.bad_lines:
        click.echo(f"  {bad.place}: {bad.reason}: {bad.detail}")
    idle = []
    for name, tally in result.tally.workflows.items():
        if tally.entered:
            _tell_workflow(name, tally)
        else:
            idle.append(name)
    if idle:
        click.echo(f"\nnobody entered: {', '.join(idle)}")
    if result.tally.errors:
        click.echo(
            f"\n{result.tally.errors:,} conditions or values failed and did not match; "
            "often a field that is missing: ask for it with has()"
        )


def _tell_workflow(name: str, tally: WorkflowTally) -> None:
    click.echo(f"\n{name}\n  entered  {tally.entered:,}")
    counts: Mapping[str, Mapping[str, int]] = {
        "ended": tally.ended,
        "sends": tally.sends,
        "drops": tally.drops,
        "holds": tally.holds,
    }
    for word, count in counts.items():
        if count:
            told = ", ".join(f"{key} {number:,}" for key, number in sorted(count.items()))
            click.echo(f"  {word:<8} {told}")
    if tally.errors:
        click.echo(f"  {'errors':<8} {tally.errors:,}")
