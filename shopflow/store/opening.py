"""Opening a store by its URL: the right kind, with tables that fit this program."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from shopflow.errors import StoreError
from shopflow.store import tables
from shopflow.store.memory import MemoryStore
from shopflow.store.migrations import LATEST
from shopflow.store.protocol import Store
from shopflow.store.sql import shapes
from shopflow.store.sql.database import Database
from shopflow.store.sql.dialect import Dialect
from shopflow.store.sql.postgres import Postgres
from shopflow.store.sql.sqlite import Sqlite
from shopflow.store.sql.store import SqlStore

#: Into how many parts a new database splits its customers, unless told.
PARTITIONS = 64


def open_store(
    url: str,
    *,
    root: Path | None = None,
    partitions: int | None = None,
    create: bool = True,
    full_sync: bool = False,
) -> Store:
    """The store at `memory:` or `sqlite:///file`; a relative file is under the root.

    An SQLite database is made when it is missing (unless `create` is false) and migrated when it
    is old. `full_sync` waits for the disk at every commit: a power cut then loses nothing at all.

    Raises:
        StoreError: It cannot be opened, was made by a newer program, or has other partitions.
    """
    if url == "memory:":
        return MemoryStore(partitions or 1)
    dialect = dialect_of(url, root, full_sync=full_sync)
    if not create and not dialect.exists:
        raise StoreError(
            f"there is no database {dialect.name} yet: `shopflow run` or `shopflow db upgrade` "
            "makes it"
        )
    try:
        upgrade_database(dialect)
        return SqlStore(Database(dialect, _partitions(dialect, partitions)))
    except BaseException:
        dialect.engine.dispose()
        raise


def dialect_of(url: str, root: Path | None = None, *, full_sync: bool = False) -> Dialect:
    """The kind of database that a URL names, not yet opened; see `open_store`."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreError(f"'{url}' is no database URL: write sqlite:///shop.db") from error
    kind = parsed.get_backend_name()
    if kind == "sqlite":
        if root is not None and parsed.database not in {None, "", ":memory:"}:
            parsed = parsed.set(database=str(root / str(parsed.database)))
        return Sqlite(parsed, full_sync=full_sync)
    if kind == "postgresql":
        return Postgres(parsed)
    raise StoreError(
        f"databases of the kind '{kind}' are not supported: write sqlite:///shop.db or "
        "postgresql://host/shop"
    )


def shown(url: str, root: Path | None = None) -> str:
    """The database as people know it, without a password."""
    return dialect_of(url, root, full_sync=False).name


def upgrade(url: str, root: Path | None = None) -> list[str]:
    """The steps that were missing and are done now; see `open_store` for what is raised."""
    dialect = dialect_of(url, root, full_sync=False)
    try:
        return upgrade_database(dialect)
    finally:
        dialect.engine.dispose()


def upgrade_database(dialect: Dialect) -> list[str]:
    """The steps that were missing and are done now."""
    database = Database(dialect, 1)
    with database.reading() as connection:
        if _step(connection) == LATEST:
            return []
    # Alembic takes longer to load than most commands take to run.
    from shopflow.store.sql import migrate  # noqa: PLC0415

    with database.writing() as connection:
        migrate.wait_for_others(connection)
        missing = migrate.steps_missing(connection, dialect.name)
        if missing:
            migrate.upgrade(connection)
    return missing


def _step(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _partitions(dialect: Dialect, wanted: int | None) -> int:
    database = Database(dialect, 1)
    with database.reading() as connection:
        kept = _kept_partitions(connection)
    if kept is None:
        with database.writing() as connection:
            row = ("partitions", str(wanted or PARTITIONS))
            dialect.insert(connection, shapes.SETTINGS, [row])
            kept = _kept_partitions(connection) or PARTITIONS
    if wanted not in {None, kept}:
        raise StoreError(
            f"the database {dialect.name} was made with {kept} partitions, not {wanted}: "
            f"write `partitions: {kept}` in shopflow.yaml, or start with a new database"
        )
    return kept


def _kept_partitions(connection: Connection) -> int | None:
    table = tables.settings
    kept = connection.execute(select(table.c.value).where(table.c.name == "partitions")).scalar()
    return None if kept is None else int(kept)
