"""What deliverers share: turns, what was heard of messages, sends by the hour, switches."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Adds them."""
    op.create_table(
        "paces",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "hours",
        sa.Column("workflow", sa.Text(), nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("sends", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workflow", "hour"),
    )
    op.add_column("messages", sa.Column("fate", sa.Text(), nullable=False, server_default=""))
    op.add_column("pauses", sa.Column("source", sa.Text(), nullable=False, server_default="person"))
    op.add_column("pauses", sa.Column("resumed_at", sa.BigInteger(), nullable=True))
    ended = sa.text("state IN ('sent', 'delivered', 'failed')")
    op.create_index(
        "messages_ended",
        "messages",
        ["channel", "class", "changed_at"],
        sqlite_where=ended,
        postgresql_where=ended,
    )


def downgrade() -> None:
    """Takes them back; a switch that was off is off."""
    op.drop_index("messages_ended", "messages")
    op.execute("DELETE FROM pauses WHERE resumed_at IS NOT NULL")
    op.drop_column("pauses", "resumed_at")
    op.drop_column("pauses", "source")
    op.drop_column("messages", "fate")
    op.drop_table("hours")
    op.drop_table("paces")
