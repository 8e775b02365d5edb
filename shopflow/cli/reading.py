"""What commands share that only look: the project's settings and its store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
