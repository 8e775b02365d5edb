"""What can be read of the SQL store outside of a batch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection, Table, bindparam, func, select, text, tuple_

from shopflow.domain.customer import Customer
from shopflow.domain.ids import CustomerId, EnrolmentId, EventId, TrialId
from shopflow.domain.journal import JournalEntry
from shopflow.store import tables
from shopflow.store.catalogue import Products
from shopflow.store.records import (
    TRIALS_SHOWN,
    UNCERTAIN_SHOWN,
    DeliveryState,
    Pause,
    Source,
    StatKey,
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
from shopflow.store.sql import rows, sweeps, trials, vitals
from shopflow.store.sql.carrying import FOREVER, load_customers, timers
from shopflow.store.sql.database import Database
from shopflow.store.sweeps import Sweep
from shopflow.store.tables import instant, micros
from shopflow.store.tally import results_by_workflow, stat_row
from shopflow.store.trials import KeptTrial
from shopflow.store.vitals import Revision, StoreVitals

#: Every day of the event log, found by hopping through its key; then look-ups in each.
_DAYS = """
WITH RECURSIVE days(day) AS (
    SELECT min(day) FROM events
    UNION ALL
    SELECT (SELECT min(e.day) FROM events AS e WHERE e.day > days.day)
    FROM days WHERE days.day IS NOT NULL
)
SELECT e.* FROM days JOIN events AS e ON e.day = days.day
"""
_EVENT_BY_ID = text(
    f"{_DAYS} WHERE e.partition IN :partitions AND e.id = :id AND e.payload <> '' "
    "ORDER BY e.occurred_at DESC LIMIT 1"
).bindparams(bindparam("partitions", expanding=True))
_EVENTS_OF_CUSTOMER = text(
    f"{_DAYS} WHERE e.partition = :partition AND e.customer_id = :id ORDER BY e.occurred_at, e.id"
)


class SqlViews:
    """`Views` over the tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def status(self) -> StatusReport:
        """See `Views`."""
        messages, letters = tables.messages, tables.dead_letters
        with self._database.reading() as connection:
            events, workflows = results_by_workflow(vitals.sums(connection, 0, 10**8))
            by_state = connection.execute(
                select(messages.c.state, func.count()).group_by(messages.c.state)
            )
            by_reason = connection.execute(
                select(letters.c.reason, func.count()).group_by(letters.c.reason)
            )
            doubtful = (
                select(messages)
                .where(text("uncertain > 0"))
                .order_by(messages.c.decided_at.desc(), messages.c.id.desc())
                .limit(UNCERTAIN_SHOWN)
            )
            return StatusReport(
                events=events,
                customers=_count(connection, tables.customers),
                inbox=_count(connection, tables.inbox),
                messages={DeliveryState(state): count for state, count in by_state},
                workflows=workflows,
                dead_letters=dict(by_reason.all()),
                cursors=tuple(vitals.cursors(connection)),
                uncertain=tuple(map(rows.stored_message, connection.execute(doubtful).mappings())),
                pauses=tuple(_pauses(connection)),
                waits=_count(connection, tables.waits),
                sweeps=tuple(sweeps.all_of(connection)),
                trials=tuple(trials.latest(connection, TRIALS_SHOWN)),
            )

    def customer(self, customer_id: CustomerId) -> Customer | None:
        """See `Views`."""
        return self.customers([customer_id]).get(customer_id)

    def customers(self, ids: Iterable[CustomerId]) -> dict[CustomerId, Customer]:
        """See `Views`."""
        with self._database.reading() as connection:
            return load_customers(self._database, connection, ids, to_write=False)

    def next_due_at(self, partition: int | None = None) -> datetime | None:
        """See `Views`."""
        statement = timers(self._database.partitions, partition)
        with self._database.reading() as connection:
            found = connection.execute(statement, {"until": FOREVER, "most": 1}).first()
        return None if found is None else instant(found[0])

    def told_partitions(self, only: int | None = None) -> list[int]:
        """See `Views`."""
        with self._database.reading() as connection:
            return sweeps.told_partitions(connection, only)

    def timeline(self, customer_id: CustomerId) -> Timeline:
        """See `Views`."""
        journal, messages = tables.journal, tables.messages
        partition = self._database.partition_of(customer_id)
        with self._database.reading() as connection:
            events = connection.execute(
                _EVENTS_OF_CUSTOMER, {"id": customer_id, "partition": partition}
            )
            entries = connection.execute(
                select(journal)
                .where(journal.c.customer_id == customer_id)
                .order_by(journal.c.at, journal.c.seq)
            )
            sends = connection.execute(
                select(messages)
                .where(messages.c.customer_id == customer_id)
                .order_by(messages.c.decided_at, messages.c.id)
            )
            return Timeline(
                events=tuple(map(rows.stored_event, events.mappings())),
                journal=tuple(map(rows.journal_entry, entries.mappings())),
                messages=tuple(map(rows.stored_message, sends.mappings())),
            )

    def event(self, event_id: EventId) -> StoredEvent | None:
        """See `Views`."""
        wanted = {"id": event_id, "partitions": list(range(self._database.partitions))}
        with self._database.reading() as connection:
            found = connection.execute(_EVENT_BY_ID, wanted).mappings().first()
        return None if found is None else rows.stored_event(found)

    def journal_of_event(self, event_id: EventId) -> list[JournalEntry]:
        """See `Views`."""
        journal = tables.journal
        wanted = select(journal).where(journal.c.event_id == event_id).order_by(journal.c.seq)
        with self._database.reading() as connection:
            return [rows.journal_entry(row) for row in connection.execute(wanted).mappings()]

    def customer_of(self, enrolment_id: EnrolmentId) -> CustomerId | None:
        """See `Views`; both databases go back along the key, and stop where they find it."""
        journal = tables.journal
        named = journal.c.details.contains(f'"en":"{enrolment_id}"', autoescape=True)
        newest = journal.c.seq if self._database.dialect.days is None else journal.c.at
        wanted = select(journal.c.customer_id).where(journal.c.kind == "entered", named)
        with self._database.reading() as connection:
            found = connection.execute(wanted.order_by(newest.desc()).limit(1)).scalar()
        return None if found is None else CustomerId(found)

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
        table = tables.messages
        wanted = select(table).order_by(table.c.decided_at.desc(), table.c.id.desc()).limit(limit)
        asked = {"state": state, "workflow": workflow, "customer_id": customer, "channel": channel}
        for column, value in asked.items():
            if value is not None:
                wanted = wanted.where(table.c[column] == str(value))
        with self._database.reading() as connection:
            return [rows.stored_message(row) for row in connection.execute(wanted).mappings()]

    def dead_letters(
        self, *, numbers: Collection[int] | None = None, reason: str | None = None, limit: int = 100
    ) -> list[StoredDeadLetter]:
        """See `Views`."""
        table = tables.dead_letters
        wanted = select(table).order_by(table.c.seq.desc()).limit(limit)
        if reason is not None:
            wanted = wanted.where(table.c.reason == reason)
        if numbers is not None:
            wanted = wanted.where(table.c.seq.in_(sorted(numbers)))
        with self._database.reading() as connection:
            return [rows.dead_letter(row) for row in connection.execute(wanted).mappings()]

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
        table = tables.waits
        place = tuple_(table.c.since, table.c.enrolment_id)
        wanted = (
            select(table)
            .where(table.c.event_type == event_type, table.c.key == key)
            .order_by(table.c.since, table.c.enrolment_id)
            .limit(limit)
        )
        if partition is not None:
            wanted = wanted.where(table.c.partition == partition)
        if after is not None:
            wanted = wanted.where(place > (micros(after.since), after.enrolment_id))
        with self._database.reading() as connection:
            return [rows.wait_of(row) for row in connection.execute(wanted).mappings()]

    def vitals(self) -> StoreVitals:
        """See `Views`."""
        with self._database.reading() as connection:
            return StoreVitals(
                **vitals.counts(connection, self._database.partitions),
                cursors=tuple(vitals.cursors(connection)),
                pauses=tuple(_pauses(connection)),
            )

    def sums(self, *, since: int = 0, before: int = 10**8) -> list[StatRow]:
        """See `Views`."""
        with self._database.reading() as connection:
            return vitals.sums(connection, since, before)

    def sweeps(self) -> list[Sweep]:
        """See `Views`."""
        with self._database.reading() as connection:
            return sweeps.all_of(connection)

    def customers_after(self, partition: int, after: str, *, limit: int) -> list[Customer]:
        """See `Views`."""
        with self._database.reading() as connection:
            return sweeps.customers_after(connection, partition, after, limit)

    def trial(self, trial: TrialId) -> KeptTrial | None:
        """See `Views`."""
        with self._database.reading() as connection:
            return trials.one_of(connection, trial)

    def trials(self, *, limit: int = 100) -> list[KeptTrial]:
        """See `Views`."""
        with self._database.reading() as connection:
            return trials.latest(connection, limit)

    def stats(self) -> list[StatRow]:
        """See `Views`."""
        with self._database.reading() as connection:
            return _stats(connection)

    def products(self) -> dict[str, Mapping[str, object]]:
        """See `Views`."""
        table = tables.products
        with self._database.reading() as connection:
            found = connection.execute(select(table.c.sku, table.c.document))
            return {sku: rows.from_json(document) for sku, document in found}

    def products_since(self, since: datetime | None) -> tuple[Products, datetime | None]:
        """See `Views`."""
        table = tables.products
        wanted = select(table.c.sku, table.c.document, table.c.changed_at)
        if since is not None:
            wanted = wanted.where(table.c.changed_at >= micros(since))
        with self._database.reading() as connection:
            found = connection.execute(wanted).all()
        newest = max((changed for _, _, changed in found if changed is not None), default=None)
        products = {sku: rows.from_json(document) for sku, document, _ in found}
        return products, None if newest is None else instant(newest)

    def suppressions(self, hashes: Iterable[str]) -> list[Suppression]:
        """See `Views`."""
        table = tables.suppressions
        wanted = (
            select(table)
            .where(table.c.hash.in_(sorted(set(hashes))))
            .order_by(table.c.hash, table.c.channel)
        )
        with self._database.reading() as connection:
            return [
                Suppression(**{**row, "at": instant(row["at"])})
                for row in connection.execute(wanted).mappings()
            ]

    def occurrences(self) -> dict[str, datetime]:
        """See `Views`."""
        table = tables.schedules
        with self._database.reading() as connection:
            found = connection.execute(select(table.c.name, table.c.last_at))
            return {name: instant(at) for name, at in found}

    def pauses(self) -> list[Pause]:
        """See `Views`."""
        with self._database.reading() as connection:
            return _pauses(connection)

    def rulesets(self) -> list[StoredRuleset]:
        """See `Views`."""
        newest = select(tables.rulesets).order_by(*vitals.NEWEST_FIRST)
        with self._database.reading() as connection:
            return [
                StoredRuleset(
                    digest=row.digest,
                    document=rows.from_json(row.document),
                    deployed_at=instant(row.deployed_at),
                )
                for row in connection.execute(newest)
            ]

    def newest_revision(self) -> Revision | None:
        """See `Views`."""
        with self._database.reading() as connection:
            return vitals.newest_revision(connection)

    def retained_workflows(self) -> dict[str, object]:
        """See `Views`."""
        return retained_workflows(self.rulesets())


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _stats(connection: Connection) -> list[StatRow]:
    table = tables.stats
    found = connection.execute(select(table)).all()
    width = len(StatKey._fields)
    return [stat_row(StatKey(*row[:width]), row[width:]) for row in sorted(found)]


def _pauses(connection: Connection) -> list[Pause]:
    table = tables.pauses
    on = select(table).where(table.c.resumed_at.is_(None)).order_by(table.c.scope)
    return [
        Pause(scope=row.scope, reason=row.reason, at=instant(row.at), source=Source(row.source))
        for row in connection.execute(on)
    ]
