"""What differs between databases: how one is opened, and how many rows go in and out at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from sqlalchemy import Connection, Engine

from shopflow.store.sql.days import Days
from shopflow.store.sql.faults import Fault
from shopflow.store.sql.shapes import Change, Shape

#: A customer as it is kept: id, next_due_at, state_version, state.
CustomerRow = tuple[str, int | None, int, str]


class Dialect(Protocol):
    """One kind of database."""

    @property
    def engine(self) -> Engine:
        """Its connections; every transaction that begins on one may write."""

    @property
    def name(self) -> str:
        """How people know the database; without a password."""

    @property
    def exists(self) -> bool:
        """False when opening would make it."""

    @property
    def days(self) -> Days | None:
        """The tables of single days, where the database has them."""

    def insert(self, connection: Connection, shape: Shape, rows: Sequence[tuple[Any, ...]]) -> None:
        """The rows are in their table, known keys treated as the shape says.

        An error may show at a later statement, or at the commit.
        """

    def insert_new(
        self, connection: Connection, shape: Shape, rows: Sequence[tuple[Any, ...]]
    ) -> list[bool]:
        """The rows are in their table; which of them were not there before."""

    def change(
        self, connection: Connection, change: Change, rows: Sequence[tuple[Any, ...]]
    ) -> list[str]:
        """The rows that these speak of are changed; the ids of those that were."""

    def customers(
        self, connection: Connection, keys: Sequence[tuple[int, str]], *, to_write: bool
    ) -> Iterable[CustomerRow]:
        """The customers of these keys (partition, id) that exist.

        What is read `to_write`, or found missing, is nobody else's to write before this
        transaction ends.
        """

    def scrub(self) -> None:
        """What was deleted is gone from the files too, where nobody else sees to that."""

    def sync(self) -> None:
        """What was committed is on the disk."""
        ...

    def fault(self, error: Exception) -> Fault:
        """What happened and what to do."""
