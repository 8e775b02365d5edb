"""From inputs to decisions: accept, load, decide, write, one transaction a batch.

A batch that raises is halved down to the one input at fault, which is set aside with its reason;
the rest goes on. Reading streams, timers and delivering messages are left to others.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from shopflow.domain.event import Event
from shopflow.runtime.faults import Complaints, halved, place_of, raise_unless_fault_of_item
from shopflow.runtime.ingest import Accepted, BadReason, Ingest, Refused, as_sent, routing_id
from shopflow.runtime.workset import Rules, Workset, failure
from shopflow.store.protocol import Batch, Store
from shopflow.store.records import Arrival

log = logging.getLogger("shopflow.process")

#: Inbox entries that one transaction takes.
PAGE = 500


class Taken(StrEnum):
    """What became of one input; the words are those of the statistics."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    DEAD_LETTER = "dead_letter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the sender of one input is told."""

    taken: Taken
    event_id: str = ""
    reason: str = ""
    detail: str = ""


class Entry(NamedTuple):
    """One input of a stream, and where the stream goes on after it."""

    raw: bytes
    position: str = ""
    #: None: it has just been received.
    received_at: datetime | None = None


class Stream(NamedTuple):
    """The right to read a stream: its name and the epoch of this reader."""

    name: str
    epoch: int
    #: The one partition whose events it holds; None: it holds all, and has no reader beside it.
    partition: int | None = None

    def workset(self, store: Store, batch: Batch, rules: Rules, clock: datetime) -> Workset:
        """What one transaction of this stream decides: the customers of its partition."""
        if self.partition is None:
            return Workset(batch, rules, clock=clock)
        return Workset(
            batch, rules, clock=clock, ours=lambda key: store.partition_of(key) == self.partition
        )


#: The stream of whoever decides everything alone.
ALONE = Stream("", 0)


def fenced(store: Store, stream: Stream) -> AbstractContextManager[Batch]:
    """One batch that commits only while the stream is this reader's; alone there is no fence."""
    return store.transaction(stream.name, stream.epoch) if stream.name else store.transaction()


class _Read(NamedTuple):
    entry: Entry
    result: Accepted | Refused


class Processor:
    """Decides inputs against one rulebook and keeps what follows."""

    def __init__(self, store: Store, rules: Rules, ingest: Ingest) -> None:
        self._store = store
        self._rules = rules
        self._ingest = ingest
        self._complaints = Complaints(log)
        #: Time of the newest event accepted here; where the events are the clock, it is the time.
        self.read_to: datetime | None = None

    def take(self, stream: Stream, entries: Sequence[Entry], *, now: datetime) -> list[Answer]:
        """The entries are accepted and decided, or set aside; one answer each, in order.

        Raises:
            StoreError: Nothing more can be kept; what was not answered was not taken.
        """
        reads = [
            _Read(entry, self._ingest.read(entry.raw, received_at=entry.received_at or now))
            for entry in entries
        ]
        return halved(
            reads,
            lambda some: self._transact(stream, some, now),
            lambda one, error: self._set_aside(stream, one, error, now),
        )

    def hear(self, now: datetime, stream: Stream = ALONE) -> int:
        """Everything in the inbox of the stream's partition is decided; returns how much it was."""
        heard, limit = 0, PAGE
        while True:
            try:
                count = self._hear(limit, now, stream)
            except Exception as e:  # noqa: BLE001 - the job boundary: one input may be at fault
                raise_unless_fault_of_item(e)
                if limit == 1:
                    self._drop_heard(e, now, stream.partition)
                # The one at fault is found from the front, and there is none behind it to wait.
                limit = PAGE if limit == 1 else limit // 2
                continue
            heard += count
            if not count:
                return heard
            limit = PAGE

    def _transact(self, stream: Stream, reads: Sequence[_Read], now: datetime) -> list[Answer]:
        with self._store.transaction(stream.name, stream.epoch) as batch:
            arrivals = [arrival for read in reads if (arrival := self._arrival(read))]
            news = iter(batch.accept_events(arrivals))
            answers = [_answer(batch, read.result, news, now) for read in reads]
            fresh = [
                read.result.event
                for read, answer in zip(reads, answers, strict=True)
                if isinstance(read.result, Accepted) and answer.taken is Taken.ACCEPTED
            ]
            work = stream.workset(self._store, batch, self._rules, now)
            work.load(event.concerns for event in fresh if event.concerns is not None)
            for event in fresh:
                if event.concerns is not None:
                    work.decide(event.concerns, event)
            work.write()
            read_to = max((event.occurred_at for event in fresh), default=None)
            batch.advance(reads[-1].entry.position, read_to)
        if read_to is not None:
            self.read_to = max(read_to, self.read_to or read_to)
        return answers

    def _arrival(self, read: _Read) -> Arrival | None:
        if not isinstance(read.result, Accepted):
            return None
        event = read.result.event
        kept = self._ingest.secrets.blanked(event)
        raw = read.entry.raw if kept is event else as_sent(kept)
        # A clamped time is ours; the sender's own is what a resend carries again.
        stored = replace(kept, occurred_at=read.result.sent_at)
        return Arrival(self._store.partition_of(routing_id(event)), stored, raw)

    def _set_aside(self, stream: Stream, read: _Read, error: Exception, now: datetime) -> Answer:
        """The one input at fault becomes a dead letter; no event row, so that it may come again."""
        result = read.result
        event = result.event if isinstance(result, Accepted) else None
        detail = place_of(error)
        self._complaints.tell("an input could not be decided and was set aside", detail)
        with self._store.transaction(stream.name, stream.epoch) as batch:
            self._dead(batch, event, detail, now)
            batch.advance(read.entry.position)
        return Answer(
            taken=Taken.DEAD_LETTER,
            event_id=event.id if event else "",
            reason=BadReason.DECIDE_FAILED,
            detail=detail,
        )

    def _hear(self, limit: int, now: datetime, stream: Stream) -> int:
        with fenced(self._store, stream) as batch:
            told = batch.take_inbox(limit=limit, partition=stream.partition)
            work = stream.workset(self._store, batch, self._rules, now)
            work.load(to for to, _ in told)
            for to, given in told:
                work.decide(to, given)
            work.write()
        return len(told)

    def _drop_heard(self, error: Exception, now: datetime, partition: int | None) -> None:
        with self._store.transaction() as batch:
            for to, given in batch.take_inbox(limit=1, partition=partition):
                place, kind = place_of(error), type(given).__name__
                self._complaints.tell(f"a {kind} in an inbox could not be decided", place)
                if isinstance(given, Event):
                    self._dead(batch, given, f"{place}, in a customer's inbox", now)
                else:
                    batch.journal([failure(to, now, error)])

    def _dead(self, batch: Batch, event: Event | None, detail: str, now: datetime) -> None:
        kept = self._ingest.secrets.blanked(event) if event else None
        batch.dead_letter(
            BadReason.DECIDE_FAILED,
            at=now,
            raw=as_sent(kept) if kept else b"",
            detail=detail,
            event=kept,
        )


def _answer(
    batch: Batch, result: Accepted | Refused, news: Iterator[bool], now: datetime
) -> Answer:
    if isinstance(result, Accepted):
        taken = Taken.ACCEPTED if next(news) else Taken.DUPLICATE
        return Answer(taken=taken, event_id=result.event.id)
    batch.dead_letter(result.reason, at=now, raw=result.raw.encode(), detail=result.detail)
    return Answer(
        taken=Taken.DEAD_LETTER,
        event_id=result.event_id,
        reason=result.reason,
        detail=result.detail,
    )
