"""SQLite: one file, one writer at a time, its write-ahead log beside it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from shopflow.errors import StoreError
from shopflow.store.sql.dialect import CustomerRow
from shopflow.store.sql.faults import Fault
from shopflow.store.sql.shapes import Change, Shape

#: How long a writer waits for another one, in seconds.
BUSY_TIMEOUT = 15.0

#: How often the log is tried to be emptied; each waits as long as a writer does.
CHECKPOINTS = 3

#: The outer table first: one look-up per key, twice as fast as a statement each.
_CUSTOMERS = """
SELECT c.id, c.next_due_at, c.state_version, c.state
FROM json_each(?) AS k CROSS JOIN customers AS c
ON c.partition = json_extract(k.value, '$[0]') AND c.id = json_extract(k.value, '$[1]')
"""

_ADVICE = {
    "locked": "another process kept it locked for {timeout:.0f} s; end that process, or try again",
    "full": "the disk is full, nothing of this batch was kept; free some space and start again",
    "readonly": "it may not be written to; check the rights of the file and of its folder",
    "unable to open": "it cannot be opened; check that the folder is there and may be written to",
    "not a database": "it is not an SQLite database; check `database` in shopflow.yaml",
    "malformed": "it is damaged; restore it from a backup",
    "disk i/o": "the disk fails; check it before anything else",
}


class Sqlite:
    """A `Dialect` over the sqlite3 module; row statements go past SQLAlchemy, at half its cost."""

    def __init__(self, url: URL, *, full_sync: bool = False) -> None:
        if url.database in {None, "", ":memory:"}:
            raise StoreError(f"{url} names no file: write sqlite:///shop.db, or memory:")
        self.name = url.database or ""
        self._full_sync = full_sync
        self.engine: Engine = create_engine(
            url,
            # Transactions are begun by our own words, see below.
            connect_args={
                "timeout": BUSY_TIMEOUT,
                "isolation_level": None,
                "check_same_thread": False,
            },
        )
        event.listen(self.engine, "connect", self._prepare)
        event.listen(self.engine, "begin", _begin)

    @property
    def days(self) -> None:
        """Every day is in one table."""

    @property
    def exists(self) -> bool:
        """True when the file is there."""
        return Path(self.name).is_file()

    def insert(self, connection: Connection, shape: Shape, rows: Sequence[tuple[Any, ...]]) -> None:
        """See `Dialect`."""
        if rows:
            _raw(connection).executemany(_insert(shape), rows)

    def insert_new(
        self, connection: Connection, shape: Shape, rows: Sequence[tuple[Any, ...]]
    ) -> list[bool]:
        """See `Dialect`."""
        # One by one costs no more than executemany, and says what each did.
        execute, statement = _raw(connection).execute, _insert(shape)
        return [execute(statement, row).rowcount == 1 for row in rows]

    def change(
        self, connection: Connection, change: Change, rows: Sequence[tuple[Any, ...]]
    ) -> list[str]:
        """See `Dialect`."""
        if not rows:
            return []
        found = _raw(connection).execute(_change(change), (orjson.dumps(rows).decode(),))
        return [key for (key,) in found.fetchall()]

    def customers(
        self, connection: Connection, keys: Sequence[tuple[int, str]], *, to_write: bool
    ) -> Sequence[CustomerRow]:
        """See `Dialect`."""
        del to_write  # whoever writes is alone here
        found: list[CustomerRow] = (
            _raw(connection).execute(_CUSTOMERS, (orjson.dumps(keys).decode(),)).fetchall()
        )
        return found

    def scrub(self) -> None:
        """See `Dialect`: the file is written anew, and the log beside it emptied."""
        with self.engine.connect() as plain:
            connection = plain.execution_options(isolation_level="AUTOCOMMIT")
            cursor = _raw(connection).cursor()
            cursor.execute("VACUUM")
            # Whoever reads just now keeps the log from being emptied; they end soon.
            for _ in range(CHECKPOINTS):
                (busy, _, _) = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                if not busy:
                    return
        raise StoreError(
            f"the database {self.name}: other processes kept its log from being emptied; "
            "erase once more when they have ended"
        )

    def sync(self) -> None:
        """See `Dialect`."""
        raw = self.engine.raw_connection()
        try:
            # Commits wait for no disk; a checkpoint does, before it moves anything.
            raw.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        finally:
            raw.close()

    def fault(self, error: Exception) -> Fault:
        """See `Dialect`."""
        said = str(getattr(error, "orig", None) or error)
        for sign, advice in _ADVICE.items():
            if sign in said.lower():
                what = advice.format(timeout=BUSY_TIMEOUT)
                return Fault(f"the database {self.name}: {what} ({said})")
        return Fault(f"the database {self.name} refuses: {said}")

    def _prepare(self, raw: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        cursor = raw.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute(f"PRAGMA synchronous = {'FULL' if self._full_sync else 'NORMAL'}")
        cursor.close()


def _begin(connection: Connection) -> None:
    # A transaction that reads first and writes later could not wait for another writer.
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _insert(shape: Shape) -> str:
    marks = ", ".join("?" * len(shape.columns))
    return (
        f"INSERT INTO {shape.table.name} ({shape.quoted}) VALUES ({marks})"  # noqa: S608 - our names
        f"{shape.on_conflict}"
    )


@lru_cache(maxsize=16)
def _change(change: Change) -> str:
    columns = ", ".join(
        f"json_extract(value, '$[{place}]') AS {name}" for place, name in enumerate(change.names)
    )
    # Ordered, so that the rows are made once, and each looks its own row of the table up.
    given = f"(SELECT {columns} FROM json_each(?) ORDER BY 1) AS given"  # noqa: S608 - our names
    return change.statement.format(given=given)


def _raw(connection: Connection) -> Any:
    return connection.connection.driver_connection
