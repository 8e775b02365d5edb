"""The tables of single persons, as `shopflow.store.tables` has all others."""

from __future__ import annotations

from sqlalchemy import Column, Index, PrimaryKeyConstraint, Table, Text

from shopflow.store.columns import Seq, maybe, metadata, text, whole

consents = Table(
    "consents",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    text("customer_id"),
    text("channel"),
    text("purpose"),
    text("state"),
    whole("at"),
    text("basis"),
    maybe("until"),
    text("source"),
    text("text_version"),
    text("proof"),
    Column("event_id", Text),
    Index("consents_customer", "customer_id", "seq"),
)

#: The entries of the ledger that the transaction at hand takes away; empty in between.
ledger_erasures = Table("ledger_erasures", metadata, whole("seq"), PrimaryKeyConstraint("seq"))

suppressions = Table(
    "suppressions",
    metadata,
    text("hash"),
    #: Empty for every channel.
    text("channel"),
    text("scope"),
    text("reason"),
    whole("at"),
    PrimaryKeyConstraint("hash", "channel", "scope"),
)

#: Which visitor turned out to be whom.
aliases = Table(
    "aliases",
    metadata,
    text("alias"),
    text("customer_id"),
    PrimaryKeyConstraint("alias"),
    Index("aliases_customer", "customer_id"),
)

#: Persons who were erased, by the hash of their id: nothing from before then is taken in.
tombstones = Table(
    "tombstones",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    text("hash"),
    whole("at"),
)
