"""Writing the gallery: the page, the mails it links to, and their pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from shopflow.errors import SettingsError
from shopflow.gitops.preview.cards import Card
from shopflow.gitops.preview.page import MAILS, PICTURES, gallery, mails_of
from shopflow.gitops.preview.pictures import NoBrowser, take_pictures

PAGE = "index.html"

#: Shows how far a long work is: the works, and the same as they are done.
Progress = Callable[[Sequence[Path]], Iterable[Path]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was written."""

    page: Path
    pictures: int
    #: Why there are no pictures; empty where there are, or nobody wanted any.
    blind: str = ""


def write_gallery(
    folder: Path,
    cards: Sequence[Card],
    *,
    title: str,
    pictures: bool,
    progress: Progress,
    note: str = "",
) -> Written:
    """The gallery of these cards, in the folder; the note stands below its title.

    Raises:
        SettingsError: The folder cannot be written to.
    """
    try:
        mails = _write_mails(folder / MAILS, cards)
        taken, blind = _taken(mails, folder / PICTURES, progress) if pictures else ({}, "")
        page = folder / PAGE
        page.write_text(gallery(cards, taken, title=title, notes=[note, blind]), encoding="utf-8")
    except OSError as e:
        raise SettingsError(f"{e.filename or folder}: {e.strerror}") from e
    return Written(page=page, pictures=sum(map(len, taken.values())), blind=blind)


def _write_mails(folder: Path, cards: Sequence[Card]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for card in cards:
        for stem, html in mails_of(card).items():
            path = folder / f"{stem}.html"
            path.write_text(html, encoding="utf-8")
            written.append(path)
    return written


def _taken(
    mails: Sequence[Path], folder: Path, progress: Progress
) -> tuple[dict[str, dict[str, str]], str]:
    if not mails:
        return {}, ""
    try:
        return dict(take_pictures(progress(mails), folder)), ""
    except NoBrowser as e:
        return {}, f"without pictures: {e}"
