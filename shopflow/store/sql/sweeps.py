"""What sweeps read of the SQL store."""

from __future__ import annotations

from sqlalchemy import Connection, select

from shopflow.domain.customer import Customer
from shopflow.store import tables
from shopflow.store.sql import rows
from shopflow.store.sweeps import Sweep


def all_of(connection: Connection) -> list[Sweep]:
    """All that are kept, oldest first."""
    table = tables.sweeps
    wanted = select(table).order_by(table.c.at, table.c.partition, table.c.event_id)
    return [rows.sweep_of(row) for row in connection.execute(wanted).mappings()]


def customers_after(
    connection: Connection, partition: int, after: str, limit: int
) -> list[Customer]:
    """The next customers of the partition, by id."""
    table = tables.customers
    wanted = (
        select(table.c.id, table.c.next_due_at, table.c.state_version, table.c.state)
        .where(table.c.partition == partition, table.c.id > after)
        .order_by(table.c.id)
        .limit(limit)
    )
    return [rows.customer_of(row) for row in connection.execute(wanted)]


def told_partitions(connection: Connection, only: int | None) -> list[int]:
    """Where somebody has been told what is yet to be decided."""
    partition = tables.inbox.c.partition
    if only is None:
        return sorted(connection.execute(select(partition).distinct()).scalars())
    return [*connection.execute(select(partition).where(partition == only).limit(1)).scalars()]
