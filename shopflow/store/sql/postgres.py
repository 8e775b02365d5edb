"""PostgreSQL: many writers, so that partitions can be spread over workers.

The statements that carry most rows go past SQLAlchemy, in a pipeline: while the server works on
one, the next is made here. Everything else first waits until the pipeline is empty.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import URL, Connection, Engine, Text, create_engine, event

from shopflow.errors import StoreError
from shopflow.store.sql.days import Days
from shopflow.store.sql.dialect import CustomerRow
from shopflow.store.sql.faults import Fault, fault_of
from shopflow.store.sql.shapes import Change, Shape

#: Rows that one statement carries, so that server and client work side by side.
PART = 125
#: Seconds until a server that does not answer counts as out of reach.
CONNECT_TIMEOUT = 10
#: Seconds after which the server ends the transaction of a process that does not go on, such as one
#: on a machine that was put to sleep: others wait for what it has locked.
SLEEP = 30
#: Seconds that a statement waits for what another transaction has locked; the rest of the work goes
#: on meanwhile, and this is tried again.
LOCKED = 10
#: Each side finds out within half a minute that the other's machine is gone.
_KEEPALIVES = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 4}

#: Rows go in as one JSON parameter: a fifth of the client's time that executemany takes.
_CUSTOMERS = """
SELECT c.id, c.next_due_at, c.state_version, c.state
FROM json_to_recordset(%s::json) AS k(partition bigint, id text) JOIN customers AS c
ON c.partition = k.partition AND c.id = k.id
"""
#: In one order, so that two writers never wait for each other.
_LOCKED = "ORDER BY c.partition, c.id FOR UPDATE OF c"
#: A row that is not there cannot be locked; whoever makes one locks its partition.
_LOCK_PARTITIONS = """
SELECT count(pg_advisory_xact_lock(%s, k.partition::integer))
FROM json_array_elements_text(%s::json) AS k(partition)
"""
#: Of the locks that programs may agree on, ours ("shop").
_LOCK_SPACE = 0x73686F70


class Postgres:
    """A `Dialect` over psycopg 3."""

    def __init__(self, url: URL) -> None:
        self.name = url.render_as_string(hide_password=True)
        try:
            self.engine: Engine = create_engine(
                url.set(drivername="postgresql+psycopg"),
                # A server that was restarted meanwhile costs nobody a batch.
                pool_pre_ping=True,
                connect_args={"connect_timeout": CONNECT_TIMEOUT, **_KEEPALIVES},
            )
        except ModuleNotFoundError as error:
            raise StoreError(
                "PostgreSQL needs a driver: pip install 'shopflow[postgresql]'"
            ) from error
        self.days = Days(self.engine)
        event.listen(self.engine, "connect", _bound_waits)
        event.listen(self.engine, "before_cursor_execute", _settle_first)
        event.listen(self.engine, "commit", _settle)
        event.listen(self.engine, "rollback", _forget)

    @property
    def exists(self) -> bool:
        """A server's database is made by its keeper, not by opening it."""
        return True

    def insert(self, connection: Connection, shape: Shape, rows: Sequence[tuple[Any, ...]]) -> None:
        """See `Dialect`."""
        if rows:
            self._hold_places(connection, shape, rows)
            _tell(connection, _insert(shape), _records(shape.columns, rows))

    def insert_new(
        self, connection: Connection, shape: Shape, rows: Sequence[tuple[Any, ...]]
    ) -> list[bool]:
        """See `Dialect`."""
        if not rows:
            return []
        statement = f"{_insert(shape)} RETURNING {', '.join(shape.key)}"
        self._hold_places(connection, shape, rows)
        made = _ask(connection, statement, _records(shape.columns, rows))
        fresh = set(_answer(connection, made))
        places = [shape.columns.index(name) for name in shape.key]
        news = []
        for row in rows:
            key = tuple(row[place] for place in places)
            news.append(key in fresh)
            # The same key again in this call is a duplicate.
            fresh.discard(key)
        return news

    def change(
        self, connection: Connection, change: Change, rows: Sequence[tuple[Any, ...]]
    ) -> list[str]:
        """See `Dialect`."""
        if not rows:
            return []
        found = _ask(connection, _change(change), _records(change.names, rows))
        return [key for (key,) in _answer(connection, found)]

    def customers(
        self, connection: Connection, keys: Sequence[tuple[int, str]], *, to_write: bool
    ) -> Iterator[CustomerRow]:
        """See `Dialect`."""
        statement = _CUSTOMERS + _LOCKED if to_write else _CUSTOMERS
        missing = dict.fromkeys(key for _, key in keys)
        for row in _read(connection, statement, keys):
            del missing[row[0]]
            yield row
        if to_write and missing:
            absent = [key for key in keys if key[1] in missing]
            partitions = sorted({partition for partition, _ in absent})
            _tell(connection, _LOCK_PARTITIONS, _LOCK_SPACE, orjson.dumps(partitions).decode())
            yield from _read(connection, statement, absent)

    def scrub(self) -> None:
        """See `Dialect`; the server's own autovacuum takes dead rows away."""

    def sync(self) -> None:
        """See `Dialect`."""
        # Every commit has waited for the disk, unless the server was told otherwise.

    def fault(self, error: Exception) -> Fault:
        """See `Dialect`."""
        # It may be that a day was forgotten that is known here.
        self.days.forget()
        return fault_of(error, self.name)

    def _hold_places(
        self, connection: Connection, shape: Shape, rows: Sequence[tuple[Any, ...]]
    ) -> None:
        """There is a place for each of the rows until the transaction ends."""
        if new := self.days.hold(shape.table.name, rows):
            _tell(connection, f"LOCK TABLE {', '.join(sorted(set(new)))} IN ROW EXCLUSIVE MODE")


