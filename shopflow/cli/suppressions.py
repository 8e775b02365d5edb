"""`shopflow suppressions`: addresses that nothing, or no marketing, goes to any more."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import click

from shopflow.cli.options import FORMAT, PROJECT
from shopflow.cli.reading import open_for_reading
from shopflow.domain.customer import SuppressionScope
from shopflow.domain.journal import Stopped
from shopflow.runtime import suppression_files
from shopflow.runtime.hashes import Hashes, hold
from shopflow.runtime.safety import log_of, suppressed
from shopflow.runtime.sealing import project_hashes
from shopflow.store.protocol import Store
from shopflow.store.records import Suppression

#: Refused lines of a file that are told one by one.
MOST_TOLD = 20

_REASONS = [str(Stopped.MANUAL), str(Stopped.COMPLAINT), str(Stopped.HARD_BOUNCE)]


@click.group
def suppressions() -> None:
    """Keep addresses from being written to; they are known by keyed hashes only."""


@contextmanager
def _opened(project: Path) -> Iterator[tuple[Store, Hashes]]:
    with open_for_reading(project) as (settings, store):
        hashes = project_hashes(settings)
        hold(store, hashes)
        yield store, hashes


def _which(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--channel",
        default="",
        show_default="every channel",
        help="The channel that must not reach it.",
    )(command)


@suppressions.command
@click.argument("address")
@_which
@click.option(
    "--scope",
    type=click.Choice([str(SuppressionScope.MARKETING), str(SuppressionScope.ADDRESS)]),
    default=str(SuppressionScope.MARKETING),
    show_default=True,
    help="marketing: service goes on. address: nothing at all.",
)
@FORMAT
@PROJECT
def add(address: str, channel: str, scope: str, style: str, project: Path) -> None:
    """Suppress an address, whoever has it; only a fresh double opt-in lifts it from marketing."""
    with _opened(project) as (store, hashes):
        one = Suppression(
            hash=_hash(hashes, address),
            channel=channel,
            scope=scope,
            reason=Stopped.MANUAL,
            at=datetime.now(UTC),
        )
        if (log := log_of(os.environ, project)) is not None:
            log.note(suppressed([one]))
        store.people.suppress([one])
    click.echo(json.dumps(_record(one)) if style == "json" else f"suppressed: {_line(one)}")


@suppressions.command
@click.argument("address")
@_which
@FORMAT
@PROJECT
def remove(address: str, channel: str, style: str, project: Path) -> None:
    """Let an address be written to again, such as a mailbox that was full and is not any more."""
    with _opened(project) as (store, hashes):
        gone = store.people.unsuppress([_hash(hashes, address)], channel)
    if style == "json":
        click.echo(json.dumps({"removed": gone}))
    elif gone:
        click.echo(f"{gone} removed; consent is asked for as before")
    else:
        raise click.ClickException("no suppression of this address on this channel")


@suppressions.command(name="list")
@click.argument("address", required=False)
@FORMAT
@PROJECT
def list_them(address: str | None, style: str, project: Path) -> None:
    """Show what is suppressed, or what stops one address."""
    with _opened(project) as (store, hashes):
        if address is None:
            found = [*store.people.suppressions()]
        else:
            found = store.views.suppressions([_hash(hashes, address)])
    if style == "json":
        click.echo(json.dumps([_record(one) for one in found], indent=2))
        return
    for one in found:
        click.echo(_line(one))
    click.echo(f"{len(found):,} suppressions")


@suppressions.command(name="import")
@click.argument("file", type=click.File(encoding="utf-8-sig"))
@_which
@click.option(
    "--reason",
    type=click.Choice(_REASONS),
    default=str(Stopped.MANUAL),
    show_default=True,
    help="Of lines that do not say it.",
)
@FORMAT
@PROJECT
def import_list(file: IO[str], channel: str, reason: str, style: str, project: Path) -> None:
    """Suppress every address of a CSV file with a column email, phone, address or hash.

    Columns channel, scope, reason and at are taken too, where they are there. Hashes are those of
    an export under the same key.
    """
    now = datetime.now(UTC)
    with _opened(project) as (store, hashes):
        done = suppression_files.read(
            store.people,
            hashes,
            file,
            channel=channel,
            reason=Stopped(reason),
            now=now,
            log=log_of(os.environ, project),
        )
    if style == "json":
        refused = [{"line": line, "why": why} for line, why in done.refused]
        click.echo(json.dumps({"suppressed": done.taken, "refused": refused}, indent=2))
    else:
        for line, why in done.refused[:MOST_TOLD]:
            click.echo(f"line {line}: {why}", err=True)
        click.echo(f"{done.taken:,} suppressed, {len(done.refused):,} lines refused")
    if done.refused:
        sys.exit(1)


@suppressions.command
@click.argument("file", type=click.File("w", encoding="utf-8"), default="-")
@PROJECT
def export(file: IO[str], project: Path) -> None:
    """Write every suppression, by hash, as a CSV file that can be imported under the same key."""
    with _opened(project) as (store, _):
        count = suppression_files.write(store.people.suppressions(), file)
    click.echo(f"{count:,} suppressions written", err=True)


def _hash(hashes: Hashes, address: str) -> str:
    known = hashes.address(address)
    if not known:
        raise click.UsageError("the address is empty")
    return known


def _record(one: Suppression) -> dict[str, object]:
    return {
        "hash": one.hash,
        "channel": one.channel,
        "scope": one.scope,
        "reason": one.reason,
        "at": one.at.isoformat(),
    }


def _line(one: Suppression) -> str:
    where = one.channel or "every channel"
    return f"{one.hash}  {where:14} {one.scope:10} {one.reason:12} {one.at:%Y-%m-%d %H:%M}"
