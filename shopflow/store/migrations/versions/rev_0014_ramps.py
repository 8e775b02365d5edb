"""Deployments whose workflows a share of the customers gets first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Adds which bundle, and the share in millionths."""
    ramp = sa.Column("ramp", sa.Text(), nullable=False, server_default="")
    share = sa.Column("share", sa.BigInteger(), nullable=False, server_default="0")
    op.add_column("deployments", ramp)
    op.add_column("deployments", share)


def downgrade() -> None:
    """Takes them back."""
    op.drop_column("deployments", "share")
    op.drop_column("deployments", "ramp")
