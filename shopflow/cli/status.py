"""`shopflow status`: is it well?"""

from __future__ import annotations

import json
from pathlib import Path

import click

from shopflow.cli.options import FORMAT, PROJECT
from shopflow.cli.reading import open_for_reading
from shopflow.report import status as report


@click.command
@FORMAT
@PROJECT
def status(style: str, project: Path) -> None:
    """Show what came in, what was decided, what was sent, and what is in doubt."""
    with open_for_reading(project) as (_, store):
        found = store.views.status()
    if style == "json":
        click.echo(json.dumps(report.as_json(found), indent=2))
    else:
        click.echo(report.as_text(found))
