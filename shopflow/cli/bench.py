"""`shopflow bench`: how fast parts are on this machine, always beside a peer or a floor."""

from __future__ import annotations

import click
from rich.console import Console
from rich.progress import Progress

from shopflow.bench import cel as cel_bench
from shopflow.bench import match as match_bench
from shopflow.cli.main import CLEAN, FINDINGS
from shopflow.cli.options import FORMAT

_rounds = click.option(
    "--rounds", type=click.IntRange(1, 1000), default=7, show_default=True, help="Take the median."
)


@click.group
def bench() -> None:
    """Measure parts of shopflow beside what they are held against."""


@bench.command
@_rounds
@FORMAT
@click.pass_context
def cel(ctx: click.Context, rounds: int, style: str) -> None:
    """Measure conditions beside cel-python's two runners and, where installed, cel-expr-python."""
    report = cel_bench.run(rounds)
    show = cel_bench.render_json if style == "json" else cel_bench.render
    click.echo(show(report))
    ctx.exit(FINDINGS if report.misses() else CLEAN)


@bench.command
@_rounds
@FORMAT
@click.pass_context
def match(ctx: click.Context, rounds: int, style: str) -> None:
    """Measure finding an event's rules among ten to ten thousand."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("matching", total=2 * rounds * len(match_bench.SIZES))
        report = match_bench.run(rounds, done=lambda: bar.advance(task))
    click.echo(match_bench.render_json(report) if style == "json" else match_bench.render(report))
    ctx.exit(CLEAN if report.reached else FINDINGS)
