"""Where events come from in batches: files that can be resumed exactly, and standard input.

A position is where a file goes on after a line: `offset:line:mark`. The mark is a hash of the
file's beginning, so that another file under the same name is read from its start.
"""

from __future__ import annotations

import gzip
import queue
import sys
import threading
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol, cast

from shopflow.errors import SettingsError
from shopflow.runtime.ingest import MAX_BYTES
from shopflow.runtime.process import Entry

_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
#: How much of a file's beginning its mark is made of.
_MARKED = 256
#: Lines of standard input that wait to be decided.
_AHEAD = 2000


class Source(Protocol):
    """A stream of inputs in its order."""

    @property
    def stream(self) -> str:
        """The name that its cursor is kept under."""

    @property
    def at_end(self) -> bool:
        """True when nothing more will come."""

    @property
    def progress(self) -> tuple[int, int]:
        """Bytes read and bytes in all, as they lie on disk; zeros when that is not known."""

    def start(self, position: str) -> None:
        """It goes on after the position; an empty one is the beginning."""

    def read(self, limit: int) -> list[Entry]:
        """At most so many inputs that are there by now; does not wait for more.

        Raises:
            SettingsError: It cannot be read; says where.
        """

    def close(self) -> None:
        """Lets go of the file."""


class _Place(NamedTuple):
    offset: int = 0
    line: int = 0
    mark: str = ""

    @classmethod
    def parse(cls, position: str) -> _Place:
        offset, _, rest = position.partition(":")
        line, _, mark = rest.partition(":")
        return cls(int(offset), int(line), mark) if offset.isdigit() and line.isdigit() else cls()

    def __str__(self) -> str:
        return f"{self.offset}:{self.line}:{self.mark}"


class FileSource:
    """A JSONL file, plain or packed by gzip; with `follow` it waits for what is appended."""

    def __init__(self, path: Path, *, follow: bool = False) -> None:
        self._path = path.absolute()
        self._follow = follow
        self._place = _Place()
        self._at_end = False
        try:
            self._raw: BinaryIO = self._path.open("rb")
            self._size = self._path.stat().st_size
            packed = self._raw.read(len(_GZIP)) == _GZIP
            self._raw.seek(0)
        except OSError as e:
            raise SettingsError(f"{path}: cannot be read: {e.strerror}") from e
        if packed and follow:
            raise SettingsError(f"{path}: a packed file cannot be followed; unpack it first")
        self._text = cast("BinaryIO", gzip.GzipFile(fileobj=self._raw)) if packed else self._raw

    @property
    def stream(self) -> str:
        """See `Source`."""
        return f"file:{self._path}"

    @property
    def at_end(self) -> bool:
        """See `Source`."""
        return self._at_end and not self._follow

    @property
    def progress(self) -> tuple[int, int]:
        """See `Source`."""
        return self._raw.tell(), self._size

    def start(self, position: str) -> None:
        """See `Source`; a file that is no longer the same begins anew."""
        place = _Place.parse(position)
        with _Readable(self):
            beginning = self._text.read(_MARKED)
            # A file may have been shorter than the mark when it was first read.
            if place.offset and place.mark != _mark(beginning[: _marked(place.mark)]):
                place = _Place()
            if place.offset and self._ends_before(place.offset):
                place = _Place()
            self._place = place if place.offset else _Place(mark=_mark(beginning))
            self._text.seek(self._place.offset)

    def read(self, limit: int) -> list[Entry]:
        """See `Source`."""
        entries: list[Entry] = []
        with _Readable(self):
            while len(entries) < limit:
                line = self._line()
                if not line:
                    self._at_end = True
                    break
                if line.strip(b" \t\r\n" + _BOM):
                    entries.append(Entry(line.rstrip(b"\r\n").removeprefix(_BOM), str(self._place)))
        return entries

    def close(self) -> None:
        """See `Source`."""
        self._text.close()
        self._raw.close()

    def failed(self, error: Exception) -> SettingsError:
        """What is said when the file cannot be read on."""
        return SettingsError(f"{self._path}: cannot be read after line {self._place.line}: {error}")

    def _ends_before(self, offset: int) -> bool:
        """A plain file can be positioned after its end, a packed one stops there."""
        return self._text.seek(offset) < offset or (self._text is self._raw and offset > self._size)

    def _line(self) -> bytes:
        """The next line; of one that is too long for an event, its start."""
        line = rest = self._text.readline(MAX_BYTES + 1)
        length = len(line)
        while len(rest) > MAX_BYTES and not rest.endswith(b"\n"):
            rest = self._text.readline(MAX_BYTES + 1)
            length += len(rest)
        if self._follow and rest and not rest.endswith(b"\n"):
            # Whoever writes it is not done with this line.
            self._text.seek(self._place.offset)
            return b""
        if line:
            self._place = _Place(
                self._place.offset + length, self._place.line + 1, self._place.mark
            )
        return line


@dataclass(frozen=True, slots=True)
class _Readable:
    """Turns what may go wrong with a file into one error that says where."""

    source: FileSource

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (OSError, EOFError, zlib.error)):
            raise self.source.failed(error) from error


class StdinSource:
    """Standard input, read ahead by a thread of its own, which a stop need not wait for."""

    stream = "stdin"
    progress = (0, 0)

    def __init__(self, stdin: BinaryIO | None = None) -> None:
        self._stdin = stdin or cast("BinaryIO", sys.stdin.buffer)
        self._lines: queue.Queue[bytes] = queue.Queue(_AHEAD)
        self._reader = threading.Thread(target=self._read, name="stdin", daemon=True)

    @property
    def at_end(self) -> bool:
        """See `Source`."""
        return not self._reader.is_alive() and self._lines.empty()

    def start(self, position: str) -> None:
        """See `Source`; what was read before a restart comes again and is recognised."""
        del position
        self._reader.start()

    def read(self, limit: int) -> list[Entry]:
        """See `Source`."""
        entries: list[Entry] = []
        while len(entries) < limit:
            try:
                entries.append(Entry(self._lines.get_nowait()))
            except queue.Empty:
                break
        return entries

    def close(self) -> None:
        """See `Source`; the thread ends with the process."""

    def _read(self) -> None:
        while line := self._stdin.readline(MAX_BYTES + 1):
            rest = line
            while len(rest) > MAX_BYTES and not rest.endswith(b"\n"):
                rest = self._stdin.readline(MAX_BYTES + 1)
            if line.strip():
                self._lines.put(line.rstrip(b"\r\n"))


def open_sources(names: Sequence[str], *, follow: bool = False) -> list[Source]:
    """A source for each name; `-` is standard input.

    Raises:
        SettingsError: A file cannot be read, or one is named twice.
    """
    if len(set(names)) < len(names):
        raise SettingsError("a file is named twice; each is read once")
    return [
        StdinSource() if name == "-" else FileSource(Path(name), follow=follow) for name in names
    ]


def _mark(beginning: bytes) -> str:
    """How much of the beginning it is made of, and the hash."""
    return f"{len(beginning)}-{blake2b(beginning, digest_size=8).hexdigest()}"


def _marked(mark: str) -> int:
    length = mark.partition("-")[0]
    return min(int(length), _MARKED) if length.isdigit() else 0
