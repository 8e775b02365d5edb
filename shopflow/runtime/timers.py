"""The passing of time: customers whose timers are due are decided, page by page."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

from shopflow.domain.customer import Customer
from shopflow.domain.event import Tick
from shopflow.domain.ids import CustomerId
from shopflow.runtime.faults import Complaints, halved, place_of
from shopflow.runtime.lines import failure
from shopflow.runtime.serving import served
from shopflow.runtime.stream import ALONE, Stream, fenced
from shopflow.runtime.workset import Rules
from shopflow.store.protocol import Store

log = logging.getLogger("shopflow.timers")

#: Customers that one transaction takes.
PAGE = 500
#: When a customer whose timer cannot be decided is tried again.
POSTPONED = timedelta(hours=1)
#: After every timer that there can be.
NEVER = datetime.max.replace(tzinfo=UTC)


class Timers:
    """Fires what is due."""

    def __init__(self, store: Store, rules: Rules) -> None:
        self._store = store
        self._rules = rules
        self._complaints = Complaints(log)

    def tick(self, at: datetime) -> int:
        """Every timer due by then has fired; returns how many customers had one."""
        ticked = 0
        while page := self._due(at, PAGE):
            ticked += sum(halved(page, self._ticking(at), self._postponing(at)))
        return ticked

    def tick_page(
        self,
        at: datetime,
        *,
        stream: Stream = ALONE,
        clock: datetime | None = None,
        most: int = PAGE,
    ) -> int:
        """One page of what is due has fired; returns how many customers it had.

        The clock is later than `at` where the tick has waited in a stream.
        """
        page = self._due(at, most, stream.partition)
        halved(page, self._ticking(at, stream, clock), self._postponing(at))
        return len(page)

    def drain(self, stream: Stream = ALONE, until: datetime = NEVER) -> Iterator[int]:
        """Fires every timer that is left by then, each at its own time; nothing starts by calendar.

        Only for streams whose events are the clock. Yields page by page how many timers fired,
        never 0.
        """

        def fire(page: Sequence[CustomerId]) -> list[int]:
            work = partial(self._drain, page, stream, until)
            return served(self._rules, work, stream, timers_only=True)

        more = True
        while more:
            more = False
            waiting = self._due(until, 2**31, stream.partition)
            for start in range(0, len(waiting), PAGE):
                page = waiting[start : start + PAGE]
                if fired := sum(halved(page, fire, self._postponing(NEVER - 2 * POSTPONED))):
                    more = True
                    yield fired

    def _due(self, at: datetime, limit: int, partition: int | None = None) -> list[CustomerId]:
        with self._store.transaction() as batch:
            return batch.due(at, limit=limit, partition=partition)

    def _ticking(
        self, at: datetime, stream: Stream = ALONE, clock: datetime | None = None
    ) -> Callable[[Sequence[CustomerId]], list[int]]:
        return lambda ids: served(self._rules, lambda: self._tick(ids, at, stream, clock), stream)

    def _tick(
        self,
        due: Sequence[CustomerId],
        at: datetime,
        stream: Stream,
        clock: datetime | None,
    ) -> list[int]:
        with fenced(self._store, stream) as batch:
            work = stream.workset(self._store, batch, self._rules, clock or at)
            work.load(due)
            for customer_id in due:
                work.decide(customer_id, Tick(at=at))
                left = work.customer(customer_id).next_due_at
                if left is not None and left <= at:
                    raise RuntimeError("a timer is due again at once")
            work.write()
        return [1] * len(due)

    def _drain(self, page: Sequence[CustomerId], stream: Stream, until: datetime) -> list[int]:
        fired = []
        with fenced(self._store, stream) as batch:
            # Each timer is its own clock, so that it does not matter what this one says.
            work = stream.workset(self._store, batch, self._rules, NEVER)
            work.load(page)
            for customer_id in page:
                fired.append(0)
                while (timer := _next_timer(work.customer(customer_id))) and timer <= until:
                    fired[-1] += 1
                    work.decide(customer_id, Tick(at=timer, timers_only=True))
                    if _next_timer(work.customer(customer_id)) == timer:
                        raise RuntimeError("a timer does not move on")
            work.write()
        return fired

    def _postponing(self, at: datetime) -> _Postponing:
        return _Postponing(self._store, at, self._complaints)


class _Postponing:
    """Puts a customer whose timer raised aside for an hour."""

    def __init__(self, store: Store, at: datetime, complaints: Complaints) -> None:
        self._store = store
        self._at = at
        self._complaints = complaints

    def __call__(self, customer_id: CustomerId, error: Exception) -> int:
        self._complaints.tell("a timer could not be decided and waits an hour", place_of(error))
        with self._store.transaction() as batch:
            batch.journal([failure(customer_id, self._at, error)])
            found = batch.load([customer_id]).values()
            batch.save(replace(one, next_due_at=self._at + POSTPONED) for one in found)
        return 0


def _next_timer(customer: Customer) -> datetime | None:
    timers = [enrolment.due_at for enrolment in customer.enrolments]
    timers += [record.due_at for record in customer.sent]
    return min((timer for timer in timers if timer is not None), default=None)
