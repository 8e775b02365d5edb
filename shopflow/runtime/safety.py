"""The safety log: a file outside the database of what a restored backup must not forget.

Refusals, suppressions, erasures and the keys of messages that left, a line of JSON each, only added
to, and naming nobody: persons and addresses are hashes. A line is written before what it tells is
committed, so that it may tell of something that never was; it never misses anything.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO
from uuid import uuid4

import orjson

from shopflow.domain.customer import ConsentState
from shopflow.domain.event import Outcome
from shopflow.domain.journal import LedgerEntry
from shopflow.errors import StoreError
from shopflow.runtime.hashes import Hashes
from shopflow.store.people import Erasure, Lifted
from shopflow.store.protocol import Store
from shopflow.store.records import Pause, Retry, Settled, Suppression

#: The environment variable that names the file; `off` keeps none.
SAFETY_LOG = "SHOPFLOW_SAFETY_LOG"
#: Where it is unless told: in the folder of the project.
DEFAULT = "safety.jsonl"
#: How the first line of a file begins.
_FIRST = b'{"kind":"log"'
#: Why delivery is paused when the database is older than the log.
RESTORED = "the database is older than the safety log: shopflow restore --replay FILE"

#: How often the two are held against each other.
MARKS = timedelta(minutes=5)

Line = Mapping[str, object]
#: What somebody said that must not be forgotten.
_KEPT = {ConsentState.WITHDRAWN, ConsentState.DENIED, ConsentState.PAUSED}


@dataclass(frozen=True, slots=True)
class SafetyLog:
    """One file of this machine; several processes may write to it."""

    path: Path

    def note(self, lines: Sequence[Line], *, sync: bool = True) -> None:
        """The lines are in the file; with `sync`, on the disk.

        Raises:
            StoreError: The file cannot be written, so what it would tell must not happen.
        """
        if lines:
            with self._open() as file:
                self._setting(file)
                _write(file, lines, sync=sync)

    def note_sent(self, words: Sequence[Settled | Retry]) -> None:
        """The keys of what left are in the file."""
        self.note(sent(words), sync=False)

    def mark(self, store: Store) -> None:
        """File and database hold the same new mark, by which an old database is noticed."""
        mark = uuid4().hex
        with self._open() as file:
            # The database first, and with the mark that the file has: cut off in between, neither
            # seems to be older than the other.
            before = next(_marks_backwards(self.path), "")
            store.people.set_setting(self._setting(file), f"{before} {mark}")
            _write(file, [{"kind": "mark", "mark": mark}], sync=False)

    def is_ahead_of(self, store: Store) -> bool:
        """True when the database lacks the newest mark: it is older than the file."""
        with self._open() as file:
            newest = next(_marks_backwards(self.path), None)
            if newest is None:
                return False
            return newest not in store.people.hold_setting(self._setting(file), "").split()

    def check(self) -> None:
        """The file can be written.

        Raises:
            StoreError: It cannot.
        """
        with self._open():
            return

    def _setting(self, file: IO[bytes]) -> str:
        """Where the database keeps the marks of this file, which says itself which one it is.

        Machines come and go, and containers share files.
        """
        with self.path.open("rb") as kept:
            first = kept.readline()
        if not first.startswith(_FIRST):
            if first:
                return f"safety:{self.path}"
            first = orjson.dumps({"kind": "log", "id": uuid4().hex}) + b"\n"
            file.write(first)
            file.flush()
        return f"safety:{orjson.loads(first)['id']}"

    @contextmanager
    def _open(self) -> Iterator[IO[bytes]]:
        try:
            with self.path.open("ab") as file:
                # A mark in the file and in the database are one.
                fcntl.flock(file, fcntl.LOCK_EX)
                yield file
        except OSError as e:
            raise StoreError(
                f"the safety log {self.path} cannot be written ({e.strerror}): name another "
                f"file in {SAFETY_LOG}, or `off`"
            ) from e


class Marks:
    """Keeps file and database marked, every few minutes."""

    def __init__(self, log: SafetyLog, store: Store) -> None:
        self._log = log
        self._store = store
        self._last: datetime | None = None

    def look(self, now: datetime) -> bool:
        """Marks them where it is time; True when it did."""
        if self._last is not None and now - self._last < MARKS:
            return False
        self._last = now
        self._log.mark(self._store)
        return True


def pause_if_restored(log: SafetyLog, store: Store, now: datetime) -> bool:
    """Nothing is delivered from a database that is older than the log, until it was replayed."""
    if not log.is_ahead_of(store):
        return False
    store.pause(Pause(scope="all", reason=RESTORED, at=now))
    return True


def log_of(environment: Mapping[str, str], root: Path) -> SafetyLog | None:
    """The project's safety log; None where it is off."""
    named = environment.get(SAFETY_LOG, "")
    return None if named == "off" else SafetyLog((root / (named or DEFAULT)).absolute())


def refusals(entries: Iterable[LedgerEntry], hashes: Hashes) -> list[Line]:
    """What persons refused, as lines."""
    return [
        {
            "kind": "refused",
            "customer": hashes.customer(entry.customer_id),
            "channel": entry.channel,
            "purpose": entry.purpose,
            "state": entry.consent.state,
            "at": entry.consent.at,
            "until": entry.consent.until,
        }
        for entry in entries
        if entry.consent.state in _KEPT
    ]


def suppressed(suppressions: Iterable[Suppression]) -> list[Line]:
    """What was suppressed, as lines."""
    return [
        {
            "kind": "suppressed",
            "hash": one.hash,
            "channel": one.channel,
            "scope": one.scope,
            "reason": one.reason,
            "at": one.at,
        }
        for one in suppressions
    ]


def lifted(lifts: Iterable[Lifted]) -> list[Line]:
    """What no longer stops anybody, as lines."""
    return [
        {"kind": "lifted", "hash": one.hash, "channel": one.channel, "before": one.before}
        for one in lifts
    ]


def erased(erasure: Erasure) -> list[Line]:
    """An erasure, as lines."""
    stone: Line = {"kind": "erased", "hashes": [*erasure.hashes], "at": erasure.at}
    return [*suppressed(erasure.suppressions), stone]


def sent(words: Iterable[Settled | Retry]) -> list[Line]:
    """The keys of messages that left, as lines."""
    return [
        {"kind": "sent", "id": word.report.message.id, "at": word.report.at}
        for word in words
        if isinstance(word, Settled) and word.report.outcome is Outcome.ACCEPTED
    ]


def _write(file: IO[bytes], lines: Sequence[Line], *, sync: bool) -> None:
    file.write(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    file.flush()
    if sync:
        os.fsync(file.fileno())


def _marks_backwards(path: Path) -> Iterator[str]:
    """The marks of a file, the newest first; the file may be long."""
    with path.open("rb") as file:
        end, rest = file.seek(0, os.SEEK_END), b""
        while end > 0:
            start = max(0, end - 1_000_000)
            file.seek(start)
            lines = (file.read(end - start) + rest).split(b"\n")
            # The first line may have begun before.
            rest, whole = (lines[0], lines[1:]) if start else (b"", lines)
            for line in reversed(whole):
                if line.startswith(b'{"kind":"mark"'):
                    yield orjson.loads(line)["mark"]
            end = start
