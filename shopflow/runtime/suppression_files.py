"""Lists of suppressed addresses as CSV files: one line an address, or its hash."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import IO, TypeVar

from shopflow.domain.customer import SuppressionScope
from shopflow.domain.journal import Stopped
from shopflow.errors import SettingsError
from shopflow.runtime.hashes import Hashes
from shopflow.runtime.safety import SafetyLog, suppressed
from shopflow.store.people import People
from shopflow.store.records import Suppression

Word = TypeVar("Word", bound=StrEnum)

#: Columns of an export; an import may have any of them, and an address instead of a hash.
COLUMNS = ("hash", "channel", "scope", "reason", "at")
#: Columns that hold an address, and its channel where the file does not say.
ADDRESSES = {"address": "", "email": "email", "phone": "sms"}
#: Suppressions that are written at a time.
PART = 1_000

#: How much each reason stops, unless the file says.
_SCOPES = {Stopped.HARD_BOUNCE: SuppressionScope.ADDRESS}


@dataclass(slots=True)
class Imported:
    """What became of the lines of a file."""

    taken: int = 0
    #: Line number and what is wrong with it; no address is told.
    refused: list[tuple[int, str]] = field(default_factory=list)


def read(
    people: People,
    hashes: Hashes,
    file: IO[str],
    *,
    channel: str,
    reason: Stopped,
    now: datetime,
    log: SafetyLog | None = None,
) -> Imported:
    """Every good line of the file is suppressed; the channel and the reason are for lines without.

    Raises:
        SettingsError: The file has no column that says whom.
    """
    lines = csv.DictReader(file)
    given = [name.strip().lower() for name in lines.fieldnames or ()]
    lines.fieldnames = given
    if not {"hash", *ADDRESSES} & set(given):
        raise SettingsError(
            "the first line names the columns; one must be email, phone, address or hash, "
            f"found: {', '.join(given) or 'nothing'}"
        )
    done, part = Imported(), list[Suppression]()
    for line in lines:
        try:
            part.append(_suppression(line, hashes, channel, reason, now))
        except ValueError as e:
            done.refused.append((lines.line_num, str(e)))
            continue
        done.taken += 1
        if len(part) == PART:
            _keep(people, part, log)
            part = []
    _keep(people, part, log)
    return done


def _keep(people: People, part: Sequence[Suppression], log: SafetyLog | None) -> None:
    if log is not None:
        log.note(suppressed(part))
    people.suppress(part)


def write(suppressions: Iterable[Suppression], file: IO[str]) -> int:
    """The suppressions are in the file, by hash; returns how many."""
    out = csv.writer(file, lineterminator="\n")
    out.writerow(COLUMNS)
    count = 0
    for one in suppressions:
        out.writerow((one.hash, one.channel, one.scope, one.reason, one.at.isoformat()))
        count += 1
    return count


def _suppression(
    line: dict[str, str], hashes: Hashes, channel: str, reason: Stopped, now: datetime
) -> Suppression:
    told = {name: (value or "").strip() for name, value in line.items() if isinstance(name, str)}
    why = _word(Stopped, told.get("reason"), reason, "reason")
    scope = _word(
        SuppressionScope,
        told.get("scope"),
        _SCOPES.get(why, SuppressionScope.MARKETING),
        "scope",
    )
    hash_, of_column = told.get("hash", ""), ""
    for column, its_channel in _addresses(told):
        hash_, of_column = hashes.address(told[column]), its_channel
    if not hash_:
        raise ValueError("names nobody")
    return Suppression(
        hash=hash_,
        channel=told.get("channel", of_column or channel),
        scope=scope,
        reason=why,
        at=_instant(told.get("at", ""), now),
    )


def _addresses(told: dict[str, str]) -> Iterator[tuple[str, str]]:
    return ((name, channel) for name, channel in ADDRESSES.items() if told.get(name))


def _word(kind: type[Word], text: str | None, default: Word, name: str) -> Word:
    if not text:
        return default
    try:
        return kind(text)
    except ValueError as e:
        raise ValueError(f"{name}: must be one of {', '.join(kind)}") from e


def _instant(text: str, now: datetime) -> datetime:
    if not text:
        return now
    try:
        told = datetime.fromisoformat(text)
    except ValueError as e:
        raise ValueError("at: is no time such as 2026-03-01T10:00:00Z") from e
    return min(now, told.replace(tzinfo=UTC) if told.tzinfo is None else told.astimezone(UTC))
