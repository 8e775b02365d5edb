"""The keys of links in SQL."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, insert, select, update

from shopflow.store import tables
from shopflow.store.keys import StoredKey
from shopflow.store.sql.database import Database, again
from shopflow.store.tables import instant, micros

_T = tables.link_keys


class SqlKeys:
    """A `Keys` over its table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @again
    def all(self) -> list[StoredKey]:
        """See `Keys`."""
        with self._database.reading() as connection:
            found = connection.execute(select(_T).order_by(_T.c.number.desc())).all()
        return [
            StoredKey(
                number=row.number,
                salt=row.salt,
                made_at=instant(row.made_at),
                condemned_at=None if row.condemned_at is None else instant(row.condemned_at),
            )
            for row in found
        ]

    @again
    def add(self, salt: str, *, at: datetime, condemn: bool) -> StoredKey:
        """See `Keys`."""
        with self._database.writing() as connection:
            newest = connection.execute(select(func.max(_T.c.number))).scalar()
            if newest is None:
                connection.execute(insert(_T).values(number=0, salt="", made_at=micros(at)))
            number = (newest or 0) + 1
            if condemn:
                connection.execute(
                    update(_T).where(_T.c.condemned_at.is_(None)).values(condemned_at=micros(at))
                )
            connection.execute(insert(_T).values(number=number, salt=salt, made_at=micros(at)))
        return StoredKey(number=number, salt=salt, made_at=at)
