"""What comes in from outside, in the SQL store."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, select, tuple_

from shopflow.domain.ids import CustomerId
from shopflow.store import tables
from shopflow.store.door import AddressLink
from shopflow.store.sql import shapes
from shopflow.store.sql.database import Database
from shopflow.store.tables import micros

#: Rows that one statement takes away.
PART = 125


def link_addresses(
    database: Database,
    connection: Connection,
    gone: Collection[AddressLink],
    new: Collection[AddressLink],
) -> None:
    """See `DoorWrites`."""
    table = tables.addresses
    key = tuple_(table.c.hash, table.c.customer_id)
    # Sorted, so that two writers never wait for each other.
    ordered = sorted(gone)
    for start in range(0, len(ordered), PART):
        connection.execute(delete(table).where(key.in_(ordered[start : start + PART])))
    database.dialect.insert(connection, shapes.ADDRESSES, sorted(set(new)))


def take_once(database: Database, connection: Connection, key: str, at: datetime) -> bool:
    """See `DoorWrites`."""
    (is_new,) = database.dialect.insert_new(connection, shapes.TAKEN_ONCE, [(key, micros(at))])
    return is_new


def at_address(connection: Connection, hashes: Sequence[str]) -> list[CustomerId]:
    """See `DoorReads`."""
    table = tables.addresses
    wanted = select(table.c.customer_id).where(table.c.hash.in_(sorted(hashes))).distinct()
    return sorted(CustomerId(each) for each in connection.execute(wanted).scalars())


def forget_taken(connection: Connection, before: datetime) -> None:
    """See `DoorReads`."""
    table = tables.taken_once
    connection.execute(delete(table).where(table.c.at < micros(before)))
