"""`shopflow preview`: a gallery of messages, as people will see them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track

from shopflow.cli.main import CLEAN, FINDINGS
from shopflow.cli.options import FORMAT, PROJECT, tell
from shopflow.domain.policy import MessageClass
from shopflow.domain.step import Send
from shopflow.gitops.preview.cards import Card, Change, Showing, cards
from shopflow.gitops.preview.fixtures import LONGEST, SHORT, Fixtures, sent_by
from shopflow.gitops.preview.writing import Written, write_gallery
from shopflow.gitops.revision import revision
from shopflow.lang.names import did_you_mean
from shopflow.lang.templates import TemplateSet
from shopflow.rulebook import LoadedProject, load_project


@click.command
@click.argument("name", metavar="[TEMPLATE|WORKFLOW]", required=False)
@click.option(
    "--as",
    "fixtures",
    metavar="FIXTURE",
    multiple=True,
    help="Values to fill it with: short, longest, or the name of a test that sends it; "
    "both short and longest unless told.",
)
@click.option(
    "--locale",
    "locales",
    multiple=True,
    help="A language; each that a template is written in unless told.",
)
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("preview"),
    show_default=True,
    help="The folder to write the page, mails and pictures to.",
)
@click.option(
    "--against",
    "ref",
    metavar="REF",
    help="Show only what differs from that commit, before and after.",
)
@click.option("--no-pictures", "blind", is_flag=True, help="Take no pictures of mails.")
@FORMAT
@PROJECT
@click.pass_context
def preview(  # noqa: PLR0917 - click passes each option by name
    ctx: click.Context,
    name: str | None,
    fixtures: tuple[str, ...],
    locales: tuple[str, ...],
    folder: Path,
    ref: str | None,
    blind: bool,  # noqa: FBT001 - an option
    style: str,
    project: Path,
) -> None:
    """Write a gallery of messages: all of them, those of a workflow, or one template.

    The values are those that the rules' own tests send. Mails are shown on a phone and on a
    desktop, by Chromium where there is one.
    """
    loaded = load_project(project, strict=False).require()
    chosen = _chosen(loaded, name)
    known = sent_by(loaded)
    names = _named(loaded, known, chosen, fixtures)
    with _before(project, ref) as before:
        showing = Showing(
            templates=loaded.templates,
            fixtures=known,
            names=names,
            locales=locales or None,
            before=before,
            sms_stop=loaded.project.sender.sms_stop,
            marketing=frozenset(
                purpose.id
                for purpose in loaded.ruleset.purposes.values()
                if purpose.message_class is MessageClass.MARKETING
            ),
        )
        found = list(cards(showing, chosen))
        gone = sorted(before.names() - loaded.templates.names()) if before and not name else []
    if not found:
        raise click.UsageError(f"nothing is written in {', '.join(locales)}")
    shown = [card for card in found if card.change is not Change.NONE]
    title = f"Messages: {name or 'all'}" + (f", against {ref}" if ref else "")
    note = f"no longer there: {', '.join(gone)}" if gone else ""
    written = write_gallery(
        folder, shown, title=title, pictures=not blind, progress=_progress, note=note
    )
    errors = [card for card in shown if card.error]
    tell(style, _as_json(shown, gone, written), _as_text(found, shown, note, written))
    ctx.exit(FINDINGS if errors else CLEAN)


def _progress(mails: Sequence[Path]) -> Iterable[Path]:
    console = Console(stderr=True)
    hidden = not console.is_terminal
    return track(mails, "taking pictures", console=console, transient=True, disable=hidden)


@contextmanager
def _before(project: Path, ref: str | None) -> Iterator[TemplateSet | None]:
    """The templates as that commit has them."""
    if ref is None:
        yield None
        return
    with revision(project, ref) as found:
        yield found.load().templates


def _chosen(loaded: LoadedProject, name: str | None) -> frozenset[str]:
    """The names of the templates that are asked for."""
    names = loaded.templates.names()
    if name is None:
        return names
    if name in names:
        return frozenset({name})
    if name in loaded.ruleset.workflows:
        steps = loaded.ruleset.workflows[name].steps.values()
        return frozenset(step.template for step in steps if isinstance(step, Send)) & names
    hint = did_you_mean(name, [*names, *loaded.ruleset.workflows])
    raise click.UsageError(f"no template or workflow named '{name}'; {hint}")


def _named(
    loaded: LoadedProject, known: Fixtures, chosen: Collection[str], wanted: tuple[str, ...]
) -> tuple[str, ...]:
    """The names of the fixtures that are asked for; at least one template has each."""
    if not wanted:
        return (SHORT, LONGEST)
    templates = [each for each in loaded.templates if each.name in chosen]
    names = {fixture.name for each in templates for fixture in known.of(each)}
    for name in wanted:
        if name not in names:
            hint = did_you_mean(name, names)
            raise click.UsageError(f"no fixture named '{name}' for these templates; {hint}")
    return wanted


def _as_text(found: Sequence[Card], shown: Sequence[Card], note: str, written: Written) -> str:
    lines = [f"error: {card.id}: {card.error}" for card in shown if card.error]
    told = f"wrote {written.page}: {_number(len(shown), 'message')}"
    if written.pictures:
        told += f", {_number(written.pictures, 'picture')}"
    if same := len(found) - len(shown):
        told += f"; {same} more are as they were"
    return "\n".join([*lines, told, *filter(None, (note, written.blind))])


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _as_json(shown: Sequence[Card], gone: Sequence[str], written: Written) -> dict[str, object]:
    return {
        "page": str(written.page),
        "pictures": written.pictures,
        "without_pictures": written.blind or None,
        "removed": list(gone),
        "messages": [
            {
                "template": card.template,
                "channel": card.channel,
                "locale": card.locale,
                "fixture": card.fixture,
                "change": card.change,
                "error": card.error or None,
            }
            for card in shown
        ],
    }
