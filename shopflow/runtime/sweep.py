"""Sweeps: everybody is looked at when something starts for all customers at once.

A schedule, the daily look at timed segments, an event with an audience and a new rule that asks for
the members of a segment concern all customers, of whom few have an input at that time. So each
partition is read in the order of its ids, page by page, without a lock, beside the events; whoever
has something to start is told that time has come, and decides it as with any other input. The page
and how far the sweep is are one transaction. Who had an input since has decided it already, before
that input, and is told nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

from shopflow.domain.customer import Customer
from shopflow.domain.event import Facts, Tick
from shopflow.engine.calendar import MAX_LATENESS, is_concerned, next_sweep
from shopflow.runtime.faults import Complaints, place_of, raise_unless_fault_of_item
from shopflow.runtime.occasions import SWEPT
from shopflow.runtime.serving import served
from shopflow.runtime.stream import Stream, fenced
from shopflow.runtime.workset import Rules
from shopflow.store.protocol import Batch, Store
from shopflow.store.sweeps import Sweep

log = logging.getLogger("shopflow.sweep")

#: Before everything.
BEGINNING = datetime.min.replace(tzinfo=UTC)
#: Customers that are looked at in one transaction.
PAGE = 1_000
#: How long what a sweep was for is remembered: nothing starts later than this.
REMEMBERED = 2 * MAX_LATENESS


def stream_name(partition: int) -> str:
    """The name that the right to sweep a partition is kept under."""
    return f"sweep:{partition}"


class Sweeps:
    """The sweeps of the partitions that one process answers for."""

    def __init__(self, store: Store, rules: Rules) -> None:
        self._store = store
        self._rules = rules
        self._complaints = Complaints(log)
        self._by_events = rules.facts.event_clock
        #: New rules may want something of everybody.
        newest = store.views.newest_revision()
        self._deployed_at = BEGINNING if newest is None else newest.deployed_at
        #: Of each partition: up to when what starts for everybody has been seen to.
        self._noticed: dict[int, datetime] = {}

    def is_due(self, partition: int, at: datetime) -> bool:
        """True when something has started for everybody that no sweep was begun for."""
        if not self._rules.rulebook.looks_at_everybody:
            return False
        if partition not in self._noticed:
            known = self._store.views.occurrences()
            for number in range(self._store.partitions):
                if (noticed := known.get(stream_name(number))) is not None:
                    self._noticed[number] = noticed
        noticed = self._noticed.get(partition)
        if noticed is None or noticed < self._deployed_at <= at:
            return True
        # By the wall clock, an event with an audience has a sweep of its own from the beginning.
        rules = self._rules.of_partition(partition) if self._by_events else self._rules
        due = next_sweep(rules.rulebook, rules.facts, noticed)
        return due is not None and due <= at

    def notice(self, partition: int, at: datetime, stream: Stream) -> bool:
        """Begins a sweep of the partition where one is due; time has come to `at` in it."""
        if not self.is_due(partition, at):
            return False
        first = partition not in self._noticed
        swept_to = self._swept_to(partition)
        with fenced(self._store, stream) as batch:
            self._note(batch, partition, at)
            # A shop's calendar begins when it is first looked at; members may be there before.
            if begins := not first or self._rules.rulebook.beginnings.concern_all:
                batch.begin_sweep(Sweep(partition=partition, at=at))
            if swept_to is not None:
                batch.set_occurrence(f"{SWEPT}{partition}", swept_to)
        if self._rules.occasions is not None:
            self._rules.occasions.forget()
        return begins

    def _swept_to(self, partition: int) -> datetime | None:
        """Up to when everybody has been looked at, and has decided what there was to decide."""
        if self._store.views.told_partitions(partition):
            return None
        mine = [one for one in self._store.views.sweeps() if one.partition == partition]
        done = [one.at for one in mine if one.done and one.event is None]
        waiting = min((one.at for one in mine if not one.done), default=None)
        return max((at for at in done if waiting is None or at < waiting), default=None)

    def pending(self) -> list[int]:
        """The partitions with a sweep under way."""
        if not self._rules.rulebook.looks_at_everybody:
            return []
        return sorted({one.partition for one in self._store.views.sweeps() if not one.done})

    def work(self, partition: int, clock: Callable[[], datetime]) -> Iterator[Sweep]:
        """Goes on with the sweeps of the partition; yields after each page.

        Raises:
            Conflict: Another process sweeps the partition.
        """
        if self._rules.occasions is not None:
            self._rules.occasions.forget()
        name = stream_name(partition)
        stream = Stream(name, self._store.take_over(name).epoch, partition)
        for sweep in self._store.views.sweeps():
            while sweep.partition == partition and not sweep.done:
                sweep = self._page(sweep, stream, clock())  # noqa: PLW2901 - it comes on
                yield sweep

    def all_at_once(self, at: datetime, stream: Stream, clock: datetime) -> Iterator[int]:
        """Everybody is looked at and decided right here, for streams whose events are the clock.

        Yields how many had something to start, page by page.
        """
        mine = range(self._store.partitions) if stream.partition is None else [stream.partition]
        for partition in mine:
            if not self.is_due(partition, at):
                continue
            sweep = Sweep(partition=partition, at=at)
            while not sweep.done:
                sweep, told = self._looked(sweep, self._store, clock)
                served(self._rules, lambda: self._decide(told, at, stream, clock), stream)  # noqa: B023 - called at once
                yield len(told)
            with fenced(self._store, stream) as batch:
                self._note(batch, partition, at)
                for pending in self._store.views.sweeps():
                    if pending.partition == partition and pending.at <= at:
                        batch.keep_sweep(replace(pending, done=True))

    def _note(self, batch: Batch, partition: int, at: datetime) -> None:
        batch.set_occurrence(stream_name(partition), at)
        self._noticed[partition] = at

    def _page(self, sweep: Sweep, stream: Stream, clock: datetime) -> Sweep:
        looked, told = self._looked(sweep, self._store, clock)
        with fenced(self._store, stream) as batch:
            for customer in told:
                batch.tell(customer.id, Tick(at=sweep.at))
            batch.keep_sweep(looked)
            if looked.done:
                batch.forget_sweeps(clock - REMEMBERED)
        if looked.done and self._rules.occasions is not None:
            self._rules.occasions.forget()
        return looked

    def _looked(self, sweep: Sweep, store: Store, clock: datetime) -> tuple[Sweep, list[Customer]]:
        page = store.views.customers_after(sweep.partition, sweep.after, limit=PAGE)
        rules = self._rules.of_partition(sweep.partition)
        told = [one for one in page if self._is_concerned(one, sweep, rules.facts, clock)]
        came_to = page[-1].id if page else sweep.after
        return (
            replace(
                sweep,
                after=came_to,
                looked=sweep.looked + len(page),
                told=sweep.told + len(told),
                done=len(page) < PAGE,
            ),
            told,
        )

    def _is_concerned(self, one: Customer, sweep: Sweep, facts: Facts, clock: datetime) -> bool:
        """A customer who cannot be looked at is told: deciding keeps the fault where it belongs."""
        try:
            rulebook = self._rules.rulebook.side(one.id)
            return is_concerned(rulebook, one, sweep.at, clock=max(clock, sweep.at), facts=facts)
        except Exception as e:  # noqa: BLE001 - one customer may be at fault
            raise_unless_fault_of_item(e)
            self._complaints.tell("a customer could not be looked at", place_of(e))
            return True

    def _decide(self, told: list[Customer], at: datetime, stream: Stream, clock: datetime) -> None:
        with fenced(self._store, stream) as batch:
            work = stream.workset(self._store, batch, self._rules, clock)
            work.load(one.id for one in told)
            for one in told:
                work.decide(one.id, Tick(at=at))
            work.write()
