"""Dead letters on their way back through the door that they came in by, or out for good.

A letter is handed on first and forgotten then: cut off in between, it is handed on twice, and
recognised as a duplicate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from shopflow.domain.journal import JournalEntry, Kind
from shopflow.runtime.answers import Answer
from shopflow.runtime.process import Entry, Processor
from shopflow.runtime.secrets import BLANK
from shopflow.runtime.stream import Stream
from shopflow.store.delivery import NOBODY
from shopflow.store.protocol import Store
from shopflow.store.records import StatKey, StatRow, StoredDeadLetter
from shopflow.store.tally import DEAD_LETTER, day_of

#: Letters that are handed on at a time.
PAGE = 500
#: The stream of those who decide retried letters themselves.
STREAM = "dead-letters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """What became of letters that were to be tried again."""

    #: Handed back to the door.
    handed_on: int = 0
    #: Kept as they are, with why.
    kept: tuple[tuple[StoredDeadLetter, str], ...] = ()


def retry(
    store: Store, letters: Sequence[StoredDeadLetter], hand_on: Callable[[list[bytes]], object]
) -> Retried:
    """The letters go through `hand_on`, oldest first; each counts as what it becomes there."""
    judged = [(one, why_not(one)) for one in sorted(letters, key=lambda one: one.seq)]
    whole = [one for one, reason in judged if not reason]
    for start in range(0, len(whole), PAGE):
        page = whole[start : start + PAGE]
        hand_on([one.payload.encode() for one in page])
        with store.transaction() as batch:
            taken = batch.take_dead_letters(numbers=[one.seq for one in page], limit=PAGE)
            batch.count_stats(_uncounted(store, one) for one in taken if one.stream)
    kept = tuple((one, reason) for one, reason in judged if reason)
    return Retried(handed_on=len(whole), kept=kept)


def drop(store: Store, letters: Sequence[StoredDeadLetter], *, because: str, at: datetime) -> int:
    """The letters are gone, which the journal tells; they stay counted as dead letters."""
    gone = 0
    for start in range(0, len(letters), PAGE):
        numbers = [one.seq for one in letters[start : start + PAGE]]
        with store.transaction() as batch:
            taken = batch.take_dead_letters(numbers=numbers, limit=PAGE)
            if taken:
                told = {"count": len(taken), "reasons": sorted({one.reason for one in taken})}
                batch.journal([_discarded(at, because, told)])
        gone += len(taken)
    return gone


def deciding(store: Store, processor: Processor, now: datetime) -> Callable[[list[bytes]], object]:
    """A door that decides at once: the embedded runner's."""
    stream = Stream(STREAM, store.take_over(STREAM).epoch)

    def take(raws: list[bytes]) -> list[Answer]:
        answers = processor.take(stream, [Entry(raw) for raw in raws], now=now)
        processor.hear(now)
        return answers

    return take


def why_not(letter: StoredDeadLetter) -> str:
    """Why the letter cannot be tried again; empty when it can."""
    try:
        document = orjson.loads(letter.payload)
    except orjson.JSONDecodeError:
        return "it is no JSON, or was kept in part only"
    if not isinstance(document, dict):
        return "it is no event"
    if f'"{BLANK}"' in letter.payload:
        return "it held a secret, which is not kept; let the shop send it again"
    return ""


def _uncounted(store: Store, letter: StoredDeadLetter) -> StatRow:
    partition = store.partition_of(letter.customer_id or "")
    return StatRow(key=StatKey(day_of(letter.at), partition, result=DEAD_LETTER), count=-1)


def _discarded(at: datetime, because: str, told: dict[str, object]) -> JournalEntry:
    return JournalEntry(at=at, customer_id=NOBODY, kind=Kind.DISCARDED, reason=because, values=told)
