"""`shopflow explain`: why was it sent, or not?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from shopflow.cli.options import FORMAT, PROJECT
from shopflow.cli.reading import open_for_reading
from shopflow.domain.ids import CustomerId, EventId
from shopflow.report import explain as report
from shopflow.store.protocol import Store
from shopflow.store.records import StoredDeadLetter

#: Dead letters that are looked through for an event's id.
SEARCHED = 10_000


@click.group
def explain() -> None:
    """Say why a customer got a message or did not, or what an event led to."""


@explain.command
@click.argument("customer_id", metavar="ID")
@click.option("--workflow", help="Only what this workflow decided.")
@FORMAT
@PROJECT
def customer(customer_id: str, workflow: str | None, style: str, project: Path) -> None:
    """Tell what was decided for a customer, in order, each time with its reason."""
    with open_for_reading(project) as (settings, store):
        found = store.views.customer(CustomerId(customer_id))
        timeline = store.views.timeline(CustomerId(customer_id))
    if found is None and not timeline.events:
        raise click.ClickException(f"no customer '{customer_id}' is known here")
    lines = report.of_customer(timeline, workflow)
    if style == "json":
        _as_json({"customer_id": customer_id}, lines)
        return
    click.echo(f"customer {customer_id}")
    for text in report.about(found) if found is not None else ():
        click.echo(f"  {text}")
    for text in report.rendered(lines, report.zone_of(found, settings.timezone)):
        click.echo(text)
    told = {line.record.get("event_id") for line in lines}
    if quiet := sum(event.id not in told for event in timeline.events):
        click.echo(f"\n{quiet:,} more events led to nothing")


@explain.command
@click.argument("event_id", metavar="ID")
@FORMAT
@PROJECT
def event(event_id: str, style: str, project: Path) -> None:
    """Tell what an event led to, or why it was set aside."""
    with open_for_reading(project) as (settings, store):
        found = store.views.event(EventId(event_id))
        letters = _dead_letters(store, event_id)
        owner = found.customer_id if found is not None else None
        person = store.views.customer(owner) if owner is not None else None
        timeline = store.views.timeline(owner) if owner is not None else None
    if found is None and not letters:
        raise click.ClickException(f"no event '{event_id}' is known here")
    lines = report.of_event(timeline, found) if found is not None and timeline is not None else []
    if style == "json":
        told = [{"at": one.at.isoformat(), "reason": one.reason, "detail": one.detail}
                for one in letters]  # fmt: skip
        _as_json({"event_id": event_id, "customer_id": owner, "dead_letters": told}, lines)
        return
    if found is not None:
        about = f"customer {owner}" if owner is not None else "no customer"
        click.echo(f"event {event_id}, {found.type}, about {about}")
    for letter in letters:
        click.echo(report.dead_letter(letter))
    for text in report.rendered(lines, report.zone_of(person, settings.timezone)):
        click.echo(text)
    if found is not None and len(lines) <= 1:
        click.echo("no rule did anything because of it")


def _dead_letters(store: Store, event_id: str) -> list[StoredDeadLetter]:
    marker = json.dumps({"id": event_id}, ensure_ascii=False, separators=(",", ":"))[1:-1]
    return [
        letter
        for letter in store.views.dead_letters(limit=SEARCHED)
        if letter.event_id == event_id or marker in letter.payload
    ]


def _as_json(head: dict[str, object], lines: Sequence[report.Line]) -> None:
    told = [
        {"at": line.at.isoformat(), "workflow": line.workflow, "what": line.what, **line.record}
        for line in lines
    ]
    click.echo(json.dumps({**head, "timeline": told}, indent=2, default=str))
