"""PostgreSQL's tables for the days: events and journal have a partition each day.

Forgetting a day drops its table, which costs nothing, however many rows it had. Partitions are made
ahead, and on the way for days that nobody thought of, such as those of an import.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, text

from shopflow.store.tables import instant, micros
from shopflow.store.tally import day_of

#: Whoever makes or drops a day holds this lock ("days").
_LOCK = 0x64617973
_DAY = timedelta(days=1)
_DAY_MICROS = _DAY // timedelta(microseconds=1)

_PARTITIONS = text("""
SELECT c.relname, pg_get_expr(c.relpartbound, c.oid), i.inhdetachpending
FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
WHERE i.inhparent = to_regclass(:parent)
""")
_BOUNDS = re.compile(r"FROM \((?:'?(-?\d+)'?|MINVALUE)\) TO \('?(-?\d+)'?\)")


class Split(NamedTuple):
    """How a table is split: the place of the column in its rows, and how much of it is a day."""

    place: int
    unit: int

    def key(self, at: datetime) -> int:
        """The number of the day of an instant."""
        return micros(at) // self.unit if self.unit > 1 else day_of(at)

    def name(self, key: int) -> str:
        """How the day reads in the name of its table."""
        return str(key if self.unit == 1 else day_of(instant(key * self.unit)))


SPLITS = {"events": Split(0, 1), "journal": Split(1, _DAY_MICROS)}


class Days:
    """The partitions of one database, as far as they are known here."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[str, set[int]] = {table: set() for table in SPLITS}

    def hold(self, table: str, rows: Iterable[Sequence[Any]]) -> list[str]:
        """There is a place for each of the rows; the partitions that were not known before.

        A transaction that has written to the table does not look for new ones by itself: it has
        to lock them.
        """
        if (split := SPLITS.get(table)) is None:
            return []
        place, unit = split
        return self._make(table, {row[place] // unit for row in rows})

    def make_room(self, until: datetime, *, since: datetime) -> None:
        """There is a place for every day from one to the other."""
        days = [since + number * _DAY for number in range((until - since) // _DAY + 1)] + [until]
        for table, split in SPLITS.items():
            self._make(table, {split.key(day) for day in days})

    def drop_one(self, table: str, before: datetime) -> bool:
        """A partition that ends before that day is gone; False when there is none."""
        split = SPLITS[table]
        end = split.key(before.astimezone(UTC)) * split.unit
        # A partition cannot be let go of inside a transaction without stopping everyone.
        with self._engine.connect() as plain:
            connection = plain.execution_options(isolation_level="AUTOCOMMIT")
            connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
            try:
                return _drop_first(connection, table, end)
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})
                self.forget()

    def forget(self) -> None:
        """What is known may no longer be so."""
        for known in self._known.values():
            known.clear()

    def _make(self, table: str, keys: set[int]) -> list[str]:
        missing = keys - self._known[table]
        if not missing:
            return []
        split, names = SPLITS[table], []
        # On a connection of its own: the partition stays, whatever becomes of the batch.
        with self._engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            there = _partitions(connection, table)
            for key in sorted(missing):
                first, end = key * split.unit, (key + 1) * split.unit
                name = next((n for n, start, stop, _ in there if start <= first < stop), None)
                if name is None:
                    name = f"{table}_{split.name(key)}"
                    _create(connection, table, name, first, end)
                names.append(name)
        self._known[table] |= missing
        return names


def _partitions(connection: Connection, table: str) -> list[tuple[str, float, int, bool]]:
    """Name, first, end and whether it is on its way out, of each partition in order."""
    found = []
    for name, bounds, leaving in connection.execute(_PARTITIONS, {"parent": table}):
        match = _BOUNDS.search(bounds)
        if match is not None:
            start = float("-inf") if match[1] is None else int(match[1])
            found.append((name, start, int(match[2]), leaving))
    return sorted(found, key=lambda each: each[1:3])


def _create(connection: Connection, table: str, name: str, first: int, end: int) -> None:
    # Made apart and then attached, which stops neither readers nor writers of the table.
    connection.exec_driver_sql(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)")
    connection.exec_driver_sql(
        f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({first}) TO ({end})"
    )


def _drop_first(connection: Connection, table: str, end: int) -> bool:
    for name, _, stop, leaving in _partitions(connection, table):
        if stop <= end:
            # One that was cut off on its way out is finished.
            how = "FINALIZE" if leaving else "CONCURRENTLY"
            connection.exec_driver_sql(f"ALTER TABLE {table} DETACH PARTITION {name} {how}")
            connection.exec_driver_sql(f"DROP TABLE {name}")
            return True
    return False
