"""Transactions on a database, with the driver's errors turned into sentences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from shopflow.errors import StoreError
from shopflow.store.sql.dialect import Dialect
from shopflow.store.tally import partition_of


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


@contextmanager
def sentences(dialect: Dialect) -> Iterator[None]:
    """Errors of the database inside are raised as `StoreError`, with what to do."""
    driver = dialect.engine.dialect.loaded_dbapi.Error
    try:
        yield
    except (SQLAlchemyError, driver) as error:
        raise StoreError(dialect.explain(error)) from error
