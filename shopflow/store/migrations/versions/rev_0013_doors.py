"""Whose an address is, and what came in from outside already."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Adds them; whoever opens the store next fills the first, which takes its secret."""
    op.create_table(
        "addresses",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("hash", "customer_id"),
    )
    op.create_index("addresses_customer", "addresses", ["customer_id"])
    op.create_table(
        "taken_once",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("taken_once_at", "taken_once", ["at"])


def downgrade() -> None:
    """Takes them back."""
    op.drop_table("taken_once")
    op.drop_table("addresses")
    op.execute("DELETE FROM settings WHERE name = 'addresses_of'")
