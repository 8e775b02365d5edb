"""The shapes of the statements that carry most rows: which columns, and what a known key does.

And of those that change many rows at once, each in its own way.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import Table

from shopflow.store import tables


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Rows that go into one table; the column that the database numbers is left out."""

    table: Table
    #: A row whose key is there is left alone.
    skip_known: bool = False
    #: Columns that a row whose key is there takes from the new one.
    replaced: tuple[str, ...] = ()
    #: Columns that grow by the new row's value.
    added: tuple[str, ...] = ()
    #: Only then does the new row count; in SQL, where the new row is `excluded`.
    only_if: str = ""

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, in the order of the values."""
        return tuple(str(column.name) for column in self.table.columns if column.name != "seq")

    @cached_property
    def key(self) -> tuple[str, ...]:
        """The names of the columns of the primary key."""
        return tuple(str(column.name) for column in self.table.primary_key)

    @cached_property
    def quoted(self) -> str:
        """The columns as a list in SQL."""
        return ", ".join(f'"{name}"' for name in self.columns)

    @cached_property
    def on_conflict(self) -> str:
        """What follows the values; the same words in SQLite and PostgreSQL."""
        if self.skip_known:
            return " ON CONFLICT DO NOTHING"
        changes = [f'"{name}" = excluded."{name}"' for name in self.replaced]
        changes += [
            f'"{name}" = "{self.table.name}"."{name}" + excluded."{name}"' for name in self.added
        ]
        if not changes:
            return ""
        key = ", ".join(self.key)
        condition = f" WHERE {self.only_if}" if self.only_if else ""
        return f" ON CONFLICT ({key}) DO UPDATE SET {', '.join(changes)}{condition}"


@dataclass(frozen=True, kw_only=True)
class Change:
    """A statement that changes rows of a table as rows that it is given say."""

    #: What it is given, by name; `text` or `bigint`.
    columns: tuple[tuple[str, str], ...]
    #: In SQL, with `{given}` where the rows stand as `given`; it returns the ids that changed.
    statement: str

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in the order of the values."""
        return tuple(name for name, _ in self.columns)


CUSTOMERS = Shape(table=tables.customers, replaced=("next_due_at", "state_version", "state"))
CURSORS = Shape(table=tables.cursors, skip_known=True)
EVENTS = Shape(table=tables.events, skip_known=True)
WAITS = Shape(table=tables.waits, skip_known=True)
INBOX = Shape(table=tables.inbox)
JOURNAL = Shape(table=tables.journal)
MESSAGES = Shape(table=tables.messages, skip_known=True)
STATS = Shape(table=tables.stats, added=("count", "value", "cost"))
CONSENTS = Shape(table=tables.consents)
SUPPRESSIONS = Shape(
    table=tables.suppressions,
    replaced=("reason", "at"),
    only_if="suppressions.at <= excluded.at",
)
ADDRESSES = Shape(table=tables.addresses, skip_known=True)
TAKEN_ONCE = Shape(table=tables.taken_once, skip_known=True)
ALIASES = Shape(table=tables.aliases, skip_known=True)
TOMBSTONES = Shape(table=tables.tombstones)
DEAD_LETTERS = Shape(table=tables.dead_letters)
COUPONS = Shape(table=tables.coupons, skip_known=True)
PRODUCTS = Shape(
    table=tables.products,
    replaced=("at", "changed_at", "document"),
    only_if="products.at <= excluded.at",
)
RECOMMENDATIONS = Shape(
    table=tables.recommendations,
    replaced=("scores", "computed_at"),
    only_if="recommendations.computed_at <= excluded.computed_at",
)
SWEEPS = Shape(table=tables.sweeps, replaced=("after", "looked", "told", "done"))
NEW_SWEEPS = Shape(table=tables.sweeps, skip_known=True)
TRIALS = Shape(table=tables.trials, skip_known=True)
TRIAL_RESULTS = Shape(table=tables.trial_results, added=("count",))
SCHEDULES = Shape(table=tables.schedules, replaced=("last_at",))
PAUSES = Shape(table=tables.pauses, replaced=("reason", "at", "source", "resumed_at"))
PACES = Shape(table=tables.paces, skip_known=True)
HOURS = Shape(table=tables.hours, added=("sends",))
RULESETS = Shape(table=tables.rulesets, replaced=("deployed_at", "document"))
BUNDLES = Shape(table=tables.bundles, skip_known=True)
HOLDS = Shape(table=tables.holds, replaced=("revision", "reason", "at", "by", "ended"))
SETTINGS = Shape(table=tables.settings, skip_known=True)
KEPT_SETTINGS = Shape(table=tables.settings, replaced=("value",))
