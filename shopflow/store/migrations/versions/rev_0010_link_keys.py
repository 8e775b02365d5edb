"""The keys that seal links."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Adds them."""
    op.create_table(
        "link_keys",
        sa.Column("number", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("salt", sa.Text(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("condemned_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("number"),
    )


def downgrade() -> None:
    """Takes them back."""
    op.drop_table("link_keys")
