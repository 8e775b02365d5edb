"""Transactions on a database, with the driver's errors turned into sentences."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from sqlalchemy import Connection, update
from sqlalchemy.exc import SQLAlchemyError

from shopflow.errors import StoreError, Unstorable
from shopflow.store import tables
from shopflow.store.records import Fence, lost
from shopflow.store.sql.dialect import Dialect
from shopflow.store.tally import partition_of

Given = ParamSpec("Given")
Outcome = TypeVar("Outcome")

#: How long what passes is waited for, in seconds, before each further attempt.
PAUSES = (0.05, 0.2, 0.5)


class Database:
    """One open database: its dialect and its number of partitions."""

    def __init__(self, dialect: Dialect, partitions: int) -> None:
        self.dialect = dialect
        self.partitions = partitions

    def partition_of(self, subject: str) -> int:
        """The partition of an id."""
        return partition_of(subject, self.partitions)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction: kept when the block ends, taken back when it raises."""
        with sentences(self.dialect), self.dialect.engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view."""
        with sentences(self.dialect), self.dialect.engine.connect() as plain:
            connection = plain.execution_options(reading=True)
            with connection.begin():
                yield connection


def hold(connection: Connection, fence: Fence) -> None:
    """Whoever takes the stream over waits for this transaction.

    Raises:
        Conflict: Somebody has taken it over.
    """
    table = tables.cursors
    mine = connection.execute(
        update(table)
        .where(table.c.stream == fence.stream, table.c.epoch == fence.epoch)
        .values(epoch=fence.epoch)
    )
    if not mine.rowcount:
        raise lost(fence)


@contextmanager
def sentences(dialect: Dialect) -> Iterator[None]:
    """Errors of the database inside are raised as `StoreError`, with what to do."""
    driver = dialect.engine.dialect.loaded_dbapi.Error
    try:
        yield
    except (SQLAlchemyError, driver) as error:
        fault = dialect.fault(error)
        if fault.of_value:
            raise Unstorable(fault.says) from error
        raise StoreError(fault.says, retryable=fault.passing) from error


def again(work: Callable[Given, Outcome]) -> Callable[Given, Outcome]:
    """The work, tried again when what refused it passes.

    For transactions that may as well happen twice: whether the one that was cut off had been
    committed, nobody can tell.
    """

    @wraps(work)
    def tried(*args: Given.args, **kwargs: Given.kwargs) -> Outcome:
        for pause in PAUSES:
            try:
                return work(*args, **kwargs)
            except StoreError as error:
                if not error.retryable:
                    raise
            time.sleep(pause)
        return work(*args, **kwargs)

    return tried
