"""What can be read of the memory store outside of a batch."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from heapq import nsmallest

from shopflow.domain.customer import Customer
from shopflow.domain.ids import CustomerId, EnrolmentId, EventId, TrialId
from shopflow.domain.journal import JournalEntry
from shopflow.store.catalogue import Products
from shopflow.store.memory_state import State
from shopflow.store.records import (
    TRIALS_SHOWN,
    UNCERTAIN_SHOWN,
    DeliveryState,
    Pause,
    StatRow,
    StatusReport,
    StoredDeadLetter,
    StoredEvent,
    StoredMessage,
    StoredRuleset,
    Suppression,
    Timeline,
    Wait,
    retained_workflows,
)
from shopflow.store.sweeps import Sweep
from shopflow.store.tally import results_by_workflow, stat_row
from shopflow.store.trials import KeptTrial
from shopflow.store.vitals import OPEN, OutboxDepth, Revision, StoreVitals, summed


class MemoryViews:
    """`Views` over dicts and lists."""

    def __init__(self, state: State) -> None:
        self._state = state

    def status(self) -> StatusReport:
        """See `Views`."""
        state = self._state
        with state.lock:
            events, workflows = results_by_workflow(self.stats())
            return StatusReport(
                events=events,
                customers=len(state.customers),
                inbox=sum(map(len, state.inbox)),
                messages=Counter(row.stored.state for row in state.rows.values()),
                workflows=workflows,
                dead_letters=Counter(letter.reason for letter in state.dead_letters.values()),
                cursors=tuple(sorted(state.cursors.values(), key=lambda cursor: cursor.stream)),
                uncertain=tuple(
                    stored for stored in self._newest_messages() if stored.uncertain > 0
                )[:UNCERTAIN_SHOWN],
                pauses=tuple(self.pauses()),
                waits=len(state.waits),
                sweeps=tuple(self.sweeps()),
                trials=tuple(self.trials(limit=TRIALS_SHOWN)),
            )

    def customer(self, customer_id: CustomerId) -> Customer | None:
        """See `Views`."""
        return self._state.customers.get(customer_id)

    def customers(self, ids: Iterable[CustomerId]) -> dict[CustomerId, Customer]:
        """See `Views`."""
        with self._state.lock:
            customers = self._state.customers
            return {key: customers[key] for key in ids if key in customers}

    def next_due_at(self, partition: int | None = None) -> datetime | None:
        """See `Views`."""
        state = self._state
        with state.lock:
            partitions = range(state.partitions) if partition is None else (partition,)
            first = (timer for number in partitions for timer in state.due(number, None, 1))
            return min((at for at, _ in first), default=None)

    def told_partitions(self, only: int | None = None) -> list[int]:
        """See `Views`."""
        with self._state.lock:
            told = [number for number, box in enumerate(self._state.inbox) if box]
        return told if only is None else [number for number in told if number == only]

    def timeline(self, customer_id: CustomerId) -> Timeline:
        """See `Views`."""
        state = self._state
        with state.lock:
            return Timeline(
                events=tuple(
                    sorted(
                        (
                            event
                            for event in state.event_keys.values()
                            if event is not None and event.customer_id == customer_id
                        ),
                        key=lambda event: event.occurred_at,
                    )
                ),
                journal=tuple(
                    sorted(
                        (entry for entry in state.journal if entry.customer_id == customer_id),
                        key=lambda entry: entry.at,
                    )
                ),
                messages=tuple(
                    sorted(
                        (
                            row.stored
                            for row in state.rows.values()
                            if row.stored.message.customer_id == customer_id
                        ),
                        key=lambda stored: (stored.message.decided_at, stored.message.id),
                    )
                ),
            )

    def event(self, event_id: EventId) -> StoredEvent | None:
        """See `Views`."""
        with self._state.lock:
            found = [
                event
                for event in self._state.event_keys.values()
                if event is not None and event.id == event_id
            ]
            return max(found, key=lambda event: event.occurred_at, default=None)

    def journal_of_event(self, event_id: EventId) -> list[JournalEntry]:
        """See `Views`."""
        with self._state.lock:
            return [entry for entry in self._state.journal if entry.event_id == event_id]

    def customer_of(self, enrolment_id: EnrolmentId) -> CustomerId | None:
        """See `Views`."""
        with self._state.lock:
            journal = reversed(self._state.journal)
            found = (e.customer_id for e in journal if e.enrolment_id == enrolment_id)
            return next(found, None)

    def messages(
        self,
        *,
        state: DeliveryState | None = None,
        workflow: str | None = None,
        customer: CustomerId | None = None,
        channel: str | None = None,
        limit: int = 100,
    ) -> list[StoredMessage]:
        """See `Views`."""
        with self._state.lock:
            return [
                stored
                for stored in self._newest_messages()
                if state in {None, stored.state}
                and workflow in {None, stored.message.workflow}
                and customer in {None, stored.message.customer_id}
                and channel in {None, stored.message.channel}
            ][:limit]

    def dead_letters(
        self, *, numbers: Collection[int] | None = None, reason: str | None = None, limit: int = 100
    ) -> list[StoredDeadLetter]:
        """See `Views`."""
        with self._state.lock:
            letters = [
                letter for _, letter in sorted(self._state.dead_letters.items(), reverse=True)
            ]
            return [
                letter
                for letter in letters
                if reason in {None, letter.reason} and (numbers is None or letter.seq in numbers)
            ][:limit]

    def waiting(
        self,
        event_type: str,
        key: str,
        *,
        partition: int | None = None,
        after: Wait | None = None,
        limit: int = 1_000,
    ) -> list[Wait]:
        """See `Views`."""
        partition_of = self._state.partition_of
        with self._state.lock:
            every = [
                wait
                for wait in self._state.waits.values()
                if wait[:2] == (event_type, key)
                and partition in {None, partition_of(wait.customer_id)}
            ]
        every.sort(key=_place)
        return [w for w in every if after is None or _place(w) > _place(after)][:limit]

    def vitals(self) -> StoreVitals:
        """See `Views`."""
        state = self._state
        with state.lock:
            return StoreVitals(
                outbox=tuple(_depths(row.stored for row in state.rows.values())),
                inbox=sum(map(len, state.inbox)),
                next_due_at=self.next_due_at(),
                dead_letters=Counter(letter.reason for letter in state.dead_letters.values()),
                cursors=tuple(sorted(state.cursors.values(), key=lambda cursor: cursor.stream)),
                pauses=tuple(self.pauses()),
                revision=self.newest_revision(),
                live=next(iter(reversed(self._state.deployments)), None),
            )

    def sweeps(self) -> list[Sweep]:
        """See `Views`."""
        with self._state.lock:
            return sorted(self._state.sweeps.values(), key=lambda sweep: (sweep.at, sweep.key))

    def trial(self, trial: TrialId) -> KeptTrial | None:
        """See `Views`."""
        with self._state.lock:
            known = self._state.trials.get(trial)
            if known is None:
                return None
            results = self._state.trial_results.items()
            counts = {branch: dict(counted) for (of, branch), counted in results if of == trial}
            return KeptTrial(trial=known, counts=counts)

    def trials(self, *, limit: int = 100) -> list[KeptTrial]:
        """See `Views`."""
        with self._state.lock:
            newest = sorted(self._state.trials.values(), key=lambda one: one.id)
            newest.sort(key=lambda one: one.begun_at, reverse=True)
            found = (self.trial(one.id) for one in newest[:limit])
            return [one for one in found if one is not None]

    def customers_after(self, partition: int, after: str, *, limit: int) -> list[Customer]:
        """See `Views`."""
        state = self._state
        with state.lock:
            ids = (
                key
                for key in state.customers
                if key > after and state.partition_of(key) == partition
            )
            return [state.customers[key] for key in nsmallest(limit, ids)]

    def stats(self) -> list[StatRow]:
        """See `Views`."""
        with self._state.lock:
            return [stat_row(key, sums) for key, sums in sorted(self._state.stats.items())]

    def sums(self, *, since: int = 0, before: int = 10**8) -> list[StatRow]:
        """See `Views`."""
        return summed(row for row in self.stats() if since <= row.key.day < before)

    def products(self) -> dict[str, Mapping[str, object]]:
        """See `Views`."""
        with self._state.lock:
            return {sku: product for sku, (_, product) in self._state.products.items()}

    def products_since(self, since: datetime | None) -> tuple[Products, datetime | None]:
        """See `Views`."""
        # When a row was written is nowhere kept here, and looking at all of them costs nothing.
        del since
        return self.products(), None

    def suppressions(self, hashes: Iterable[str]) -> list[Suppression]:
        """See `Views`."""
        wanted = set(hashes)
        with self._state.lock:
            found = [entry for key, entry in self._state.suppressions.items() if key[0] in wanted]
        return sorted(found, key=lambda entry: (entry.hash, entry.channel))

    def occurrences(self) -> dict[str, datetime]:
        """See `Views`."""
        with self._state.lock:
            return dict(self._state.occurrences)

    def pauses(self) -> list[Pause]:
        """See `Views`."""
        with self._state.lock:
            return [pause for _, pause in sorted(self._state.pauses.items())]

    def rulesets(self) -> list[StoredRuleset]:
        """See `Views`."""
        with self._state.lock:
            every = self._state.rulesets.values()
            return sorted(every, key=lambda ruleset: ruleset.deployed_at, reverse=True)

    def newest_revision(self) -> Revision | None:
        """See `Views`."""
        newest = next(iter(self.rulesets()), None)
        if newest is None:
            return None
        return Revision(digest=newest.digest, deployed_at=newest.deployed_at)

    def retained_workflows(self) -> dict[str, object]:
        """See `Views`."""
        return retained_workflows(self.rulesets())

    def _newest_messages(self) -> list[StoredMessage]:
        return sorted(
            (row.stored for row in self._state.rows.values()),
            key=lambda stored: (stored.message.decided_at, stored.message.id),
            reverse=True,
        )


def _depths(messages: Iterable[StoredMessage]) -> Iterable[OutboxDepth]:
    found: defaultdict[tuple[str, DeliveryState], list[datetime]] = defaultdict(list)
    for stored in messages:
        if stored.state in OPEN:
            found[stored.message.channel, stored.state].append(stored.message.decided_at)
    for (channel, state), times in sorted(found.items()):
        yield OutboxDepth(channel=channel, state=state, count=len(times), oldest_at=min(times))


def _place(wait: Wait) -> tuple[datetime, EnrolmentId]:
    return wait.since, wait.enrolment_id
