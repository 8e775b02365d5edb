"""`shopflow db`: the database's tables, and the environment that it belongs to."""

from __future__ import annotations

import json
from pathlib import Path

import click

from shopflow.cli.options import FORMAT, PROJECT, tell
from shopflow.cli.reading import open_for_reading
from shopflow.rulebook import load_settings
from shopflow.runtime.environment import stamp as stamp_database
from shopflow.store.opening import shown
from shopflow.store.opening import upgrade as upgrade_database


@click.group
def db() -> None:
    """Look after the database."""


@db.command
@FORMAT
@PROJECT
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


@db.command
@FORMAT
@PROJECT
def stamp(style: str, project: Path) -> None:
    """Say that the database belongs to this environment from now on, such as a copy does.

    What was about to be sent is still in it: look at `delivery.mode` before anything runs on it.
    """
    with open_for_reading(project) as (settings, store):
        before = stamp_database(store, settings)
    told = {"environment": settings.environment, "before": before}
    said = f"the database belongs to '{settings.environment}' (before: '{before}')"
    tell(style, told, said)
