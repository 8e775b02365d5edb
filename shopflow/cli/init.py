"""`shopflow init`: a rules repository that lints and tests green, to begin with."""

from __future__ import annotations

from pathlib import Path

import click

from shopflow.gitops.new_project import make_project, surround


@click.command
@click.argument(
    "folder", metavar="[DIR]", default=Path(), type=click.Path(file_okay=False, path_type=Path)
)
@click.option(
    "--force",
    is_flag=True,
    help="Write into a directory that is not empty; files of the same name are replaced.",
)
@click.option(
    "--surroundings",
    is_flag=True,
    help="Rules are there already: write only CI, owners, hooks and editor settings around them.",
)
def init(folder: Path, force: bool, surroundings: bool) -> None:  # noqa: FBT001 - flags
    """Make a rules repository in DIR (default: here), with two workflows and their tests.

    Around the rules there is what a team needs: CI for GitHub and GitLab, CODEOWNERS, hooks for
    pre-commit, and settings by which VS Code knows the schemas. Nothing that it sends leaves until
    `delivery` in its shopflow.yaml says so.
    """
    if surroundings:
        written, kept = surround(folder, force=force)
        for path in written:
            click.echo(f"  {folder / path}")
        for path in kept:
            click.echo(f"  {folder / path} is another here, and left as it is")
        return
    paths = make_project(folder, force=force)
    for path in paths:
        click.echo(f"  {folder / path}")
    inside = folder.resolve() == Path.cwd()
    steps = ["shopflow lint", "shopflow test"]
    steps.append("shopflow simulate example-events.jsonl --until drain")
    if not inside:
        steps.insert(0, f"cd {folder}")
    click.echo("\nmade a rules repository; next:\n")
    for step in steps:
        click.echo(f"  {step}")
