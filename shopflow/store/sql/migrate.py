"""Bringing a database to the tables that this program knows, by Alembic's steps."""

from __future__ import annotations

from pathlib import Path

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select, text

import shopflow.store.migrations
from shopflow.errors import StoreError

_FOLDER = Path(shopflow.store.migrations.__file__).parent


#: One number for all that bring the same database up to date.
_LOCK = 7_046_733


def wait_for_others(connection: Connection) -> None:
    """Nobody else brings the database up to date while this transaction lasts."""
    if connection.dialect.name == "postgresql":
        # However long they take.
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def known_steps() -> ScriptDirectory:
    """The steps that come with this program."""
    return ScriptDirectory(str(_FOLDER), version_locations=[str(_FOLDER / "versions")])


def revision(connection: Connection) -> str | None:
    """The step that the database stands at; None when it has no tables yet."""
    return MigrationContext.configure(connection).get_current_revision()


def steps_missing(connection: Connection, name: str) -> list[str]:
    """The steps that the database has yet to take, in order, by what each says of itself.

    Raises:
        StoreError: The database stands at a step that this program does not know.
    """
    scripts = known_steps()
    at = revision(connection)
    every = [script.revision for script in scripts.walk_revisions()]
    if at is not None and at not in every:
        raise StoreError(
            f"the database {name} was made by a newer shopflow (its tables are at step {at}, "
            f"this one knows {every[0]} as the last): upgrade this program"
        )
    missing = scripts.iterate_revisions("heads", at or "base")
    return [f"{script.revision} {script.doc}" for script in reversed(list(missing))]


def upgrade(connection: Connection) -> None:
    """The database has the tables that this program knows."""
    scripts = known_steps()
    context = MigrationContext.configure(connection)
    missing = scripts.iterate_revisions("heads", revision(connection) or "base")
    with Operations.context(context):
        for script in reversed(list(missing)):
            script.module.upgrade()
            context.stamp(scripts, script.revision)
