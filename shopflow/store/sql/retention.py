"""Forgetting what is old: whole days where they have tables of their own, else page by page."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Table, delete, select, tuple_

from shopflow.store import tables
from shopflow.store.sql.database import Database
from shopflow.store.tables import micros
from shopflow.store.tally import day_of

#: Rows that one transaction forgets, so that nobody waits long for it.
PAGE = 5_000


def forget_events(
    database: Database,
    before: datetime,
    types: Collection[str] | None,
    since: datetime | None,
) -> bool:
    """A page of the events of earlier days is gone; False when none was left."""
    events, days = tables.events, database.dialect.days
    end = before.astimezone(UTC)
    if days is not None and types is None and since is None and days.drop_one("events", end):
        return True
    old = [events.c.day < day_of(end)]
    if types is not None:
        old.append(events.c.type.in_(sorted(types)))
    if since is not None:
        old.append(events.c.day >= day_of(since.astimezone(UTC)))
    return _delete_page(database, events, old)


def forget_journal(database: Database, before: datetime) -> bool:
    """A page of the journal of earlier days is gone; False when none was left."""
    days, end = database.dialect.days, before.astimezone(UTC)
    if days is not None and days.drop_one("journal", end):
        return True
    midnight = end.replace(hour=0, minute=0, second=0, microsecond=0)
    return _delete_page(database, tables.journal, [tables.journal.c.at < micros(midnight)])


def forget_dead_letters(database: Database, before: datetime) -> bool:
    """A page of the dead letters from before then is gone; False when none was left."""
    letters = tables.dead_letters
    return _delete_page(database, letters, [letters.c.at < micros(before.astimezone(UTC))])


def _delete_page(database: Database, table: Table, old: list[ColumnElement[bool]]) -> bool:
    # Looked for outside of the transaction that writes: nobody waits for a search in vain.
    with database.reading() as connection:
        if connection.execute(select(table.c[0]).where(*old).limit(1)).first() is None:
            return False
    key = tuple_(*table.primary_key)
    page = select(*table.primary_key).where(*old).limit(PAGE)
    with database.writing() as connection:
        connection.execute(delete(table).where(key.in_(page)))
    return True
