"""What recommendations are picked from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Adds them."""
    op.create_table(
        "recommendations",
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("scores", sa.Text(), nullable=False),
        sa.Column("computed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("strategy", "key"),
    )


def downgrade() -> None:
    """Takes them back; they are computed anew whenever wanted."""
    op.drop_table("recommendations")
