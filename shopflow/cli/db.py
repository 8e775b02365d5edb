"""`shopflow db`: the database's tables, brought to what this program knows."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from shopflow.errors import RulesInvalid, SettingsError
from shopflow.lang.project import Project
from shopflow.lang.settings import read_settings
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
    settings = _settings(project)
    name = shown(settings.database, settings.root)
    steps = upgrade_database(settings.database, settings.root)
    if style == "json":
        click.echo(json.dumps({"database": name, "steps": steps}))
        return
    for step in steps:
        click.echo(f"done: {step}")
    click.echo(f"the tables of {name} are up to date")


def _settings(root: Path) -> Project:
    """The project's settings; its rules and channels may be broken, the database is not theirs."""
    settings = read_settings(root.resolve(), os.environ, lambda *_: [], strict=False)
    if not settings.known:
        raise RulesInvalid(settings.problems)
    if "${" in settings.project.database:
        raise SettingsError(
            f"`database` in shopflow.yaml is {settings.project.database}: "
            "set what it asks for, or give a default: ${NAME:-default}"
        )
    return settings.project
