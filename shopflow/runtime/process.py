"""From inputs to decisions: accept, load, decide, write, one transaction a batch.

A batch that raises is halved down to the one input at fault, which is set aside with its reason;
the rest goes on. Reading streams, timers and delivering messages are left to others.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import NamedTuple

from shopflow.domain.event import Event, Input, News
from shopflow.domain.ids import CustomerId
from shopflow.domain.product import is_about_product
from shopflow.engine.news import JUST_BEFORE, Place, addressed
from shopflow.errors import DecideAgain
from shopflow.runtime import products
from shopflow.runtime.answers import Answer, Taken
from shopflow.runtime.fanout import Fanout
from shopflow.runtime.faults import Complaints, halved, place_of, raise_unless_fault_of_item
from shopflow.runtime.ingest import Accepted, BadReason, Ingest, Refused, as_sent, routing_id
from shopflow.runtime.lines import failure
from shopflow.runtime.serving import served
from shopflow.runtime.stream import ALONE, Stream, fenced
from shopflow.runtime.sweep import Sweeps
from shopflow.runtime.timers import Timers
from shopflow.runtime.workset import Rules
from shopflow.store.protocol import Batch, Store
from shopflow.store.records import Arrival
from shopflow.store.sweeps import Sweep

log = logging.getLogger("shopflow.process")

#: Inbox entries that one transaction takes.
PAGE = 500


class Entry(NamedTuple):
    """One input of a stream, and where the stream goes on after it."""

    raw: bytes
    position: str = ""
    #: None: it has just been received.
    received_at: datetime | None = None
    #: Another partition has it too, and counts it.
    copied: bool = False


class _Read(NamedTuple):
    entry: Entry
    result: Accepted | Refused


class Processor:
    """Decides inputs against one rulebook and keeps what follows."""

    def __init__(self, store: Store, rules: Rules, ingest: Ingest) -> None:
        self._store = store
        self._rules = rules
        self._ingest = ingest
        self._fanout = Fanout(store, rules.rulebook)
        self._timers = Timers(store, rules)
        self._sweeps = Sweeps(store, rules)
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
        answers: list[Answer] = []
        run: list[_Read] = []
        for read in reads:
            event = _event_of(read)
            alone = event is not None and self._rules.rulebook.has_audience(event)
            if alone or (event is not None and self._goes_first(event)):
                # Who waits for an event about no customer is known once all before is decided.
                answers += self._take(stream, run, now)
                run = []
            run.append(read)
            if alone:
                # And what comes after it has to know of it.
                answers += self._take(stream, run, now)
                run = []
        return answers + self._take(stream, run, now)

    def _take(self, stream: Stream, reads: Sequence[_Read], now: datetime) -> list[Answer]:
        """A run of reads, of which only the first may be an event that enrolments await."""
        waiting = self._tell_pages(stream, reads[0], now) if reads else []
        return halved(
            reads,
            lambda some: served(
                self._rules,
                lambda: self._transact(stream, some, waiting if some[0] is reads[0] else [], now),
                stream,
                alone=len(some) == 1,
            ),
            lambda one, error: self._set_aside(stream, one, error, now),
        )

    def _tell_pages(self, stream: Stream, read: _Read, now: datetime) -> list[Place]:
        """Who waits for the event and is still to hear of it: the last page of them.

        The others have heard, unless the event came before; so have the timers due before it.
        """
        event = _event_of(read)
        if event is None or not self._goes_first(event):
            return []
        before = event.occurred_at - JUST_BEFORE
        clock = max(before, now)
        while self._timers.tick_page(before, stream=stream, clock=clock):
            continue
        if self._rules.facts.event_clock:
            for _ in self._sweeps.all_at_once(before, stream, clock):
                continue
        if not self._fanout.is_awaited(event):
            return []
        pages = self._fanout.pages(event, stream.partition)
        last = next(pages, [])
        for page in pages:
            told = addressed(event, last)
            if not served(
                self._rules,
                lambda: self._tell_page(stream, read, told, now),  # noqa: B023 - called at once
                stream,
            ):
                return []
            last = page
        return last

    def _goes_first(self, event: Event) -> bool:
        """Whether the timers due before the event have to fire before it counts."""
        # In a replay nothing but events moves the clock, and timers read what products were then.
        replayed = self._rules.facts.event_clock and is_about_product(event.type)
        return replayed or self._fanout.is_awaited(event)

    def _tell_page(
        self, stream: Stream, read: _Read, told: Sequence[tuple[CustomerId, News]], now: datetime
    ) -> bool:
        """False when the event had come before, and nobody is told."""
        with fenced(self._store, stream) as batch:
            arrival = self._arrival(stream, read)
            if arrival is not None and batch.knows(arrival):
                return False
            work = stream.workset(self._store, batch, self._rules, now)
            work.tell(told)
            work.write()
        return True

    def hear(self, now: datetime, stream: Stream = ALONE, *, most: int = 2**31) -> int:
        """What is in the inbox of the stream's partition is decided; returns how much it was.

        Everything, or about so many at most.
        """
        if stream.partition is not None and not self._store.views.told_partitions(stream.partition):
            # Most inboxes are empty most of the time, which is seen without a commit.
            return 0
        heard, limit = 0, PAGE
        while True:
            try:
                work = partial(self._hear, limit, now, stream)
                count = served(self._rules, work, stream, alone=limit == 1)
            except DecideAgain:
                # What was told before may count, so it is kept first.
                limit = 1
                continue
            except Exception as e:  # noqa: BLE001 - the job boundary: one input may be at fault
                raise_unless_fault_of_item(e)
                if limit == 1:
                    self._drop_heard(e, now, stream.partition)
                # The one at fault is found from the front, and there is none behind it to wait.
                limit = PAGE if limit == 1 else limit // 2
                continue
            heard += count
            if not count or heard >= most:
                return heard
            limit = PAGE

    def _transact(
        self, stream: Stream, reads: Sequence[_Read], waiting: list[Place], now: datetime
    ) -> list[Answer]:
        with self._store.transaction(stream.name, stream.epoch) as batch:
            reads = self._without_erased(batch, reads)
            arrivals = [arrival for read in reads if (arrival := self._arrival(stream, read))]
            news = iter(batch.accept_events(arrivals))
            answers = [_answer(batch, read, news, now) for read in reads]
            fresh = [
                read.result.event
                for read, answer in zip(reads, answers, strict=True)
                if isinstance(read.result, Accepted) and answer.taken is Taken.ACCEPTED
            ]
            copies = [_event_of(read) for read in reads if read.entry.copied]
            work = stream.workset(self._store, batch, self._rules, now)
            work.load(event.concerns for event in fresh if event.concerns is not None)
            for event in fresh:
                if event.concerns is not None:
                    work.decide(event.concerns, event)
                    continue
                if self._rules.products is not None:
                    self._rules.products.learn(event)
                if event is _event_of(reads[0]):
                    work.tell(addressed(event, waiting))
                if event not in copies:
                    work.begin_for_subjects(event)
                if self._rules.rulebook.has_audience(event):
                    self._begin_sweeps(batch, event, stream.partition)
            work.write()
            copied = {_id_of(read) for read in reads if read.entry.copied}
            products.keep(batch, [event for event in fresh if event.id not in copied])
            read_to = max((event.occurred_at for event in fresh), default=None)
            batch.advance(reads[-1].entry.position, read_to)
        if self._rules.occasions is not None and any(map(self._rules.rulebook.has_audience, fresh)):
            self._rules.occasions.forget()
        if read_to is not None:
            self.read_to = max(read_to, self.read_to or read_to)
        return answers

    def _without_erased(self, batch: Batch, reads: Sequence[_Read]) -> list[_Read]:
        """What is about somebody who was erased after it is refused, and nothing of it is kept."""
        stones = self._rules.tombstones
        if stones is None:
            return [*reads]
        stones.refresh(batch)
        refused = Refused(reason=BadReason.ERASED, detail="about somebody who was erased since")
        return [
            read._replace(result=refused) if stones.refuse_input(read.result) else read
            for read in reads
        ]

    def _is_erased(self, batch: Batch, to: CustomerId, given: Input) -> bool:
        stones = self._rules.tombstones
        if stones is None:
            return False
        stones.refresh(batch)
        return stones.refuse_told(to, given)

    def _begin_sweeps(self, batch: Batch, event: Event, partition: int | None) -> None:
        for number in range(self._store.partitions) if partition is None else [partition]:
            batch.begin_sweep(Sweep(partition=number, at=event.occurred_at, event=event))

    def _arrival(self, stream: Stream, read: _Read) -> Arrival | None:
        if not isinstance(read.result, Accepted):
            return None
        event = read.result.event
        kept = self._ingest.secrets.blanked(event)
        raw = read.entry.raw if kept is event else as_sent(kept)
        # A clamped time is ours; the sender's own is what a resend carries again.
        sent_at = read.result.sent_at
        stored = kept if sent_at == kept.occurred_at else replace(kept, occurred_at=sent_at)
        home = self._store.partition_of(routing_id(event))
        if read.entry.copied and stream.partition is not None:
            return Arrival(stream.partition, stored, raw, copied=True)
        return Arrival(home, stored, raw)

    def _set_aside(self, stream: Stream, read: _Read, error: Exception, now: datetime) -> Answer:
        """The one input at fault becomes a dead letter; no event row, so that it may come again."""
        result = read.result
        event = result.event if isinstance(result, Accepted) else None
        detail = place_of(error)
        self._complaints.tell("an input could not be decided and was set aside", detail)
        with self._store.transaction(stream.name, stream.epoch) as batch:
            if not read.entry.copied:
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
            taken = batch.take_inbox(limit=limit, partition=stream.partition)
            told = [one for one in taken if not self._is_erased(batch, *one)]
            work = stream.workset(self._store, batch, self._rules, now)
            work.load(to for to, _ in told)
            for to, given in told:
                work.decide(to, given)
            work.write()
        return len(taken)

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


def _id_of(read: _Read) -> str:
    return read.result.event.id if isinstance(read.result, Accepted) else ""


def _event_of(read: _Read) -> Event | None:
    return read.result.event if isinstance(read.result, Accepted) else None


def _answer(batch: Batch, read: _Read, news: Iterator[bool], now: datetime) -> Answer:
    result = read.result
    if isinstance(result, Accepted):
        taken = Taken.ACCEPTED if next(news) else Taken.DUPLICATE
        return Answer(taken=taken, event_id=result.event.id)
    if not read.entry.copied:
        batch.dead_letter(result.reason, at=now, raw=result.raw.encode(), detail=result.detail)
    return Answer(
        taken=Taken.DEAD_LETTER,
        event_id=result.event_id,
        reason=result.reason,
        detail=result.detail,
    )
