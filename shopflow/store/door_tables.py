"""The tables of what comes in by the doors, as `shopflow.store.tables` has all others."""

from __future__ import annotations

from sqlalchemy import Index, PrimaryKeyConstraint, Table

from shopflow.store.columns import metadata, text, whole

#: Whose an address is, by keyed hash; several people may share one.
addresses = Table(
    "addresses",
    metadata,
    text("hash"),
    text("customer_id"),
    PrimaryKeyConstraint("hash", "customer_id"),
    Index("addresses_customer", "customer_id"),
)

#: What came in from outside and is not to be taken twice, by keyed hash of what stands for it.
taken_once = Table(
    "taken_once",
    metadata,
    text("key"),
    whole("at"),
    PrimaryKeyConstraint("key"),
    Index("taken_once_at", "at"),
)
