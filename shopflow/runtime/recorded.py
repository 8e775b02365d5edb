"""Recorded events as lines: JSONL files, plain or packed by gzip, or standard input."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from shopflow.errors import SettingsError
from shopflow.runtime.ingest import MAX_BYTES

#: The name that stands for standard input.
STDIN = Path("-")

_GZIP = b"\x1f\x8b"


class Line(NamedTuple):
    """One event as it was recorded, and where."""

    raw: bytes
    place: str
    #: Bytes of its file, as they lie on disk, that had been read by then.
    read: int


def size_of(path: Path) -> int:
    """Bytes of the file as they lie on disk; 0 for standard input."""
    return 0 if path == STDIN else path.stat().st_size


def lines_of(path: Path) -> Iterator[Line]:
    """The lines of the file that are not empty; of one that is too long for an event, its start.

    Raises:
        SettingsError: The file cannot be read to its end.
    """
    number = 0
    with ExitStack() as opened:
        try:
            raw = sys.stdin.buffer if path == STDIN else opened.enter_context(path.open("rb"))
            text = _unpacked(raw)
            while line := text.readline(MAX_BYTES + 1):
                number += 1
                rest = line
                while len(rest) > MAX_BYTES and not rest.endswith(b"\n"):
                    rest = text.readline(MAX_BYTES + 1)
                if line.strip():
                    read = 0 if path == STDIN else raw.tell()
                    yield Line(line.rstrip(b"\r\n"), f"{path}:{number}", read)
        except (OSError, EOFError, zlib.error) as e:
            raise SettingsError(f"{path}: cannot be read after line {number}: {e}") from e


def _unpacked(raw: BinaryIO) -> BinaryIO:
    """The text of the file, whatever its name says of how it is packed."""
    start = raw.peek(len(_GZIP)) if hasattr(raw, "peek") else b""
    packed = start.startswith(_GZIP)
    return cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if packed else raw
