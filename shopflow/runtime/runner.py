"""One runner at a time on a database that is a file."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shopflow.errors import SettingsError

_SQLITE = "sqlite:///"


@contextmanager
def only_runner(url: str) -> Iterator[None]:
    """Holds the state for this process: two would deliver the same messages.

    The lock goes with the process, however it ends.
    """
    if not url.startswith(_SQLITE):
        yield
        return
    path = Path(f"{url.removeprefix(_SQLITE).partition('?')[0]}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            raise SettingsError(
                f"another shopflow runs on {url}: stop it, or ask it over HTTP (run --http)"
            ) from e
        yield
