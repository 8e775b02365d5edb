"""The floor under `bench run`: what was read and written, read and written again by bare drivers.

Which rows that is, is noted while the product runs; a second database, equal to the first before
the run, takes them in. The driver gets rows as tuples and gives what is read as values; nothing is
validated, decided or made JSON of, but for the one parameter that carries a table's rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson
from redis import Redis
from sqlalchemy import Connection, Engine

from shopflow.bench.floor import (
    CURSOR,
    NEW_CURSOR,
    PostgresJson,
    Rows,
    SqliteFloor,
    as_json,
    connected,
    marks,
    recordset,
)
from shopflow.store.protocol import Batch
from shopflow.store.sql.database import Database
from shopflow.store.sql.days import Days
from shopflow.store.sql.dialect import CustomerRow, Dialect
from shopflow.store.sql.faults import Fault
from shopflow.store.sql.shapes import EVENTS, Change, Shape
from shopflow.store.sql.store import SqlStore


@dataclass(slots=True)
class Noted:
    """One transaction: which customers it read, and its rows by table, in order."""

    keys: list[tuple[int, str]] = field(default_factory=list)
    rows: dict[Shape, list[tuple[Any, ...]]] = field(default_factory=dict)


class NotingStore(SqlStore):
    """The store itself; what goes through its dialect is noted, transaction by transaction."""

    def __init__(self, dialect: Dialect, partitions: int) -> None:
        self._noting = _Noting(dialect)
        super().__init__(Database(self._noting, partitions))

    def taken(self) -> list[Noted]:
        """The transactions since the last call that wrote anything."""
        noted, self._noting.noted = self._noting.noted, [Noted()]
        return [one for one in noted if one.rows]

    @contextmanager
    def transaction(self, stream: str | None = None, epoch: int | None = None) -> Iterator[Batch]:
        """See `Store`."""
        with super().transaction(stream, epoch) as batch:
            yield batch
        self._noting.noted.append(Noted())


class _Noting:
    """A dialect that remembers what it was given."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.noted = [Noted()]

    @property
    def engine(self) -> Engine:
        return self._dialect.engine

    @property
    def name(self) -> str:
        return self._dialect.name

    @property
    def exists(self) -> bool:
        return self._dialect.exists

    @property
    def days(self) -> Days | None:
        return self._dialect.days

    def insert(self, connection: Connection, shape: Shape, rows: Rows) -> None:
        self.noted[-1].rows.setdefault(shape, []).extend(rows)
        self._dialect.insert(connection, shape, rows)

    def insert_new(self, connection: Connection, shape: Shape, rows: Rows) -> list[bool]:
        self.noted[-1].rows.setdefault(shape, []).extend(rows)
        return self._dialect.insert_new(connection, shape, rows)

    def change(self, connection: Connection, change: Change, rows: Rows) -> list[str]:
        return self._dialect.change(connection, change, rows)

    def customers(
        self, connection: Connection, keys: Sequence[tuple[int, str]], *, to_write: bool
    ) -> Iterable[CustomerRow]:
        self.noted[-1].keys.extend(keys)
        return self._dialect.customers(connection, keys, to_write=to_write)

    def scrub(self) -> None:
        self._dialect.scrub()

    def sync(self) -> None:
        """See `Dialect`."""
        self._dialect.sync()

    def fault(self, error: Exception) -> Fault:
        return self._dialect.fault(error)


class RunFloor(Protocol):
    """Writes noted transactions with a bare driver."""

    def write(self, noted: Noted) -> None:
        """The transaction is done once more."""

    def close(self) -> None:
        """The connection is gone."""


class PostgresRun:
    """One JSON parameter a table, everything in one pipeline: what measures best."""

    def __init__(self, url: str) -> None:
        self._driver = connected(url)

    def write(self, noted: Noted) -> None:
        """See `RunFloor`."""
        driver = self._driver
        with driver.pipeline(), driver.transaction():
            driver.execute(CURSOR.format(mark="%s"), ("0",))
            rest = dict(noted.rows)
            if events := rest.pop(EVENTS, []):
                returning = f"{recordset(EVENTS)} RETURNING day, partition, id"
                new = driver.execute(returning, (as_json(EVENTS.columns, events),))
            read = driver.execute(PostgresJson.READ, (as_json(("partition", "id"), noted.keys),))
            for shape, rows in rest.items():
                driver.execute(recordset(shape), (as_json(shape.columns, rows),))
            # Which events were new, and the states of the customers, are here too as values.
            if events:
                new.fetchall()
            read.fetchall()

    def close(self) -> None:
        """See `RunFloor`."""
        self._driver.close()


class SqliteRun:
    """Tuples through sqlite3's executemany."""

    def __init__(self, url: str) -> None:
        path = url.removeprefix("sqlite:///")
        self._driver = sqlite3.connect(path, isolation_level=None)
        self._driver.execute("PRAGMA synchronous = NORMAL")
        self._driver.execute(NEW_CURSOR)

    def write(self, noted: Noted) -> None:
        """See `RunFloor`."""
        driver = self._driver
        driver.execute("BEGIN IMMEDIATE")
        driver.execute(CURSOR.format(mark="?"), ("0",))
        rest = dict(noted.rows)
        if events := rest.pop(EVENTS, []):
            driver.executemany(marks(EVENTS), events)
        keys = orjson.dumps(sorted(noted.keys)).decode()
        driver.execute(SqliteFloor.READ, (keys,)).fetchall()
        for shape, rows in rest.items():
            driver.executemany(marks(shape), rows)
        driver.execute("COMMIT")

    def close(self) -> None:
        """See `RunFloor`."""
        self._driver.close()


def read_stream(redis: Redis, stream: str, place: str, size: int) -> str | None:
    """The next entries are read and trimmed, as a reader does; where they end, None for no more."""
    found: Any = redis.xread({stream: place}, count=size)
    if not found:
        return None
    last: bytes = found[0][1][-1][0]
    redis.xtrim(stream, minid=last.decode(), approximate=False)
    return last.decode()
