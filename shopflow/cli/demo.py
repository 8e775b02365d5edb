"""`shopflow demo`: a month of a shop in a minute."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from shopflow.cli.options import FORMAT
from shopflow.cli.run import progress_bar, run_until_stopped
from shopflow.demo.run import Files, Shown, play, shipped_rules, write_month
from shopflow.report.status import (
    as_json,
    entered,
    messages_line,
    reasons_line,
    totals_line,
    under,
)
from shopflow.runtime.answers import Taken

#: Columns of the summary in a file or a pipe.
WIDE = 140


@click.command
@click.option("--customers", default=2000, show_default=True, help="How many people come.")
@click.option("--days", default=30, show_default=True, help="How long they are watched.")
@click.option("--seed", default=1, show_default=True, help="Another seed, another month.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo-out"),
    show_default=True,
    help="Where events, state and one mail are left to be looked at.",
)
@click.option(
    "--project",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Rules to play instead of the shipped ones.",
)
@FORMAT
def demo(customers: int, days: int, seed: int, out: Path, project: Path | None, style: str) -> None:
    """Play a simulated month of a shop through the rules, sending every mail to a local sink."""
    rules = project or shipped_rules()
    files = Files(folder=out)
    files.clear()
    count = write_month(files.events, customers=customers, days=days, seed=seed)
    if style == "text":
        click.echo(f"{customers:,} customers, {days} days: {count:,} events in {files.events}")
    with progress_bar() as show:
        shown = asyncio.run(play(rules, files, drive=run_until_stopped, on_progress=show))
    if style == "json":
        click.echo(json.dumps({**as_json(shown.status), "mails": shown.arrived}, indent=2))
        return
    _tell(shown)
    _next(files, rules, shown.customer)


def _tell(shown: Shown) -> None:
    click.echo(totals_line({str(each): shown.totals.taken[each] for each in Taken}))
    click.echo(
        f"messages: {messages_line(shown.status.messages)}; "
        f"{shown.arrived:,} mails arrived at the sink, for {shown.recipients:,} people\n"
    )
    table = Table(box=None, pad_edge=False)
    table.add_column("workflow", no_wrap=True)
    for name in ("entered", "sent", "held", "converted"):
        table.add_column(name, justify="right")
    table.add_column("ended", overflow="fold")
    table.add_column("not sent, because", overflow="fold")
    for name, results in sorted(shown.status.workflows.items()):
        if name:
            table.add_row(
                name,
                f"{entered(results):,}",
                f"{under(results, 'delivery:').get('accepted', 0):,}",
                f"{sum(under(results, 'held:').values()):,}",
                f"{results.get('converted', 0):,}",
                reasons_line(under(results, "exited:")),
                reasons_line(under(results, "dropped:")),
            )
    # Where there is no terminal, a line may be as long as it must.
    Console(width=None if sys.stdout.isatty() else WIDE).print(table)


def _next(files: Files, rules: Path, customer: str) -> None:
    here = shlex.quote(str(files.database.resolve()))
    if files.mail.exists():
        click.echo(f"\none of the mails: {files.mail}")
    where = "" if rules.resolve() == Path.cwd() else f" --project {shlex.quote(str(rules))}"
    click.echo(
        "\nlook closer:\n"
        f"  export SHOPFLOW_DATABASE_URL=sqlite:///{here}\n"
        f"  shopflow status{where}\n"
        f"  shopflow explain customer {customer or 'ID'}{where}\n"
        f"  shopflow simulate {shlex.quote(str(files.events))}{where}"
    )
