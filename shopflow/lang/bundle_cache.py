"""Compiled rules kept between starts, under the digest of everything that they were made of.

What is kept is data and never code, see `shopflow.lang.bundle`. It is used only where nobody else
can have written it: in a folder that is ours alone. A file that is missing, cut off, of another
version or of other rules is as good as none, and the rules are compiled again.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

import shopflow
from shopflow.domain.ruleset import Ruleset
from shopflow.lang import schemas
from shopflow.lang.bundle import BadBundle, NotKept, pack, unpack

#: Where bundles are kept; `off` keeps none.
FOLDER = "SHOPFLOW_CACHE"
OFF = "off"
#: Bundles of one user that are kept; those used longest ago go.
MOST = 20
#: Changes when rows or files are laid out differently.
_FORM = 1
_SUFFIX = ".bundle"

#: Workflow documents as plain JSON, by digest.
Sources = Mapping[str, Mapping[str, Any]]


class BundleCache:
    """Bundles in a folder of one's own; safe for many processes, which write whole files only.

    Without a folder, none are kept.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> BundleCache:
        """Where this environment keeps bundles."""
        if named := environment.get(FOLDER, ""):
            return cls(None if named == OFF else Path(named))
        home, caches = environment.get("HOME"), environment.get("XDG_CACHE_HOME")
        if not caches and home:
            caches = f"{home}/.cache"
        return cls(Path(caches, "shopflow") if caches else None)

    @property
    def keeps(self) -> bool:
        """False when nothing is ever kept."""
        return self._folder is not None

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """One process at a time compiles; the others wait for what it keeps."""
        with contextlib.ExitStack() as held:
            # Without the lock they are compiled twice, which does no harm.
            with contextlib.suppress(OSError):
                if self._folder is not None:
                    self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                    file = held.enter_context((self._folder / "compiling").open("a"))
                    fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def read(self, key: str) -> Ruleset | None:
        """The ruleset kept under this key; None when there is none that can be used."""
        content = self._content(key, "rules")
        if content is None:
            return None
        try:
            return unpack(orjson.loads(content))
        except (BadBundle, orjson.JSONDecodeError):
            return None

    def sources(self, key: str) -> Sources | None:
        """The documents of its workflows; None when they cannot be used."""
        content = self._content(key, "sources")
        try:
            return None if content is None else orjson.loads(content)
        except orjson.JSONDecodeError:
            return None

    def write(self, key: str, ruleset: Ruleset, sources: Sources) -> bool:
        """They are kept from now on; False when they cannot be, which does no harm."""
        folder = self._folder
        if folder is None:
            return False
        try:
            parts = {"sources": orjson.dumps(dict(sources)), "rules": orjson.dumps(pack(ruleset))}
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not _ours(folder):
                return False
            for part, content in parts.items():
                _put(folder / _name(key, part), content)
            _tidy(folder)
        except (NotKept, orjson.JSONEncodeError, OSError):
            return False
        return True

    def _content(self, key: str, part: str) -> bytes | None:
        if self._folder is None:
            return None
        path = self._folder / _name(key, part)
        try:
            if not (_ours(self._folder) and _ours(path)):
                return None
            whole = path.read_bytes()
            digest, _, content = whole.partition(b"\n")
            if hashlib.blake2b(content).hexdigest().encode() != digest:
                return None
            os.utime(path)
        except OSError:
            return None
        return content


def key_of(root: Path, folders: Iterable[str], settings: object) -> str:
    """The digest of all that a ruleset is made of: these folders, settings, and this program."""
    digest = hashlib.blake2b(digest_size=20)
    for part in (str(_FORM), shopflow.__version__, version("cel-python"), _program()):
        digest.update(part.encode() + b"\0")
    digest.update(repr(settings).encode() + b"\0")
    for folder in folders:
        for name, path in _files(root / folder):
            content = Path(path).read_bytes()
            digest.update(f"{folder}/{name}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()


@cache
def _program() -> str:
    """What changes when the program does, also in a checkout that keeps its version."""
    digest = hashlib.blake2b(digest_size=20)
    for folder in (Path(shopflow.__file__).parent, schemas.folder()):
        for name, path in _files(folder):
            if name.endswith((".py", ".json")):
                known = Path(path).stat()
                digest.update(f"{name}\0{known.st_size}\0{known.st_mtime_ns}\0".encode())
    return digest.hexdigest()


def _files(folder: Path | str, above: str = "") -> Iterator[tuple[str, str]]:
    """Every file below the folder, in order: its name from there, and its path."""
    try:
        found = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    for entry in found:
        name = f"{above}{entry.name}"
        if entry.is_dir():
            yield from _files(entry.path, f"{name}/")
        elif entry.is_file():
            yield name, entry.path


def _ours(path: Path) -> bool:
    """True when it belongs to us, and nobody else may write it."""
    known = path.stat()
    writable = stat.S_IWGRP | stat.S_IWOTH
    return known.st_uid == os.geteuid() and not known.st_mode & writable


def _used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _name(key: str, part: str) -> str:
    return f"{key}.{part}{_SUFFIX}"


def _put(path: Path, content: bytes) -> None:
    # Written beside and then renamed: nobody ever reads half of it.
    number, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(number, "wb") as file:
            file.write(hashlib.blake2b(content).hexdigest().encode() + b"\n" + content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _tidy(folder: Path) -> None:
    kept = sorted(folder.glob(f"*{_SUFFIX}"), key=_used, reverse=True)
    for path in kept[2 * MOST :]:
        # Another process may be tidying too.
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
