"""`shopflow versions`: what was deployed, what is held back, and who is still on which version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from shopflow.cli.options import FORMAT, PROJECT, tell
from shopflow.cli.reading import open_for_reading
from shopflow.gitops.known_versions import KnownVersion, Phase, known_versions
from shopflow.store.deployments import Deployment, Hold, short


@click.command
@click.option("--all", "every", is_flag=True, help="Versions that nobody is on any more, too.")
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="How many deployments to list, the newest first.",
)
@FORMAT
@PROJECT
def versions(every: bool, limit: int, style: str, project: Path) -> None:  # noqa: FBT001 - a flag
    """List deployments, what is held back, and the versions of workflows.

    A version is active while it is live, draining while enrolments go on by it, and drained when
    nobody is on it any more.
    """
    with open_for_reading(project) as (_, store):
        history = store.deployments.history(limit=limit)
        holds = store.deployments.holds()
        found = [one for one in known_versions(store) if every or one.phase is not Phase.DRAINED]
    told = {
        "deployments": [
            {
                "number": one.number,
                "move": str(one.move),
                "bundle": one.digest,
                "ramp": one.ramp,
                "share": one.share,
                "revision": one.revision,
                "at": one.at.isoformat(),
                "by": one.by,
                "reason": one.reason,
            }
            for one in history
        ],
        "held": [
            {
                "bundle": one.digest,
                "revision": one.revision,
                "at": one.at.isoformat(),
                "by": one.by,
                "reason": one.reason,
            }
            for one in holds
        ],
        "versions": [
            {
                "workflow": one.workflow,
                "version": one.version,
                "digest": one.digest,
                "phase": str(one.phase),
                "enrolments": one.enrolments,
            }
            for one in found
        ],
    }
    tell(style, told, "\n".join(_shown(history, holds, found)))


def _shown(
    history: Sequence[Deployment], holds: Sequence[Hold], found: Sequence[KnownVersion]
) -> Iterator[str]:
    if not history:
        yield "nothing was deployed: the rules of the folder are run"
    for number, one in enumerate(history):
        commit = one.revision[:12] or "no commit"
        live = "  live" if number == 0 else ""
        told = ", ".join(filter(None, (one.ramped, one.reason)))
        why = f"  ({told})" if told else ""
        yield (
            f"{one.number:>5}  {one.at:%Y-%m-%d %H:%M}  {one.move:<8}  {short(one.digest)}  "
            f"{commit:<12}  {one.by}{live}{why}"
        )
    for hold in holds:
        yield f"held: {short(hold.digest)} by {hold.by}, {hold.at:%Y-%m-%d %H:%M} ({hold.reason})"
    width = max((len(one.workflow) for one in found), default=0)
    for known in found:
        yield (
            f"{known.workflow:<{width}}  version {known.version:<4} {known.digest[:12]}  "
            f"{known.phase:<8}  {known.enrolments:>8,} on their way"
        )
