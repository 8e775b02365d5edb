"""The tables of trials, as `shopflow.store.tables` has all others."""

from __future__ import annotations

from sqlalchemy import Index, PrimaryKeyConstraint, Table

from shopflow.store.columns import metadata
from shopflow.store.columns import text as _text
from shopflow.store.columns import whole as _whole

#: Splits that are tried on a few; `branches` is JSON, `winner` is empty until it is known.
trials = Table(
    "trials",
    metadata,
    _text("id"),
    _text("workflow"),
    _whole("version"),
    _text("digest"),
    _text("step"),
    _text("run"),
    _whole("begun_at"),
    _whole("decide_at"),
    _text("branches"),
    _text("by"),
    _text("winner"),
    PrimaryKeyConstraint("id"),
    Index("trials_begun", "begun_at"),
)

#: What is counted of them; by partition, so that no two readers write one row.
trial_results = Table(
    "trial_results",
    metadata,
    _text("trial"),
    _whole("partition"),
    _text("branch"),
    _text("result"),
    _whole("count"),
    PrimaryKeyConstraint("trial", "partition", "branch", "result"),
)
