"""`shopflow dead-letters`: what could not be processed, looked at, tried again, or given up."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from shopflow.cli.options import FORMAT, PROJECT
from shopflow.cli.reading import open_for_reading
from shopflow.report.status import reasons_line
from shopflow.rulebook import load_project
from shopflow.runtime import letters as runtime
from shopflow.runtime.app import open_app
from shopflow.runtime.queue.connecting import connect
from shopflow.runtime.queue.streams import Streams
from shopflow.store.protocol import Store
from shopflow.store.records import StoredDeadLetter

#: Letters that are told one by one when they cannot be tried again.
MOST_TOLD = 20


@click.group(name="dead-letters")
def dead_letters() -> None:
    """Look at what could not be processed, try it again, or give it up."""


def _chosen(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option(
            "--limit",
            type=click.IntRange(1),
            default=1000,
            show_default=True,
            help="At most so many, the newest.",
        ),
        click.option("--reason", help="Only those with this reason."),
        click.argument("numbers", nargs=-1, type=int),
    ):
        command = option(command)
    return command


@dead_letters.command(name="list")
@_chosen
@click.option("--payload", is_flag=True, help="Show each as it came in; it may name people.")
@FORMAT
@PROJECT
def list_letters(
    numbers: tuple[int, ...],
    reason: str | None,
    limit: int,
    payload: bool,  # noqa: FBT001 - click passes flags by name
    style: str,
    project: Path,
) -> None:
    """Show dead letters, newest first, with the reason why each could not be processed."""
    with open_for_reading(project) as (_, store):
        found, counts = _find(store, numbers, reason, limit), store.views.status().dead_letters
    if style == "json":
        click.echo(json.dumps([_record(one, payload=payload) for one in found], indent=2))
        return
    for one in found:
        about = " ".join(filter(None, [one.event_id, one.customer_id]))
        click.echo(
            f"{one.seq:>8}  {one.at:%Y-%m-%d %H:%M:%S}  {one.reason}  {one.detail}"
            + (f"  ({about})" if about else "")
        )
        if payload:
            click.echo(f"          {one.payload}")
    click.echo(f"{sum(counts.values()):,} dead letters" + _by_reason(counts))


@dead_letters.command
@_chosen
@click.option("--all", "every", is_flag=True, help="Without a number or a reason: all of them.")
@FORMAT
@PROJECT
def retry(
    numbers: tuple[int, ...],
    reason: str | None,
    limit: int,
    every: bool,  # noqa: FBT001 - click passes flags by name
    style: str,
    project: Path,
) -> None:
    """Hand dead letters back to the door that events come in by, oldest first.

    With Redis they go to the stream, and the workers decide; without, they are decided here, so
    `shopflow run` must be stopped. What fails again is a dead letter again, with a new number.
    """
    _check_choice(numbers, reason, every=every)
    loaded = load_project(project)
    if loaded.project.redis:
        settings = loaded.project
        streams = Streams(connect(settings), settings.queue.namespace, settings.partitions)
        with open_for_reading(project) as (_, store):
            done = runtime.retry(store, _find(store, numbers, reason, limit), streams.add)
    else:
        with open_app(project) as app:
            parts, now = app.parts(deliver=False), datetime.now(UTC)
            parts.write.close()
            door = runtime.deciding(app.store, parts.processor, now)
            done = runtime.retry(app.store, _find(app.store, numbers, reason, limit), door)
    if style == "json":
        kept = [{"number": one.seq, "why": why} for one, why in done.kept]
        click.echo(json.dumps({"handed_on": done.handed_on, "kept": kept}, indent=2))
        return
    click.echo(f"{done.handed_on:,} handed back to the door, {len(done.kept):,} kept")
    for one, why in done.kept[:MOST_TOLD]:
        click.echo(f"{one.seq:>8}  {one.reason}: {why}")


@dead_letters.command
@_chosen
@click.option("--all", "every", is_flag=True, help="Without a number or a reason: all of them.")
@click.option("--because", prompt="Why are they given up?", help="Why; the journal tells it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@FORMAT
@PROJECT
def drop(  # noqa: PLR0917 - click passes them by name
    numbers: tuple[int, ...],
    reason: str | None,
    limit: int,
    every: bool,  # noqa: FBT001 - click passes flags by name
    because: str,
    yes: bool,  # noqa: FBT001 - click passes flags by name
    style: str,
    project: Path,
) -> None:
    """Give dead letters up for good; they stay counted as dead letters."""
    _check_choice(numbers, reason, every=every)
    with open_for_reading(project) as (_, store):
        found = _find(store, numbers, reason, limit)
        if not yes:
            click.confirm(f"Drop {len(found):,} dead letters?", abort=True)
        gone = runtime.drop(store, found, because=because, at=datetime.now(UTC))
    click.echo(json.dumps({"dropped": gone}) if style == "json" else f"{gone:,} dropped")


def _check_choice(numbers: tuple[int, ...], reason: str | None, *, every: bool) -> None:
    if every == bool(numbers or reason):
        raise click.UsageError("say which: NUMBERS, --reason REASON, or --all")


def _find(
    store: Store, numbers: tuple[int, ...], reason: str | None, limit: int
) -> list[StoredDeadLetter]:
    return store.views.dead_letters(numbers=numbers or None, reason=reason, limit=limit)


def _by_reason(counts: Any) -> str:
    return f": {reasons_line(counts)}" if counts else ""


def _record(letter: StoredDeadLetter, *, payload: bool) -> dict[str, object]:
    shown: dict[str, object] = {
        "number": letter.seq,
        "at": letter.at.isoformat(),
        "reason": letter.reason,
        "detail": letter.detail,
        "stream": letter.stream,
        "event_id": letter.event_id,
        "customer_id": letter.customer_id,
    }
    return {**shown, "payload": letter.payload} if payload else shown
