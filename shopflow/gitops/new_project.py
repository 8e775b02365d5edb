"""Making a rules repository out of the one that comes with shopflow."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath

from shopflow.errors import SettingsError

#: What a directory may hold and still count as empty: `git init` often comes first.
IGNORED = frozenset({".git"})
#: Files that begin with a dot would mean something where they are kept.
_DOT = "dot-"


def scaffold() -> dict[str, bytes]:
    """The files of a new rules repository: path -> content."""
    root = files("shopflow.gitops") / "scaffold"
    return {str(path): file.read_bytes() for path, file in _files(root, PurePosixPath())}


def make_project(folder: Path, *, force: bool = False) -> list[str]:
    """The new repository's files, written into the folder; returns their paths.

    Raises:
        SettingsError: The folder holds something and `force` is not set, or it cannot be written.
    """
    content = scaffold()
    try:
        if not force and folder.exists() and any(e.name not in IGNORED for e in folder.iterdir()):
            raise SettingsError(
                f"{folder} is not empty; name another directory, or use --force: "
                "it replaces files of the same name"
            )
        for name, data in content.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    except OSError as e:
        raise SettingsError(f"{e.filename or folder}: {e.strerror}") from e
    return list(content)


def _files(folder: Traversable, path: PurePosixPath) -> Iterator[tuple[PurePosixPath, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        name = entry.name
        inner = path / (f".{name.removeprefix(_DOT)}" if name.startswith(_DOT) else name)
        if entry.is_dir():
            yield from _files(entry, inner)
        else:
            yield inner, entry
