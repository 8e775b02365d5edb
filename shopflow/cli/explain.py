"""`shopflow explain`: why was it sent, or not?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click

from shopflow.cli import explain_event
from shopflow.cli.options import FORMAT, PROJECT
from shopflow.cli.reading import INSTANT, open_for_reading
from shopflow.domain.ids import CustomerId, EnrolmentId, EventId
from shopflow.lang.names import did_you_mean
from shopflow.lang.repository import WORKFLOWS, read_repository
from shopflow.report import explain as report
from shopflow.report.masking import Mask, mask_of
from shopflow.store.protocol import Store
from shopflow.store.records import StoredDeadLetter, Timeline

#: Dead letters that are looked through for an event's id.
SEARCHED = 10_000

_LEVEL = click.option(
    "--level",
    type=click.Choice(["short", "fails", "full"]),
    default="short",
    show_default=True,
    help="What happened; only what did not come about, and why; or all, with every value.",
)
_UNMASK = click.option(
    "--unmask", is_flag=True, help="Show personal data as it is; secrets stay hidden."
)


@click.group
def explain() -> None:
    """Say why a customer got a message or did not, or what an event led to or would lead to."""


@explain.command
@click.argument("customer_id", metavar="ID")
@click.option("--workflow", help="Only what this workflow decided.")
@_LEVEL
@_UNMASK
@FORMAT
@PROJECT
def customer(
    customer_id: str,
    workflow: str | None,
    level: str,
    unmask: bool,  # noqa: FBT001 - an option
    style: str,
    project: Path,
) -> None:
    """Tell what was decided for a customer, in order, each time with its reason."""
    with open_for_reading(project) as (settings, store):
        found = store.views.customer(CustomerId(customer_id))
        timeline = store.views.timeline(CustomerId(customer_id))
    if found is None and not timeline.events:
        raise click.ClickException(f"no customer '{customer_id}' is known here")
    if workflow is not None:
        _check_workflow(project, timeline, workflow)
    every = report.of_customer(timeline, workflow, _mask(project, off=unmask))
    lines = _at_level(level, every)
    if style == "json":
        _as_json({"customer_id": customer_id}, lines)
        return
    click.echo(f"customer {customer_id}")
    for text in report.about(found) if found is not None else ():
        click.echo(f"  {text}")
    zone = report.zone_of(found, settings.timezone)
    for text in report.rendered(lines, zone, full=level != "short"):
        click.echo(text)
    told = {line.record.get("event_id") for line in every}
    if quiet := sum(event.id not in told for event in timeline.events):
        click.echo(f"\n{quiet:,} more event{'' if quiet == 1 else 's'} led to nothing")


@explain.command
@click.argument("enrolment_id", metavar="ID")
@_LEVEL
@_UNMASK
@FORMAT
@PROJECT
def enrolment(
    enrolment_id: str,
    level: str,
    unmask: bool,  # noqa: FBT001 - an option
    style: str,
    project: Path,
) -> None:
    """Tell what became of one enrolment; ids are shown by `explain customer --level full`."""
    with open_for_reading(project) as (settings, store):
        owner = store.views.customer_of(EnrolmentId(enrolment_id))
        if owner is None:
            raise click.ClickException(f"no enrolment '{enrolment_id}' is known here")
        person = store.views.customer(owner)
        timeline = store.views.timeline(owner)
    every = report.of_enrolment(timeline, enrolment_id, _mask(project, off=unmask))
    lines = _at_level(level, every)
    if style == "json":
        _as_json({"enrolment_id": enrolment_id, "customer_id": owner}, lines)
        return
    click.echo(f"enrolment {enrolment_id}, of customer {owner}")
    zone = report.zone_of(person, settings.timezone)
    for text in report.rendered(lines, zone, full=level != "short"):
        click.echo(text)


@explain.command
@click.argument("event_id", metavar="ID|TYPE")
@click.option(
    "--data",
    metavar="JSON|@FILE",
    help="What if an event of this TYPE came, with this payload? Nothing is kept or sent.",
)
@click.option("--customer", "customer_id", help="Whom it would be about; somebody new unless told.")
@click.option("--at", type=INSTANT, help="When it would come; now unless told.")
@_LEVEL
@_UNMASK
@FORMAT
@PROJECT
def event(  # noqa: PLR0917 - click passes each option by name
    event_id: str,
    data: str | None,
    customer_id: str | None,
    at: datetime | None,
    level: str,
    unmask: bool,  # noqa: FBT001 - an option
    style: str,
    project: Path,
) -> None:
    """Tell what an event led to, or why it was set aside; with --data, what one would lead to."""
    mask = _mask(project, off=unmask)
    if data is not None:
        wish = explain_event.Wish(type=event_id, data=data, customer=customer_id, at=at)
        explain_event.what_if_told(project, wish, mask, style, level)
        return
    if customer_id is not None or at is not None:
        raise click.UsageError("--customer and --at go with --data, which asks what would be")
    with open_for_reading(project) as (settings, store):
        found = store.views.event(EventId(event_id))
        letters = _dead_letters(store, event_id)
        owner = found.customer_id if found is not None else None
        person = store.views.customer(owner) if owner is not None else None
        timeline = store.views.timeline(owner) if owner is not None else None
    if found is None and not letters:
        raise click.ClickException(
            f"no event '{event_id}' is known here; with --data, the type of one that might come"
        )
    every = (
        report.of_event(timeline, found, mask) if found is not None and timeline is not None else []
    )
    lines = _at_level(level, every)
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
    zone = report.zone_of(person, settings.timezone)
    for text in report.rendered(lines, zone, full=level != "short"):
        click.echo(text)
    if found is not None and len(every) <= 1:
        click.echo("no rule did anything because of it")


def _at_level(level: str, lines: list[report.Line]) -> list[report.Line]:
    return report.that_say_no(lines) if level == "fails" else lines


def _check_workflow(project: Path, timeline: Timeline, workflow: str) -> None:
    """Refuse a name that neither the customer has met nor any file has: it would explain nothing.

    Raises:
        click.UsageError: There is no such workflow.
    """
    # By their names, since the files may be broken.
    files = {path.stem for path in (project / WORKFLOWS).rglob("*.yaml")}
    known = files | {str(entry.workflow) for entry in timeline.journal if entry.workflow}
    if workflow not in known:
        hint = did_you_mean(workflow, known, label="workflows")
        raise click.UsageError(f"no workflow named '{workflow}'; {hint}")


def _mask(project: Path, *, off: bool) -> Mask:
    """What schemas of the project mark as personal or secret; its rules may be broken."""
    catalogue = read_repository(project.resolve(), workflows=False).catalogue
    return mask_of(catalogue.schemas.values(), off=off)


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
