"""`shopflow graph`: the rules as drawings, and as a page of them all."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import click

from shopflow.cli.options import PROJECT
from shopflow.domain.workflow import Workflow
from shopflow.gitops.graph.changes import across, on_the_way
from shopflow.gitops.graph.dependencies import events, everything
from shopflow.gitops.graph.difference import difference
from shopflow.gitops.graph.dot import dot, svg
from shopflow.gitops.graph.flow import flow
from shopflow.gitops.graph.mermaid import mermaid
from shopflow.gitops.graph.model import Change, Graph
from shopflow.gitops.graph.page import page
from shopflow.gitops.graph.untested import untested
from shopflow.gitops.plan.rule_changes import rule_changes
from shopflow.gitops.revision import revision
from shopflow.lang.names import did_you_mean
from shopflow.rulebook import LoadedProject, load_project

_PAGE = "markdown"
_FLOW, _EVENTS, _ALL = "flow", "events", "all"


def _json(graph: Graph, *, across: bool) -> str:
    del across
    told = {
        "nodes": [asdict(node) for node in graph.nodes],
        "edges": [asdict(edge) for edge in graph.edges],
        "groups": [asdict(group) for group in graph.groups],
    }
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


_FORMATS: Mapping[str, Callable[..., str]] = {
    "mermaid": mermaid,
    "dot": dot,
    "svg": svg,
    "json": _json,
}


@click.command
@click.argument("workflows", nargs=-1)
@click.option(
    "--format",
    "style",
    type=click.Choice([*_FORMATS, _PAGE]),
    default="mermaid",
    show_default=True,
    help="How to draw it; svg needs Graphviz. markdown is a page that tells all of each workflow.",
)
@click.option(
    "--view",
    type=click.Choice([_FLOW, _EVENTS, _ALL]),
    default=_FLOW,
    show_default=True,
    help="The way through each workflow; which events start, stop and feed which; or this and "
    "the templates, segments and caps that they use.",
)
@click.option(
    "--diff",
    "ref",
    metavar="BASE",
    help="Draw what has changed since that commit: added, removed and altered parts in colour.",
)
@click.option(
    "--coverage",
    "covering",
    is_flag=True,
    help="Mark the steps that no test of the rules shows; goes with --view flow.",
)
@PROJECT
def graph(
    workflows: tuple[str, ...],
    style: str,
    view: str,
    ref: str | None,
    covering: bool,  # noqa: FBT001 - an option
    project: Path,
) -> None:
    """Draw the workflows: all of them, or these."""
    if covering and (ref is not None or view != _FLOW or style == _PAGE):
        raise click.UsageError("--coverage marks the steps of --view flow, without --diff")
    loaded = load_project(project, strict=False).require()
    if style == _PAGE:
        if ref is not None:
            raise click.UsageError("--diff draws; the page in markdown tells of one revision")
        click.echo(page(loaded, _chosen(loaded, workflows)), nl=False)
        return
    if ref is None:
        chosen = _chosen(loaded, workflows)
        drawing = _drawing(loaded, chosen, view)
        if covering:
            drawing = drawing.mark(untested(loaded, chosen), Change.UNTESTED)
    else:
        with revision(project, ref) as base:
            before = base.load()
            drawing = _difference(before, loaded, workflows, view)
        if before.errors:
            click.echo(f"{ref} has errors: what does not compile there is drawn as added", err=True)
        if not drawing.is_changed:
            click.echo(f"nothing that is drawn has changed since {ref}", err=True)
    click.echo(_FORMATS[style](drawing, across=view != _FLOW), nl=False)


def _drawing(loaded: LoadedProject, chosen: list[Workflow], view: str) -> Graph:
    match view:
        case "events":
            return events(chosen)
        case "all":
            return everything(loaded.ruleset, chosen)
        case _:
            return flow(chosen)


def _difference(
    before: LoadedProject, after: LoadedProject, names: tuple[str, ...], view: str
) -> Graph:
    """Both drawn as one; of ways only those that differ, unless they are asked for by name."""
    old, new = before.ruleset.workflows, after.ruleset.workflows
    _check(names, {**old, **new})
    changes = rule_changes(before, after)
    changed = {name for each in changes.workflows for name in (each.workflow, each.was) if name}
    wanted = names or sorted(changed if view == _FLOW else {*old, *new})
    return difference(
        _drawing(before, [old[name] for name in wanted if name in old], view),
        _drawing(after, [new[name] for name in wanted if name in new], view),
        on_the_way(before, after, changes) if view == _FLOW else across(changes),
    )


def _chosen(loaded: LoadedProject, names: tuple[str, ...]) -> list[Workflow]:
    known = loaded.ruleset.workflows
    _check(names, known)
    return [workflow for name, workflow in known.items() if not names or name in names]


def _check(names: tuple[str, ...], known: Mapping[str, Workflow]) -> None:
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known, label="workflows")
            raise click.BadParameter(f"no workflow named '{name}'; {hint}")
