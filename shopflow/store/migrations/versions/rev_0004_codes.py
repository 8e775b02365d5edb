"""Codes of coupons: whose hands they are in, whose they are, and until when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Makes the table anew: nothing has written it so far."""
    op.drop_table("coupons")
    op.create_table(
        "coupons",
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("taken_until", sa.BigInteger()),
        sa.Column("ends_at", sa.BigInteger()),
        sa.Column("draw", sa.Text()),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("promised", sa.BigInteger()),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("pool", "code"),
    )
    _partial("coupons_open", ["pool", "code"], "state IN ('free', 'taken')")
    _partial("coupons_draw", ["draw"], "draw IS NOT NULL")
    _partial("coupons_owner", ["owner"], "state = 'taken'")
    op.create_index("coupons_code", "coupons", ["code"])


def downgrade() -> None:
    """Takes the columns back; codes that are free stay."""
    op.execute("DELETE FROM coupons WHERE state NOT IN ('free', 'taken')")
    for name in ("coupons_open", "coupons_draw", "coupons_owner", "coupons_code"):
        op.drop_index(name, "coupons")
    for name in ("owner", "ends_at", "draw", "customer_id", "promised", "changed_at"):
        op.drop_column("coupons", name)
    op.add_column("coupons", sa.Column("message_id", sa.Text()))


def _partial(name: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, "coupons", columns, sqlite_where=where, postgresql_where=where)
