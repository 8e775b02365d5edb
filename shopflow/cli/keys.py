"""`shopflow keys`: the keys that seal links."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from shopflow.cli.options import FORMAT, PROJECT, tell
from shopflow.cli.reading import open_for_reading
from shopflow.runtime.keys import KNOWN_WITHIN
from shopflow.runtime.keys import rotate as make_new
from shopflow.store.keys import StoredKey


@click.group
def keys() -> None:
    """The keys that seal the links in messages.

    A key is half in the database and half in SHOPFLOW_LINKS_SECRET, so that neither alone opens a
    link. Unsubscribe links of every key that there ever was keep working.
    """


@keys.command("list")
@FORMAT
@PROJECT
def list_keys(style: str, project: Path) -> None:
    """Show the keys, the newest first; none of this is secret."""
    with open_for_reading(project) as (_, store):
        found = store.keys.all()
    lines = [_line(number, key) for number, key in enumerate(found)]
    documents = [
        {
            "number": key.number,
            "made_at": key.made_at.isoformat(),
            "condemned_at": key.condemned_at.isoformat() if key.condemned_at else None,
        }
        for key in found
    ]
    nothing = "no key was made yet: links are sealed with SHOPFLOW_LINKS_SECRET alone"
    tell(style, {"keys": documents}, "\n".join(lines) or nothing)


@keys.command
@click.option(
    "--leaked",
    is_flag=True,
    help="Links of all keys so far count no more, but for unsubscribes.",
)
@FORMAT
@PROJECT
def rotate(*, leaked: bool, style: str, project: Path) -> None:
    """Make a new key, which seals from now on.

    Links that were sealed before stay good until they expire; after a leak, say --leaked. If
    SHOPFLOW_LINKS_SECRET itself is known to somebody, give it a new value and put the old one into
    SHOPFLOW_LINKS_FORMER_SECRETS.
    """
    with open_for_reading(project) as (_, store):
        key = make_new(store.keys, at=datetime.now(UTC), leaked=leaked)
    told = f"key {key.number} seals from now on; running processes know it in {KNOWN_WITHIN:.0f} s"
    tell(style, {"number": key.number, "leaked": leaked}, told)


def _line(place: int, key: StoredKey) -> str:
    made = f"key {key.number}, of {key.made_at:%Y-%m-%d %H:%M}"
    if key.condemned_at is not None:
        return f"{made}: leaked, unsubscribes only, since {key.condemned_at:%Y-%m-%d %H:%M}"
    return f"{made}: {'seals' if place == 0 else 'retired, its links are good until they expire'}"
