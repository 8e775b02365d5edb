"""`shopflow bench`: how fast parts are on this machine, always beside a peer or a floor."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from shopflow.bench import cel as cel_bench
from shopflow.bench import match as match_bench
from shopflow.bench.run_bars import Part
from shopflow.cli.main import CLEAN, FINDINGS
from shopflow.cli.options import FORMAT
from shopflow.errors import SettingsError

_rounds = click.option(
    "--rounds", type=click.IntRange(1, 1000), default=7, show_default=True, help="Take the median."
)
_postgres = click.option(
    "--postgres",
    metavar="URL",
    help="A PostgreSQL server, which gets databases for a while; without it only SQLite runs.",
)


def _parts(ctx: click.Context, option: click.Parameter, value: str) -> tuple[Part, ...]:
    """The parts that an option names."""
    try:
        return tuple(Part(name.strip()) for name in value.split(","))
    except ValueError as error:
        known = ", ".join(Part)
        raise click.BadParameter(f"{error}: choose among {known}", ctx, option) from error


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
    total = 2 * rounds * len(match_bench.SIZES)
    _show(ctx, match_bench, style, total, rounds=rounds)


@bench.command
@_rounds
@_postgres
@FORMAT
@click.pass_context
def store(ctx: click.Context, rounds: int, postgres: str | None, style: str) -> None:
    """Measure keeping a batch beside the same rows written with the bare driver."""
    measured = _on_databases("store")
    total = (1 + bool(postgres)) * (rounds + 1)
    _show(ctx, measured, style, total, rounds=rounds, postgres=postgres)


@bench.command
@_rounds
@_postgres
@FORMAT
@click.pass_context
def timers(ctx: click.Context, rounds: int, postgres: str | None, style: str) -> None:
    """Measure finding the timers that are due among ten thousand and a million."""
    measured = _on_databases("timers")
    total = (1 + bool(postgres)) * len(measured.SIZES)
    _show(ctx, measured, style, total, rounds=rounds, postgres=postgres)


@bench.command
@_rounds
@_postgres
@click.option(
    "--customers",
    type=click.IntRange(1),
    default=1_000_000,
    show_default=True,
    help="How many customers are known.",
)
@FORMAT
@click.pass_context
def sweep(
    ctx: click.Context, rounds: int, postgres: str | None, customers: int, style: str
) -> None:
    """Measure looking at everybody for a schedule beside reading their rows."""
    measured = _on_databases("sweep")
    total = (1 + bool(postgres)) * rounds
    _show(ctx, measured, style, total, rounds=rounds, postgres=postgres, customers=customers)


@bench.command
@_rounds
@_postgres
@click.option(
    "--redis", metavar="URL", default="redis://localhost:6379", show_default=True, help="A Redis."
)
@click.option(
    "--rules", type=click.IntRange(10), default=1_000, show_default=True, help="How many rules."
)
@click.option(
    "--customers",
    type=click.IntRange(1_000),
    default=100_000,
    show_default=True,
    help="How many customers are known.",
)
@click.option(
    "--parts",
    metavar="NAMES",
    default=",".join(Part),
    show_default=True,
    callback=_parts,
    help="What is held against its bar, separated by commas.",
)
@FORMAT
@click.pass_context
def run(ctx: click.Context, /, style: str, **settings: Any) -> None:
    """Measure an event's way from the stream to the outbox, beside what it is held against.

    That is the bare reads and writes, a job an event, ten rules and ten thousand, ingest, two
    processes; and how long an event waits at half load.
    """
    measured = _on_databases("run")
    total = measured.steps(settings["rounds"], settings["postgres"])
    _show(ctx, measured, style, total, **settings)


@bench.command
@click.argument("events", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@FORMAT
@click.pass_context
def recommend(ctx: click.Context, events: Path, style: str) -> None:
    """Measure how often ten recommended products hold one that was bought.

    EVENTS is a JSONL file of a shop's recorded events, plain or gzipped. Its orders are cut at an
    instant: learned from before, asked about after.
    """
    measured = import_module("shopflow.bench.recommend")
    _show(ctx, measured, style, len(measured.ANSWERS), events=events)


@bench.command
@_rounds
@click.option(
    "--rules", type=click.IntRange(1), default=10_000, show_default=True, help="How many rules."
)
@FORMAT
@click.pass_context
def load(ctx: click.Context, rounds: int, rules: int, style: str) -> None:
    """Measure a worker's start with many rules, kept and not, beside reading their YAML."""
    measured = import_module("shopflow.bench.load")
    _show(ctx, measured, style, len(measured.Start), rounds=rounds, rules=rules)


@bench.command
@_rounds
@FORMAT
@click.pass_context
def mail(ctx: click.Context, rounds: int, style: str) -> None:
    """Measure making a mail beside Jinja2 and EmailMessage, and delivering beside aiosmtplib."""
    _show(ctx, import_module("shopflow.bench.mail"), style, rounds, rounds=rounds)


def _on_databases(name: str) -> Any:
    """The benchmark of that name; it knows PostgreSQL's driver, which not everybody has."""
    try:
        return import_module(f"shopflow.bench.{name}")
    except ModuleNotFoundError as error:
        if error.name != "psycopg":
            raise
        raise SettingsError(
            "this benchmark needs PostgreSQL's driver: pip install 'shopflow[postgresql]'"
        ) from error


def _show(ctx: click.Context, measured: Any, style: str, total: int, **settings: Any) -> None:
    """The report of a benchmark; ends with FINDINGS where a bar is missed."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("measuring", total=total)
        report = measured.run(done=lambda: bar.advance(task), **settings)
    click.echo(measured.render_json(report) if style == "json" else measured.render(report))
    ctx.exit(CLEAN if report.reached else FINDINGS)
