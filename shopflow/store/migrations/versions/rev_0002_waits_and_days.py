"""Waits, the journal by event, and on PostgreSQL a table for each day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Adds them."""
    op.create_table(
        "latest_events",
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("event_type", "key"),
    )
    op.create_index("waits_oldest", "waits", ["event_type", "key", "since", "enrolment_id"])
    _due("partition", "next_due_at", "id")
    if op.get_bind().dialect.name == "postgresql":
        _split("events", "day, partition, id")
        op.execute("ALTER INDEX journal_customer RENAME TO journal_before_customer")
        _split("journal", "at, seq")
        op.create_index("journal_customer", "journal", ["customer_id", "at"])
        _compress()
    where = sa.text("event_id IS NOT NULL")
    op.create_index(
        "journal_event", "journal", ["event_id"], sqlite_where=where, postgresql_where=where
    )


def downgrade() -> None:
    """Takes them back, but for the days, which no older program minds."""
    op.drop_index("journal_event", "journal")
    _due("partition", "next_due_at")
    op.drop_index("waits_oldest", "waits")
    op.drop_table("latest_events")


def _due(*columns: str) -> None:
    where = sa.text("next_due_at IS NOT NULL")
    op.drop_index("customers_due", "customers")
    op.create_index(
        "customers_due", "customers", list(columns), sqlite_where=where, postgresql_where=where
    )


def _split(table: str, key: str) -> None:
    """The table is split by the first column of its key; what was there is one part of it."""
    column, whole = key.partition(",")[0], f"{table}_before"
    op.execute(f"ALTER TABLE {table} RENAME TO {whole}")
    op.execute(f"ALTER TABLE {whole} DROP CONSTRAINT {table}_pkey")
    op.execute(
        f"CREATE TABLE {table} (LIKE {whole} INCLUDING DEFAULTS, PRIMARY KEY ({key})) "
        f"PARTITION BY RANGE ({column})"
    )
    if table == "journal":
        op.execute("ALTER SEQUENCE journal_seq_seq OWNED BY journal.seq")
    last = op.get_bind().execute(sa.text(f"SELECT max({column}) FROM {whole}")).scalar()  # noqa: S608 - our own names
    if last is None:
        op.execute(f"DROP TABLE {whole}")
    else:
        op.execute(
            f"ALTER TABLE {table} ATTACH PARTITION {whole} "
            f"FOR VALUES FROM (MINVALUE) TO ({_end_of_day(last)})"
        )


def _end_of_day(last: int) -> int:
    """The first value of the next day: of microseconds, or of days that read as 20260303."""
    is_time = last > 10**9
    return last - last % 86_400_000_000 + 86_400_000_000 if is_time else last + 1


def _compress() -> None:
    """Large states are compressed by lz4 where the server was built with it: faster both ways."""
    found = op.get_bind().execute(
        sa.text(
            "SELECT 'lz4' = ANY(enumvals) FROM pg_settings WHERE name = 'default_toast_compression'"
        )
    )
    if found.scalar():
        op.execute("ALTER TABLE customers ALTER COLUMN state SET COMPRESSION lz4")
