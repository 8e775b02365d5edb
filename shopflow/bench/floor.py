"""The floor under the store: the rows of a batch written with nothing but the database's driver.

The rows are ready-made tuples, the statements those that measured best; nothing is decided, and
nothing of what is read is looked at.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import orjson
import psycopg
from sqlalchemy import Text

from shopflow.store.sql import shapes
from shopflow.store.sql.shapes import Shape

Rows = Sequence[tuple[Any, ...]]


class BatchRows(NamedTuple):
    """Everything that one batch reads and writes, as rows."""

    position: str
    #: (partition, id) of the customers that are read first.
    keys: Sequence[tuple[int, str]]
    events: Rows
    customers: Rows
    journal: Rows
    messages: Rows
    stats: Rows


#: What is written after the customers were read, in this order.
AFTER_READING = (
    ("customers", shapes.CUSTOMERS),
    ("journal", shapes.JOURNAL),
    ("messages", shapes.MESSAGES),
    ("stats", shapes.STATS),
)

CURSOR = "UPDATE cursors SET position = {mark} WHERE stream = 'floor'"
NEW_CURSOR = "INSERT INTO cursors (stream, epoch, position) VALUES ('floor', 1, '')"
_WANTED = "SELECT c.id, c.next_due_at, c.state_version, c.state FROM {keys} customers AS c ON "


class Floor(Protocol):
    """One way to write a batch with a bare driver."""

    name: str

    def write(self, rows: BatchRows) -> None:
        """The batch is read and written in one transaction."""

    def close(self) -> None:
        """The connection is gone."""


class SqliteFloor:
    """Tuples through sqlite3's executemany; the keys to read as one JSON parameter."""

    name = "sqlite3 executemany"
    READ = _WANTED.format(keys="json_each(?) AS k CROSS JOIN") + (
        "c.partition = json_extract(k.value, '$[0]') AND c.id = json_extract(k.value, '$[1]')"
    )

    def __init__(self, path: str) -> None:
        self._driver = sqlite3.connect(path, isolation_level=None)
        self._driver.execute("PRAGMA synchronous = NORMAL")
        self._driver.execute(NEW_CURSOR)

    def write(self, rows: BatchRows) -> None:
        """See `Floor`."""
        driver = self._driver
        driver.execute("BEGIN IMMEDIATE")
        driver.execute(CURSOR.format(mark="?"), (rows.position,))
        driver.executemany(marks(shapes.EVENTS), rows.events)
        driver.execute(self.READ, (orjson.dumps(rows.keys).decode(),)).fetchall()
        for name, shape in AFTER_READING:
            driver.executemany(marks(shape), getattr(rows, name))
        driver.execute("COMMIT")

    def close(self) -> None:
        """See `Floor`."""
        self._driver.close()


class PostgresJson:
    """One JSON parameter a table, unpacked by the server; everything in one pipeline."""

    name = "psycopg json_to_recordset"
    READ = _WANTED.format(
        keys="json_to_recordset(%s::json) AS k(partition bigint, id text) JOIN"
    ) + ("c.partition = k.partition AND c.id = k.id ORDER BY c.partition, c.id FOR UPDATE OF c")

    def __init__(self, url: str) -> None:
        self._driver = connected(url)

    def write(self, rows: BatchRows) -> None:
        """See `Floor`."""
        driver = self._driver
        with driver.pipeline(), driver.transaction():
            driver.execute(CURSOR.format(mark="%s"), (rows.position,))
            returning = f"{recordset(shapes.EVENTS)} RETURNING day, partition, id"
            driver.execute(returning, (as_json(shapes.EVENTS.columns, rows.events),))
            driver.execute(self.READ, (as_json(("partition", "id"), rows.keys),))
            for name, shape in AFTER_READING:
                driver.execute(recordset(shape), (as_json(shape.columns, getattr(rows, name)),))

    def close(self) -> None:
        """See `Floor`."""
        self._driver.close()


class PostgresMany:
    """Tuples through psycopg's executemany; everything in one pipeline."""

    name = "psycopg executemany"
    READ = PostgresJson.READ

    def __init__(self, url: str) -> None:
        self._driver = connected(url)

    def write(self, rows: BatchRows) -> None:
        """See `Floor`."""
        driver = self._driver
        with driver.pipeline(), driver.transaction(), driver.cursor() as cursor:
            cursor.execute(CURSOR.format(mark="%s"), (rows.position,))
            cursor.executemany(marks(shapes.EVENTS, "%s"), rows.events)
            cursor.execute(self.READ, (as_json(("partition", "id"), rows.keys),))
            for name, shape in AFTER_READING:
                cursor.executemany(marks(shape, "%s"), getattr(rows, name))

    def close(self) -> None:
        """See `Floor`."""
        self._driver.close()


def connected(url: str) -> psycopg.Connection:
    """A connection of the driver, with a cursor of its own to move."""
    driver = psycopg.connect(url)
    driver.execute(f"{NEW_CURSOR} ON CONFLICT DO NOTHING")
    driver.commit()
    return driver


def marks(shape: Shape, mark: str = "?") -> str:
    """The statement that takes one row as its parameters."""
    values = ", ".join([mark] * len(shape.columns))
    return f"{_into(shape)} VALUES ({values}){shape.on_conflict}"


def recordset(shape: Shape) -> str:
    """The statement that takes all rows as one JSON parameter."""
    types = ", ".join(
        f'"{name}" {"text" if isinstance(shape.table.c[name].type, Text) else "bigint"}'
        for name in shape.columns
    )
    return (
        f"{_into(shape)} SELECT {shape.quoted} "  # noqa: S608 - our own names
        f"FROM json_to_recordset(%s::json) AS rows({types}){shape.on_conflict}"
    )


def _into(shape: Shape) -> str:
    return f"INSERT INTO {shape.table.name} ({shape.quoted})"


def as_json(columns: Sequence[str], rows: Rows) -> str:
    """The rows as that parameter."""
    return orjson.dumps([dict(zip(columns, row, strict=True)) for row in rows]).decode()
