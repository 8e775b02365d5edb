"""The tables, as SQLAlchemy metadata; migrations make them, and a test holds the two together.

Times are whole microseconds of UTC, which sort and compare the same everywhere; money is whole
millionths; a `day` reads as 20260303. Text columns named `state`, `input`, `details`, `message`
and `document` hold JSON.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, PrimaryKeyConstraint, Table, Text, text

from shopflow.store.columns import Seq as _Seq
from shopflow.store.columns import instant, metadata, micros
from shopflow.store.columns import maybe as _maybe
from shopflow.store.columns import partial as _partial
from shopflow.store.columns import text as _text
from shopflow.store.columns import whole as _whole
from shopflow.store.deployment_tables import bundles, deployments, holds
from shopflow.store.door_tables import addresses, taken_once
from shopflow.store.link_table import link_keys
from shopflow.store.people_tables import (
    aliases,
    consents,
    ledger_erasures,
    suppressions,
    tombstones,
)
from shopflow.store.sweep_table import sweeps
from shopflow.store.trial_tables import trial_results, trials

__all__ = [
    "addresses",
    "aliases",
    "bundles",
    "consents",
    "deployments",
    "holds",
    "instant",
    "ledger_erasures",
    "link_keys",
    "metadata",
    "micros",
    "suppressions",
    "sweeps",
    "taken_once",
    "tombstones",
    "trial_results",
    "trials",
]

#: What is fixed when the database is made, such as the number of partitions.
settings = Table("settings", metadata, _text("name"), _text("value"), PrimaryKeyConstraint("name"))

customers = Table(
    "customers",
    metadata,
    _whole("partition"),
    _text("id"),
    _maybe("next_due_at"),
    _whole("state_version"),
    _text("state"),
    PrimaryKeyConstraint("partition", "id"),
)
Index(
    "customers_due",
    customers.c.partition,
    customers.c.next_due_at,
    # Many are due at one instant, when new rules want something of everyone.
    customers.c.id,
    sqlite_where=text("next_due_at IS NOT NULL"),
    postgresql_where=text("next_due_at IS NOT NULL"),
)

cursors = Table(
    "cursors",
    metadata,
    _text("stream"),
    _whole("epoch"),
    _text("position"),
    _maybe("read_to"),
    PrimaryKeyConstraint("stream"),
)

inbox = Table(
    "inbox",
    metadata,
    Column("seq", _Seq, primary_key=True, autoincrement=True),
    _whole("partition"),
    _text("customer_id"),
    _text("input"),
    Index("inbox_partition", "partition", "seq"),
)

events = Table(
    "events",
    metadata,
    _whole("day"),
    _whole("partition"),
    _text("id"),
    _text("type"),
    _whole("occurred_at"),
    Column("customer_id", Text),
    _text("payload"),
    PrimaryKeyConstraint("day", "partition", "id"),
)

#: On PostgreSQL, the key of `journal` begins with `at`, by which it is split into days.
journal = Table(
    "journal",
    metadata,
    Column("seq", _Seq, primary_key=True, autoincrement=True),
    _text("customer_id"),
    _whole("at"),
    _text("kind"),
    Column("workflow", Text),
    _text("reason"),
    Column("event_id", Text),
    _text("details"),
    Index("journal_customer", "customer_id", "at"),
)

Index(
    "journal_event",
    journal.c.event_id,
    sqlite_where=text("event_id IS NOT NULL"),
    postgresql_where=text("event_id IS NOT NULL"),
)

messages = Table(
    "messages",
    metadata,
    _text("id"),
    _text("customer_id"),
    _text("enrolment_id"),
    _text("workflow"),
    _text("channel"),
    _text("class"),
    #: The place in the outbox, lowest first.
    _whole("rank"),
    _whole("decided_at"),
    _whole("send_by"),
    _text("state"),
    _maybe("next_attempt_at"),
    _whole("attempts"),
    _whole("uncertain"),
    _text("lease_owner"),
    _maybe("lease_until"),
    _text("provider_id"),
    _text("reason"),
    _whole("changed_at"),
    _text("message"),
    #: What was heard of it after it had been accepted: `bounced` or `complained`.
    Column("fate", Text, nullable=False, server_default=""),
    PrimaryKeyConstraint("id"),
    Index("messages_customer", "customer_id", "decided_at"),
)
Index(
    "messages_queued",
    messages.c.channel,
    messages.c.rank,
    messages.c.decided_at,
    messages.c.id,
    sqlite_where=text("state = 'queued'"),
    postgresql_where=text("state = 'queued'"),
)
Index(
    "messages_in_hand",
    messages.c.lease_until,
    sqlite_where=text("state IN ('leased', 'attempted')"),
    postgresql_where=text("state IN ('leased', 'attempted')"),
)
Index(
    "messages_ended",
    messages.c.channel,
    messages.c["class"],
    messages.c.changed_at,
    sqlite_where=text("state IN ('sent', 'delivered', 'failed')"),
    postgresql_where=text("state IN ('sent', 'delivered', 'failed')"),
)
Index(
    "messages_doubtful",
    messages.c.decided_at,
    sqlite_where=text("uncertain > 0"),
    postgresql_where=text("uncertain > 0"),
)

stats = Table(
    "stats",
    metadata,
    _whole("day"),
    _whole("partition"),
    _text("workflow"),
    _whole("version"),
    _text("step"),
    _text("channel"),
    _text("variant"),
    _text("result"),
    _whole("count"),
    _whole("value"),
    _whole("cost"),
    PrimaryKeyConstraint(
        "day", "partition", "workflow", "version", "step", "channel", "variant", "result"
    ),
)

#: Enrolments that wait for an event which is not their customer's own.
waits = Table(
    "waits",
    metadata,
    _text("event_type"),
    _text("key"),
    _text("enrolment_id"),
    _whole("partition"),
    _text("customer_id"),
    _whole("since"),
    PrimaryKeyConstraint("event_type", "key", "enrolment_id"),
    Index("waits_oldest", "event_type", "key", "since", "enrolment_id"),
)

coupons = Table(
    "coupons",
    metadata,
    _text("pool"),
    _text("code"),
    #: A word of `CodeState`.
    _text("state"),
    #: Who has taken it ahead, and until when.
    _text("owner"),
    _maybe("taken_until"),
    #: The shop no longer takes it from then on.
    _maybe("ends_at"),
    Column("draw", Text),
    _text("customer_id"),
    #: The end that the customer was told.
    _maybe("promised"),
    _whole("changed_at"),
    PrimaryKeyConstraint("pool", "code"),
    _partial("coupons_open", "pool", "code", where="state IN ('free', 'taken')"),
    _partial("coupons_draw", "draw", where="draw IS NOT NULL"),
    _partial("coupons_owner", "owner", where="state = 'taken'"),
    Index("coupons_code", "code"),
)

products = Table(
    "products",
    metadata,
    _text("sku"),
    _whole("at"),
    _text("document"),
    #: When it was written here.
    _maybe("changed_at"),
    PrimaryKeyConstraint("sku"),
    Index("products_changed", "changed_at"),
)

#: What recommendations are picked from; `scores` is JSON, best first.
recommendations = Table(
    "recommendations",
    metadata,
    _text("strategy"),
    #: A sku, a word or a category; empty for the whole shop.
    _text("key"),
    _text("scores"),
    _whole("computed_at"),
    PrimaryKeyConstraint("strategy", "key"),
)

rulesets = Table(
    "rulesets",
    metadata,
    _text("digest"),
    _whole("deployed_at"),
    _text("document"),
    PrimaryKeyConstraint("digest"),
)

schedules = Table(
    "schedules", metadata, _text("name"), _whole("last_at"), PrimaryKeyConstraint("name")
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("seq", _Seq, primary_key=True, autoincrement=True),
    _whole("at"),
    _text("reason"),
    _text("detail"),
    _text("stream"),
    Column("event_id", Text),
    Column("customer_id", Text),
    _text("payload"),
)

#: Kill switches; one that was switched off stays, as breakers count from there on.
pauses = Table(
    "pauses",
    metadata,
    _text("scope"),
    _text("reason"),
    _whole("at"),
    #: Who switched it on: a person, or a breaker.
    Column("source", Text, nullable=False, server_default="person"),
    _maybe("resumed_at"),
    PrimaryKeyConstraint("scope"),
)

#: The first turn of each pace that nobody has been given.
paces = Table("paces", metadata, _text("name"), _whole("next_at"), PrimaryKeyConstraint("name"))

#: How many messages of a workflow were accepted in an hour, counted from 1970.
_HOUR = (_text("workflow"), _whole("hour"), _whole("sends"))
hours = Table("hours", metadata, *_HOUR, PrimaryKeyConstraint("workflow", "hour"))
