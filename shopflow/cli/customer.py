"""`shopflow customer`: what is kept of a person, as a copy for them, and its erasure."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import click

from shopflow.cli.options import FORMAT, PROJECT
from shopflow.cli.reading import open_for_reading
from shopflow.domain.ids import CustomerId
from shopflow.report import person as report
from shopflow.runtime import erasure
from shopflow.runtime.erasure import Person
from shopflow.runtime.hashes import Hashes, hold
from shopflow.runtime.queue.connecting import connect
from shopflow.runtime.queue.streams import Streams
from shopflow.runtime.safety import log_of
from shopflow.runtime.sealing import project_hashes
from shopflow.store.protocol import Store


@click.group
def customer() -> None:
    """Show, export or erase what is kept of a person."""


@contextmanager
def _found(
    project: Path, customer_id: str
) -> Iterator[tuple[Store, Hashes, Person, Streams | None]]:
    with open_for_reading(project) as (settings, store):
        hashes = project_hashes(settings)
        hold(store, hashes)
        person = erasure.person_of(store, CustomerId(customer_id))
        streams = None
        if settings.redis:
            streams = Streams(connect(settings), settings.queue.namespace, store.partitions)
        yield store, hashes, person, streams


def _check_known(person: Person, customer_id: str) -> None:
    if not person.is_known:
        raise click.ClickException(f"no customer '{customer_id}' is known here")


@customer.command
@click.argument("customer_id", metavar="ID")
@FORMAT
@PROJECT
def timeline(customer_id: str, style: str, project: Path) -> None:
    """Show what happened to a customer, was decided and was sent, in order."""
    with _found(project, customer_id) as (store, _, person, _):
        _check_known(person, customer_id)
        lines = report.timeline_of(store, person.ids)
    if style == "json":
        click.echo(json.dumps(lines, indent=2, default=str))
        return
    for line in lines:
        words = [str(line[name]) for name in _SHOWN if line.get(name)]
        click.echo(f"{str(line['at'])[:19]}  {line['what']:9} {' '.join(words)}")
    click.echo(f"{len(lines):,} lines")


#: What a line of a timeline says.
_SHOWN = ("type", "kind", "state", "workflow", "step", "channel", "template", "reason")


@customer.command
@click.argument("customer_id", metavar="ID")
@click.option("--html", is_flag=True, help="A page for the person instead of JSON.")
@click.option(
    "--to",
    "file",
    type=click.File("w", encoding="utf-8"),
    default="-",
    show_default="printed",
    help="The file to write.",
)
@PROJECT
def export(
    customer_id: str,
    html: bool,  # noqa: FBT001 - click passes flags by name
    file: IO[str],
    project: Path,
) -> None:
    """Copy everything that is kept of a customer, and of the visitors that it was."""
    with _found(project, customer_id) as (store, hashes, person, _):
        _check_known(person, customer_id)
        known = [*map(hashes.customer, person.ids), *map(hashes.address, person.addresses)]
        stops = store.views.suppressions(known)
        told = report.export(store, person.ids, stops, at=datetime.now(UTC))
    text = report.as_page(told) if html else json.dumps(told, indent=2, ensure_ascii=False)
    click.echo(text, file=file)


@customer.command
@click.argument("customer_id", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask.")
@FORMAT
@PROJECT
def erase(
    customer_id: str,
    yes: bool,  # noqa: FBT001 - click passes flags by name
    style: str,
    project: Path,
) -> None:
    """Erase a customer for good; events from before now are refused from now on.

    Whoever is not known is erased too: nothing from before comes in any more, should it be sent.
    """
    with _found(project, customer_id) as (store, hashes, person, streams):
        if not yes:
            visitors = f" and {len(person.aliases)} visitors" if person.aliases else ""
            click.confirm(f"Erase {person.id}{visitors} for good?", abort=True)
        receipt = erasure.erase(
            store,
            hashes,
            person,
            datetime.now(UTC),
            streams=streams,
            log=log_of(os.environ, project),
        )
    if style == "json":
        click.echo(
            json.dumps(
                {
                    "receipt": receipt.number,
                    "at": receipt.at.isoformat(),
                    "hashes": receipt.hashes,
                    "rows": receipt.rows,
                    "stream_entries": receipt.entries,
                    "mentions": receipt.mentions,
                },
                indent=2,
            )
        )
        return
    click.echo(f"receipt {receipt.number}, {receipt.at:%Y-%m-%d %H:%M:%S} UTC")
    for name, count in sorted(receipt.rows.items()):
        click.echo(f"  {name:14} {count:>6,} rows")
    click.echo(f"  {'streams':14} {receipt.entries:>6,} entries")
    click.echo(f"  {'mentions':14} {receipt.mentions:>6,} rows of others, blanked")
    click.echo("a tombstone and the opt-out stay, by hash; backups are older than this")
