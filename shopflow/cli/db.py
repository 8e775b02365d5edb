"""`shopflow db`: the database's tables, brought to what this program knows."""

from __future__ import annotations

import json
from pathlib import Path

import click

from shopflow.rulebook import load_settings
from shopflow.store.opening import shown
from shopflow.store.opening import upgrade as upgrade_database


@click.group
def db() -> None:
    """Look after the database."""


@db.command
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="For people or for machines.",
)
@click.option(
    "--project",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    show_default="here",
    help="The folder of shopflow.yaml.",
)
def upgrade(style: str, project: Path) -> None:
    """Make the tables, or change them to what this version needs.

    An SQLite database is also upgraded whenever it is opened.
    """
    settings = load_settings(project)
    name = shown(settings.database, settings.root)
    steps = upgrade_database(settings.database, settings.root)
    if style == "json":
        click.echo(json.dumps({"database": name, "steps": steps}))
        return
    for step in steps:
        click.echo(f"done: {step}")
    click.echo(f"the tables of {name} are up to date")
