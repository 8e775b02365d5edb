"""The store in a database, put together: taking streams over, fencing batches, rare writes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy import delete, or_, update

from shopflow.store import tables
from shopflow.store.protocol import Batch
from shopflow.store.records import Cursor, Pause, lost
from shopflow.store.sql import retention, rows, shapes
from shopflow.store.sql.batch import SqlBatch
from shopflow.store.sql.database import Database, again, sentences
from shopflow.store.sql.outbox import SqlOutbox
from shopflow.store.sql.views import SqlViews
from shopflow.store.tables import micros


class SqlStore:
    """A `Store` in the database of a dialect."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.outbox = SqlOutbox(database)
        self.views = SqlViews(database)

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
        table = tables.cursors
        with self._database.writing() as connection:
            if stream is not None:
                # A write, so that whoever takes over meanwhile waits for this batch.
                mine = connection.execute(
                    update(table)
                    .where(table.c.stream == stream, table.c.epoch == epoch)
                    .values(epoch=epoch)
                )
                if not mine.rowcount:
                    raise lost(stream, epoch)
            batch = SqlBatch(self._database, connection, stream)
            yield batch
            batch.flush()

    def wake_all(self, at: datetime, *, partition: int | None = None) -> None:
        """See `Store`."""
        for number in range(self.partitions) if partition is None else (partition,):
            self._wake(at, number)

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

    @again
    def deploy(self, digest: str, document: Mapping[str, object], at: datetime) -> None:
        """See `Store`."""
        row = (digest, micros(at), rows.to_json(dict(document), f"ruleset {digest}"))
        with self._database.writing() as connection:
            self._database.dialect.insert(connection, shapes.RULESETS, [row])

    @again
    def pause(self, pause: Pause) -> None:
        """See `Store`."""
        row = (pause.scope, pause.reason, micros(pause.at))
        with self._database.writing() as connection:
            self._database.dialect.insert(connection, shapes.PAUSES, [row])

    @again
    def resume(self, scope: str) -> bool:
        """See `Store`."""
        with self._database.writing() as connection:
            gone = connection.execute(delete(tables.pauses).where(tables.pauses.c.scope == scope))
            return gone.rowcount > 0

    @again
    def _wake(self, at: datetime, partition: int) -> None:
        table = tables.customers
        due = table.c.next_due_at
        with self._database.writing() as connection:
            connection.execute(
                update(table)
                .where(table.c.partition == partition, or_(due.is_(None), due > micros(at)))
                .values(next_due_at=micros(at))
            )

    def close(self) -> None:
        """See `Store`."""
        self._database.dialect.engine.dispose()
