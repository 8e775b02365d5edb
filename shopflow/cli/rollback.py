"""`shopflow rollback`: back to rules that were live before, in seconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from shopflow.cli.deploy import actor
from shopflow.cli.options import FORMAT, PROJECT, tell
from shopflow.cli.reading import open_for_reading
from shopflow.gitops.rolling_back import InFlight, Version, WayBack, roll_back, started, way_back
from shopflow.store.deployments import short


@click.command
@click.argument("revision", required=False)
@click.option(
    "--in-flight",
    "in_flight",
    type=click.Choice([str(each) for each in InFlight]),
    default=str(InFlight.KEEP),
    show_default=True,
    help="Enrolments that began on the bad rules: they go on by them, or end at their next input.",
)
@click.option("--reason", default="rolled back", help="Why; whoever deploys it again is told.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@FORMAT
@PROJECT
def rollback(
    revision: str | None,
    in_flight: str,
    reason: str,
    yes: bool,  # noqa: FBT001 - click passes flags by name
    style: str,
    project: Path,
) -> None:
    """Go back to the rules that were live before, or to those of REVISION.

    REVISION is the number of a deployment, or the beginning of a digest or a commit, as
    `shopflow versions` lists them. One row of the database makes them live; workers take them up
    within seconds. The rules left behind are held back: `deploy` refuses them, by digest and by
    commit, until they come with --lift-hold REASON; newer rules pass.

    Messages that are queued already still leave: `shopflow pause` stops them.
    """
    with open_for_reading(project) as (_, store):
        way, counted = way_back(store, revision), None
        if not yes:
            counted = started(store, way)
            click.echo("\n".join(_shown(way, counted, InFlight(in_flight))), err=True)
            click.confirm("go back?", abort=True, err=True)
        made = roll_back(
            store,
            way,
            in_flight=InFlight(in_flight),
            reason=reason,
            at=datetime.now(UTC),
            by=actor(),
        )
        # Everybody is read for it, and whoever is in a hurry need not wait for that.
        counted = started(store, way) if counted is None else counted
    told = {
        "number": made.number,
        "from": way.left,
        "to": made.digest,
        "revision": made.revision,
        "held": way.left,
        "reason": reason,
        "in_flight": in_flight,
        "started": [
            {"workflow": name, "digest": digest, "enrolments": count}
            for (name, digest), count in counted.items()
        ],
    }
    said = (
        f"{short(made.digest)} is live again, as number {made.number}; "
        f"{short(way.left)} is held back"
    )
    tell(style, told, "\n".join([*_shown(way, counted, InFlight(in_flight)), said]))


def _shown(way: WayBack, counted: Mapping[Version, int], in_flight: InFlight) -> Iterator[str]:
    commits = f"({way.bad.revision[:12] or 'no commit'} -> {way.to.revision[:12] or 'no commit'})"
    yield f"{short(way.left)} -> {short(way.to.digest)} {commits}"
    fate = "go on by it" if in_flight is InFlight.KEEP else "end at their next event or timer"
    for (name, digest), count in counted.items():
        yield f"  {count:,} enrolments of {name} ({digest[:12]}) began on it, and {fate}"
    if not counted:
        yield "  no enrolment is on its way that began on it"
