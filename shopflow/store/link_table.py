"""The table of the keys that seal links; see `shopflow.store.tables`."""

from __future__ import annotations

from sqlalchemy import PrimaryKeyConstraint, Table

from shopflow.store.columns import maybe, metadata, text, whole

#: Halves of the keys that seal links; the other half is the project's secret.
link_keys = Table(
    "link_keys",
    metadata,
    whole("number"),
    text("salt"),
    whole("made_at"),
    maybe("condemned_at"),
    PrimaryKeyConstraint("number"),
)
