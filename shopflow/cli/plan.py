"""`shopflow plan`: what a change of rules would do, before it is merged."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory

import click
from rich.console import Console
from rich.progress import Progress

from shopflow.cli.options import PROJECT, length
from shopflow.cli.reading import open_for_reading
from shopflow.cli.until import UNTIL
from shopflow.errors import SettingsError
from shopflow.gitops.plan.as_json import as_json
from shopflow.gitops.plan.as_markdown import as_markdown
from shopflow.gitops.plan.as_text import as_text
from shopflow.gitops.plan.plan import Plan
from shopflow.gitops.plan.thresholds import (
    NO_THRESHOLDS,
    Money,
    Share,
    Thresholds,
    parse_money,
    parse_share,
)
from shopflow.gitops.revision import Revision, revision
from shopflow.lang.lengths import parse_length
from shopflow.problem import render
from shopflow.rulebook import LoadedProject, load_project
from shopflow.runtime.planning import Recording, make_plan
from shopflow.runtime.pseudonyms import PSEUDONYM_KEY, pseudonyms_of
from shopflow.runtime.recorded import live, write
from shopflow.runtime.recorded import recorded as recorded_events
from shopflow.runtime.sealing import LINKS_SECRET
from shopflow.runtime.simulate import Until

_CLEAN, _FINDINGS, _CHANGES = 0, 1, 4


def _since(
    ctx: click.Context, param: click.Parameter, text: str | None
) -> datetime | timedelta | None:
    """A length, or an instant; one without a zone is UTC."""
    if text is None or (length := parse_length(text)) is not None:
        return None if text is None else length
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as e:
        told = f"'{text}' is neither a length such as 30d nor a time such as 2026-03-01T10:00:00Z"
        raise click.BadParameter(told, ctx, param) from e
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _length(ctx: click.Context, param: click.Parameter, text: str | None) -> timedelta | None:
    """A length of time, where one is given."""
    return None if text is None else length(ctx, param, text)


def _share(ctx: click.Context, param: click.Parameter, text: str | None) -> Share | None:
    found = parse_share(text) if text is not None else None
    if text is not None and found is None:
        raise click.BadParameter(f"'{text}' is neither a share such as 5% nor a number", ctx, param)
    return found


def _money(ctx: click.Context, param: click.Parameter, text: str | None) -> Money | None:
    found = parse_money(text) if text is not None else None
    if text is not None and found is None:
        raise click.BadParameter(f"'{text}' is no amount such as 10EUR/day", ctx, param)
    return found


_FORMATS: Mapping[str, Callable[[Plan], str]] = {
    "text": as_text,
    "markdown": as_markdown,
    "json": as_json,
}
#: Ending of a file -> how it is written there.
_ENDINGS = {".txt": "text", ".md": "markdown", ".json": "json"}


def _files(ctx: click.Context, param: click.Parameter, paths: tuple[Path, ...]) -> tuple[Path, ...]:
    """Files whose endings say how they are written."""
    for path in paths:
        if path.suffix not in _ENDINGS:
            known = ", ".join(_ENDINGS)
            raise click.BadParameter(f"'{path}' ends in none of {known}", ctx, param)
    return paths


@click.command
@click.option(
    "--against", metavar="REF", required=True, help="The revision to compare with: origin/main."
)
@click.option(
    "--events",
    "files",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="Recorded events to replay under both, JSONL, plain or gzipped; may be given again.",
)
@click.option(
    "--recorded",
    metavar="LENGTH",
    callback=_length,
    help="Replay what the project's database holds, and count so much of it: 30d.",
)
@click.option(
    "--show-ids",
    is_flag=True,
    help="With --recorded, name customers by their ids; by pseudonyms unless given.",
)
@click.option(
    "--since",
    metavar="LENGTH|TIME",
    callback=_since,
    help="Count only what is decided from then on: 30d before the last event, or a time.",
)
@UNTIL
@click.option(
    "--max-extra-sends",
    metavar="SHARE",
    callback=_share,
    help="Exit 1 when a channel sends more than that more: 5%, or a number.",
)
@click.option(
    "--max-new-customers",
    metavar="NUMBER",
    type=click.IntRange(min=0),
    help="Exit 1 when more customers than that get something who got nothing before.",
)
@click.option(
    "--max-cost-increase",
    metavar="AMOUNT",
    callback=_money,
    help="Exit 1 when it costs more than that more a day: 10EUR/day.",
)
@click.option("--allow-shrink", is_flag=True, help="Many workflows are meant to be gone.")
@click.option(
    "--detailed-exitcode", is_flag=True, help="Exit 4 when rules behave differently, 0 when not."
)
@click.option(
    "--format",
    "style",
    type=click.Choice(list(_FORMATS)),
    default="text",
    show_default=True,
    help="For people, for a pull request, or for machines.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    multiple=True,
    callback=_files,
    help="Write it to this file too, as its ending says: .md, .json or .txt; may be given again.",
)
@PROJECT
def plan(
    *,
    against: str,
    files: tuple[Path, ...],
    recorded: timedelta | None,
    show_ids: bool,
    since: datetime | timedelta | None,
    until: Until | datetime,
    max_extra_sends: Share | None,
    max_new_customers: int | None,
    max_cost_increase: Money | None,
    allow_shrink: bool,
    detailed_exitcode: bool,
    style: str,
    out: tuple[Path, ...],
    project: Path,
) -> int:
    """Say what a change of rules does, for whom, and what speaks against it.

    The rules of the working tree are held against those of a revision: field by field, and with
    recorded events also message by message, customer by customer.
    """
    head = load_project(project, strict=False).require()
    thresholds = Thresholds(
        extra_sends=max_extra_sends,
        new_customers=max_new_customers,
        cost_increase=max_cost_increase,
    )
    if files and recorded is not None:
        raise click.UsageError("--events and --recorded are two sources; give one")
    if not files and recorded is None and thresholds != NO_THRESHOLDS:
        raise click.UsageError("a threshold needs recorded events: --events FILE")
    with revision(project, against) as at, ExitStack() as opened:
        base = _base(at)
        recording = Recording(files=files, since=since, until=until) if files else None
        if recorded is not None:
            taken = _recorded(project, head, since or recorded, show_ids=show_ids)
            recording = replace(opened.enter_context(taken), until=until)
        with _bar() as watcher:
            made = make_plan(
                base,
                head,
                at,
                recording=recording,
                thresholds=thresholds,
                allow_shrink=allow_shrink,
                watcher=watcher,
            )
    for path in out:
        _write(path, _FORMATS[_ENDINGS[path.suffix]](made))
    click.echo(_FORMATS[style](made))
    if made.is_refused:
        return _FINDINGS
    return _CHANGES if detailed_exitcode and made.changes else _CLEAN


@contextmanager
def _recorded(
    project: Path, head: LoadedProject, since: datetime | timedelta, *, show_ids: bool
) -> Iterator[Recording]:
    """What the database holds, in a file that is gone afterwards."""
    with TemporaryDirectory(prefix="shopflow-plan-") as folder, open_for_reading(project) as found:
        _, store = found
        file = Path(folder) / "recorded.jsonl"
        write(recorded_events(store, head.events.schemas.keys()), file)
        yield Recording(
            files=(file,),
            since=since,
            naming=None if show_ids else _naming(),
            live=live(store, datetime.now(UTC)),
        )


def _naming() -> Callable[[str], str]:
    """Pseudonyms as an export has them; without a key of the environment, of this run only."""
    known = PSEUDONYM_KEY in os.environ or LINKS_SECRET in os.environ
    return pseudonyms_of(os.environ if known else {PSEUDONYM_KEY: token_hex()}).token


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(f"{text.rstrip()}\n", encoding="utf-8")
    except OSError as e:
        raise SettingsError(f"{path}: cannot be written: {e.strerror}") from e


def _base(at: Revision) -> LoadedProject:
    loaded = at.load()
    if loaded.errors:
        first = render(loaded.errors[0])
        raise SettingsError(
            f"the rules of {at.ref} have errors, so nothing can be held against them; "
            f"the first of {len(loaded.errors)}:\n{first}"
        )
    return loaded


@contextmanager
def _bar() -> Iterator[Callable[[int, int], None]]:
    """Shows how much of the events is read; on a terminal only."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("replaying", total=None)

        def show(read: int, size: int) -> None:
            bar.update(task, completed=read, total=size or None)

        yield show