def _read(
    connection: Connection, statement: str, keys: Sequence[tuple[int, str]]
) -> Iterator[CustomerRow]:
    columns = ("partition", "id")
    answers = [
        _ask(connection, statement, _records(columns, keys[start : start + PART]))
        for start in range(0, len(keys), PART)
    ]
    for answer in answers:
        yield from _answer(connection, answer)


@lru_cache(maxsize=64)
def _insert(shape: Shape) -> str:
    types = ", ".join(
        f'"{name}" {"text" if isinstance(shape.table.c[name].type, Text) else "bigint"}'
        for name in shape.columns
    )
    return (
        f"INSERT INTO {shape.table.name} ({shape.quoted}) SELECT {shape.quoted} "  # noqa: S608
        f"FROM json_to_recordset(%s::json) AS rows({types}){shape.on_conflict}"
    )


@lru_cache(maxsize=16)
def _change(change: Change) -> str:
    types = ", ".join(f"{name} {kind}" for name, kind in change.columns)
    return change.statement.format(given=f"json_to_recordset(%s::json) AS given({types})")


def _records(columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> str:
    return orjson.dumps([dict(zip(columns, row, strict=True)) for row in rows]).decode()


def _tell(connection: Connection, statement: str, *parameters: object) -> None:
    """Has a statement carried out whose answer nobody needs."""
    _ask(connection, statement, *parameters)
    _pause(connection)


def _ask(connection: Connection, statement: str, *parameters: object) -> Any:
    """A cursor for `_answer`, which waits for nothing but what was asked up to here."""
    driver: Any = connection.connection.driver_connection
    if "pipeline" not in connection.info:
        closing = connection.info["pipeline"] = ExitStack()
        connection.info["answers"] = closing.enter_context(driver.pipeline()).result_queue
    return driver.execute(statement, parameters)


def _answer(connection: Connection, cursor: Any) -> list[Any]:
    rows: list[Any] = cursor.fetchall()
    _pause(connection)
    return rows


def _pause(connection: Connection) -> None:
    """Lets the server count the silence from here on.

    It counts only after a sync: without one, a process that stops now would keep its locks for as
    long as it sleeps, whatever SLEEP says. `Pipeline.sync` would wait until the server has done
    all, so the word is sent here, and its place among the answers kept.
    """
    connection.info["answers"].append(None)
    connection.connection.driver_connection.pgconn.pipeline_sync()  # type: ignore[union-attr]


def _settle(connection: Connection) -> None:
    """What is in the pipeline is done, or raises."""
    pipeline: ExitStack | None = connection.info.pop("pipeline", None)
    if pipeline is not None:
        pipeline.close()


def _settle_first(connection: Connection, *_: object) -> None:
    _settle(connection)


def _forget(connection: Connection) -> None:
    """What is in the pipeline is taken back anyway, so that its errors no longer matter."""
    with suppress(connection.dialect.loaded_dbapi.Error):
        _settle(connection)


def _bound_waits(raw: Any, _: object) -> None:
    raw.execute(f"SET idle_in_transaction_session_timeout = '{SLEEP}s'")
    raw.execute(f"SET lock_timeout = '{LOCKED}s'")
    for name, seconds in _KEEPALIVES.items():
        raw.execute(f"SET tcp_{name} = {seconds}")
    # Nor does it wait longer for one that does not fetch what it asked for.
    raw.execute(f"SET tcp_user_timeout = '{SLEEP}s'")
    raw.commit()
