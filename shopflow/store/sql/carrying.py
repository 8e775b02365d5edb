"""Statements that more than one part of the SQL store runs: the inbox in, the counts, customers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, CompoundSelect, Connection, bindparam, select, union_all

from shopflow.domain.codec import input_to_json
from shopflow.domain.customer import Customer
from shopflow.domain.event import Input
from shopflow.domain.ids import CustomerId
from shopflow.store import tables
from shopflow.store.sql import rows, shapes
from shopflow.store.sql.database import Database
from shopflow.store.tally import Tally

#: Later than any instant.
FOREVER = 2**62


def tell_row(database: Database, to: CustomerId, what: Input) -> rows.Row:
    """A row of `inbox`."""
    text = rows.to_json(input_to_json(what), f"what customer {to} is told")
    return database.partition_of(to), to, text


def write_tells(database: Database, connection: Connection, told: Sequence[rows.Row]) -> None:
    """The rows are the last of the inbox, in this order."""
    database.dialect.insert(connection, shapes.INBOX, told)


def write_tally(database: Database, connection: Connection, tally: Tally) -> None:
    """The statistics are higher by what was counted; sorted, so that writers never deadlock."""
    counted = [(*key, *sums) for key, sums in sorted(tally.sums.items())]
    database.dialect.insert(connection, shapes.STATS, counted)


def load_customers(
    database: Database, connection: Connection, ids: Iterable[CustomerId], *, to_write: bool
) -> dict[CustomerId, Customer]:
    """The customers of these ids that exist."""
    keys = sorted({(database.partition_of(key), key) for key in ids})
    if not keys:
        return {}
    found = database.dialect.customers(connection, keys, to_write=to_write)
    return {customer.id: customer for customer in map(rows.customer_of, found)}


@lru_cache(maxsize=128)
def timers(partitions: int, partition: int | None) -> CompoundSelect[Any]:
    """The first `most` timers until `until`: each partition reads no further in its own index."""
    table = tables.customers
    numbers = range(partitions) if partition is None else (partition,)
    most = bindparam("most", type_=BigInteger)
    parts = [
        select(
            select(table.c.next_due_at, table.c.id)
            .where(table.c.partition == number)
            .where(table.c.next_due_at <= bindparam("until", type_=BigInteger))
            .order_by(table.c.next_due_at, table.c.id)
            .limit(most)
            .subquery()
        )
        for number in numbers
    ]
    return union_all(*parts).order_by("next_due_at", "id").limit(most)
