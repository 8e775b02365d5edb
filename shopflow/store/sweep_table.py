"""The table of sweeps, as `shopflow.store.tables` has all others."""

from __future__ import annotations

from sqlalchemy import PrimaryKeyConstraint, Table

from shopflow.store.columns import metadata
from shopflow.store.columns import text as _text
from shopflow.store.columns import whole as _whole

#: Looks at all customers of a partition; `event` is empty for what starts by the calendar.
sweeps = Table(
    "sweeps",
    metadata,
    _whole("partition"),
    _whole("at"),
    _text("event_id"),
    _text("event"),
    _text("after"),
    _whole("looked"),
    _whole("told"),
    _whole("done"),
    PrimaryKeyConstraint("partition", "at", "event_id"),
)
