"""`shopflow consent`: what a customer agreed to, at any time, and what shows it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from shopflow.cli.options import FORMAT, PROJECT
from shopflow.cli.reading import INSTANT, open_for_reading
from shopflow.domain.ids import CustomerId
from shopflow.domain.journal import LedgerEntry
from shopflow.report import consents
from shopflow.store.protocol import Store


@click.group
def consent() -> None:
    """Look at what customers agreed to, and at what shows it."""


@consent.command
@click.argument("customer_id", metavar="ID")
@click.option("--at", type=INSTANT, help="Where it stood then; now, unless given.")
@FORMAT
@PROJECT
def show(customer_id: str, at: datetime | None, style: str, project: Path) -> None:
    """Show where the consent to each purpose on each channel stands, or stood."""
    moment = at or datetime.now(UTC)
    with open_for_reading(project) as (_, store):
        found = consents.standing(_ledger(store, customer_id), moment)
    if style == "json":
        told = [{**consents.record(entry), "state": one.state} for one, entry in found.values()]
        click.echo(json.dumps({"at": moment.isoformat(), "consents": told}, indent=2))
        return
    click.echo(f"customer {customer_id}, {moment:%Y-%m-%d %H:%M} UTC")
    for (channel, purpose), (one, entry) in found.items():
        until = f" until {one.until:%Y-%m-%d %H:%M}" if one.until and one.until > moment else ""
        since = f"{one.at:%Y-%m-%d %H:%M}"
        click.echo(
            f"  {channel:10} {purpose:16} {one.state}{until}  "
            f"(since {since}, {one.basis}, by {entry.source or 'nobody said'})"
        )
    if not found:
        click.echo("  nothing was ever said, so nothing is allowed that needs consent")


@consent.command
@click.argument("customer_id", metavar="ID")
@FORMAT
@PROJECT
def proof(customer_id: str, style: str, project: Path) -> None:
    """Export all that the ledger holds of a customer: who said what, when, to which text."""
    with open_for_reading(project) as (_, store):
        entries = _ledger(store, customer_id)
    if style == "json":
        told = [consents.record(entry) for entry in entries]
        click.echo(json.dumps({"customer_id": customer_id, "ledger": told}, indent=2))
        return
    for entry in entries:
        one = entry.consent
        words = [f"by {entry.source}"] if entry.source else []
        words += [f"text {entry.text_version}"] if entry.text_version else []
        words += [f"proof: {entry.proof}"] if entry.proof else []
        words += [f"event {entry.event_id}"] if entry.event_id else []
        click.echo(
            f"{one.at:%Y-%m-%d %H:%M:%S}  {entry.channel:10} {entry.purpose:16} {one.state:10} "
            f"{one.basis:20} {', '.join(words)}"
        )
    click.echo(f"{len(entries):,} entries")


def _ledger(store: Store, customer_id: str) -> list[LedgerEntry]:
    """What the ledger holds of the customer, and of the visitors that it was before."""
    ids = [CustomerId(customer_id), *store.people.aliases(CustomerId(customer_id))]
    entries = store.people.ledger(ids)
    if not entries and store.views.customer(CustomerId(customer_id)) is None:
        raise click.ClickException(f"no customer '{customer_id}' is known here")
    return entries
