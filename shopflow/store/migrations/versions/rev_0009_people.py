"""Single persons: aliases, tombstones, suppressions by scope, a ledger only added to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

_KEPT = "the consent ledger is only added to"

_SQLITE = (
    f"""
    CREATE TRIGGER consents_unchanged BEFORE UPDATE ON consents
    BEGIN SELECT RAISE(ABORT, '{_KEPT}'); END
    """,
    f"""
    CREATE TRIGGER consents_whole BEFORE DELETE ON consents
    WHEN NOT EXISTS (SELECT 1 FROM ledger_erasures WHERE seq = OLD.seq)
    BEGIN SELECT RAISE(ABORT, '{_KEPT}'); END
    """,  # noqa: S608 - our own words
)
_POSTGRES = (
    f"""
    CREATE FUNCTION consents_kept() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE'
            AND EXISTS (SELECT 1 FROM ledger_erasures WHERE seq = OLD.seq) THEN
            RETURN OLD;
        END IF;
        RAISE EXCEPTION '{_KEPT}';
    END $$
    """,  # noqa: S608 - our own words
    """
    CREATE TRIGGER consents_whole BEFORE UPDATE OR DELETE ON consents
    FOR EACH ROW EXECUTE FUNCTION consents_kept()
    """,
)
#: The place of `alias_of` in a customer's state.
_ALIASES = {
    "sqlite": "SELECT id, json_extract(state, '$.z') FROM customers "
    "WHERE json_extract(state, '$.z') IS NOT NULL",
    "postgresql": "SELECT id, state::json->>'z' FROM customers WHERE state::json->>'z' IS NOT NULL",
}


def upgrade() -> None:
    """Adds them; a suppression may now have several scopes."""
    op.create_table(
        "aliases",
        sa.Column("alias", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("alias"),
    )
    op.create_index("aliases_customer", "aliases", ["customer_id"])
    op.create_table(
        "tombstones",
        sa.Column("seq", _SEQ, autoincrement=True, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_table(
        "ledger_erasures",
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    _suppressions("hash", "channel", "scope")
    dialect = op.get_bind().dialect.name
    op.execute(f"INSERT INTO aliases (alias, customer_id) {_ALIASES[dialect]}")
    for statement in _SQLITE if dialect == "sqlite" else _POSTGRES:
        op.execute(statement)


def downgrade() -> None:
    """Takes them back; of several scopes the first stays."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER consents_whole")
        op.execute("DROP TRIGGER consents_unchanged")
    else:
        op.execute("DROP TRIGGER consents_whole ON consents")
        op.execute("DROP FUNCTION consents_kept()")
    _suppressions("hash", "channel")
    op.drop_table("ledger_erasures")
    op.drop_table("tombstones")
    op.drop_table("aliases")


def _suppressions(*key: str) -> None:
    op.rename_table("suppressions", "suppressions_before")
    op.create_table(
        "suppressions",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(*key, name="suppressions_key"),
    )
    op.execute(
        "INSERT INTO suppressions SELECT * FROM suppressions_before ORDER BY scope "
        "ON CONFLICT DO NOTHING"
        if op.get_bind().dialect.name == "postgresql"
        else "INSERT OR IGNORE INTO suppressions SELECT * FROM suppressions_before ORDER BY scope"
    )
    op.drop_table("suppressions_before")
