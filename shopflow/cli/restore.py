"""`shopflow restore`: what a restored backup has forgotten, done again from the safety log."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from shopflow.cli.options import FORMAT, PROJECT
from shopflow.runtime import restoring, safety
from shopflow.runtime.app import open_app


@click.command
@click.option(
    "--replay",
    "files",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    required=True,
    help="A safety log; one of each machine, the oldest first.",
)
@FORMAT
@PROJECT
def restore(files: tuple[Path, ...], style: str, project: Path) -> None:
    """Do again what a restored backup has forgotten: refusals, suppressions, erasures, sends.

    Delivery is paused from the first start on an old database until this is done.
    """
    told = restoring.read(files)
    with open_app(project) as app:
        parts = app.parts(deliver=False)
        parts.write.close()
        done = restoring.replay(app.store, parts.processor, app.hashes, told)
        resumed = any(one.reason == safety.RESTORED for one in app.store.views.pauses())
        if app.safety is not None:
            app.safety.mark(app.store)
        if resumed:
            app.store.resume("all", at=datetime.now(UTC), reason="the safety log was replayed")
    if style == "json":
        click.echo(
            json.dumps(
                {
                    "refusals": done.refusals,
                    "suppressions": done.suppressions,
                    "erasures": done.erasures,
                    "sends": done.sends,
                    "resumed": resumed,
                }
            )
        )
        return
    click.echo(
        f"{done.refusals:,} refusals, {done.suppressions:,} suppressions, "
        f"{done.erasures:,} erasures and {done.sends:,} sends are known again"
        + ("; delivery goes on" if resumed else "")
    )
