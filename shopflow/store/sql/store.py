"""The store in a database, put together: taking streams over, fencing batches, rare writes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy import update

from shopflow.store import tables
from shopflow.store.delivery import pause_entry, resume_entry
from shopflow.store.protocol import Batch
from shopflow.store.records import Cursor, Fence, Pause
from shopflow.store.sql import retention, rows, shapes
from shopflow.store.sql.batch import SqlBatch
from shopflow.store.sql.codes import SqlCodes
from shopflow.store.sql.database import Database, again, hold, sentences
from shopflow.store.sql.deployments import SqlDeployments
from shopflow.store.sql.keys import SqlKeys
from shopflow.store.sql.outbox import SqlOutbox
from shopflow.store.sql.people import SqlPeople
from shopflow.store.sql.recommendations import SqlRecommendations
from shopflow.store.sql.traffic import SqlTraffic
from shopflow.store.sql.views import SqlViews
from shopflow.store.tables import micros


class SqlStore:
    """A `Store` in the database of a dialect."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.outbox = SqlOutbox(database)
        self.codes = SqlCodes(database)
        self.keys = SqlKeys(database)
        self.deployments = SqlDeployments(database)
        self.views = SqlViews(database)
        self.recommendations = SqlRecommendations(database)
        self.traffic = SqlTraffic(database)
        self.people = SqlPeople(database)

    @property
    def partitions(self) -> int:
        """See `Store`."""
        return self._database.partitions

    def partition_of(self, subject: str) -> int:
        """See `Store`."""
        return self._database.partition_of(subject)

    @again
    def take_over(self, stream: str) -> Cursor:
        """See `Store`."""
        table = tables.cursors
        with self._database.writing() as connection:
            first = (stream, 0, "", None)
            self._database.dialect.insert(connection, shapes.CURSORS, [first])
            epoch, position = connection.execute(
                update(table)
                .where(table.c.stream == stream)
                .values(epoch=table.c.epoch + 1)
                .returning(table.c.epoch, table.c.position)
            ).one()
        return Cursor(epoch, position)

    @contextmanager
    def transaction(self, stream: str | None = None, epoch: int | None = None) -> Iterator[Batch]:
        """See `Store`."""
        with self._database.writing() as connection:
            if stream is not None:
                hold(connection, Fence(stream, epoch or 0))
            batch = SqlBatch(self._database, connection, stream)
            yield batch
            batch.flush()

    @again
    def sync(self) -> None:
        """See `Store`."""
        with sentences(self._database.dialect):
            self._database.dialect.sync()

    @again
    def make_room(self, until: datetime) -> None:
        """See `Store`."""
        if self._database.dialect.days is not None:
            with sentences(self._database.dialect):
                self._database.dialect.days.make_room(until, since=datetime.now(UTC))

    def forget_events(
        self,
        before: datetime,
        *,
        types: Collection[str] | None = None,
        since: datetime | None = None,
    ) -> bool:
        """See `Store`."""
        with sentences(self._database.dialect):
            return retention.forget_events(self._database, before, types, since)

    def forget_journal(self, before: datetime) -> bool:
        """See `Store`."""
        with sentences(self._database.dialect):
            return retention.forget_journal(self._database, before)

    def forget_dead_letters(self, before: datetime) -> bool:
        """See `Store`."""
        with sentences(self._database.dialect):
            return retention.forget_dead_letters(self._database, before)

    @again
    def deploy(self, digest: str, document: Mapping[str, object], at: datetime) -> None:
        """See `Store`."""
        row = (digest, micros(at), rows.to_json(dict(document), f"ruleset {digest}"))
        with self._database.writing() as connection:
            self._database.dialect.insert(connection, shapes.RULESETS, [row])

    @again
    def pause(self, pause: Pause) -> None:
        """See `Store`."""
        row = (pause.scope, pause.reason, micros(pause.at), pause.source.value, None)
        with self._database.writing() as connection:
            self._database.dialect.insert(connection, shapes.PAUSES, [row])
            told = rows.journal_row(pause_entry(pause))
            self._database.dialect.insert(connection, shapes.JOURNAL, [told])

    @again
    def resume(self, scope: str, *, at: datetime, reason: str = "") -> bool:
        """See `Store`."""
        table = tables.pauses
        with self._database.writing() as connection:
            off = connection.execute(
                update(table)
                .where(table.c.scope == scope, table.c.resumed_at.is_(None))
                .values(resumed_at=micros(at))
            )
            if off.rowcount:
                told = rows.journal_row(resume_entry(scope, at, reason))
                self._database.dialect.insert(connection, shapes.JOURNAL, [told])
            return off.rowcount > 0

    def close(self) -> None:
        """See `Store`."""
        self._database.dialect.engine.dispose()
