"""What commands share that only look: the project's settings and its store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from shopflow.lang.project import Project
from shopflow.rulebook import load_settings
from shopflow.runtime.app import database_url
from shopflow.store.opening import open_store
from shopflow.store.protocol import Store


@contextmanager
def open_for_reading(root: Path) -> Iterator[tuple[Project, Store]]:
    """The settings and the store of a project; its rules may be broken, its state is there.

    Raises:
        RulesInvalid: There is no shopflow.yaml that can be read.
        SettingsError: The database is not named.
        StoreError: There is no database yet, or it cannot be opened.
    """
    project = load_settings(root)
    store = open_store(database_url(project), partitions=project.partitions, create=False)
    try:
        yield project, store
    finally:
        store.close()


class _Instant(click.ParamType[datetime]):
    """An instant in RFC 3339; a day is its first instant, and without a zone it is UTC."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """The instant."""
        try:
            told = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(
                f"'{value}' is no time such as 2026-03-01 or 2026-03-01T10:00:00Z", param, ctx
            )
        return told.replace(tzinfo=UTC) if told.tzinfo is None else told.astimezone(UTC)


INSTANT = _Instant()
