"""`shopflow article30`: the record of processing activities, from the policies."""

from __future__ import annotations

from pathlib import Path

import click

from shopflow.cli.options import PROJECT
from shopflow.report.article30 import record
from shopflow.rulebook import load_project


@click.command
@PROJECT
def article30(project: Path) -> None:
    """Write the record of processing activities (RGPD, article 30) as Markdown."""
    loaded = load_project(project).require()
    click.echo(record(loaded.ruleset, loaded.project.sender), nl=False)
