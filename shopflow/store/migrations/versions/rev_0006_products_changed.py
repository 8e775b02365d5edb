"""When each product was written, so that processes learn of what others brought in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Adds the column, empty for what is there: everybody reads all of that first."""
    op.add_column("products", sa.Column("changed_at", sa.BigInteger()))
    op.create_index("products_changed", "products", ["changed_at"])


def downgrade() -> None:
    """Takes it back."""
    op.drop_index("products_changed", "products")
    op.drop_column("products", "changed_at")
