"""What differs between databases: how one is opened, and how many rows go in and out at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import Connection, Engine

from shopflow.store.sql.shapes import Shape

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

    def insert(self, connection: Connection, shape: Shape, rows: Sequence[tuple[Any, ...]]) -> None:
        """The rows are in their table, known keys treated as the shape says."""

    def insert_new(
        self, connection: Connection, shape: Shape, rows: Sequence[tuple[Any, ...]]
    ) -> list[bool]:
        """The rows are in their table; which of them were not there before."""

    def customers(
        self, connection: Connection, keys: Sequence[tuple[int, str]], *, to_write: bool
    ) -> Sequence[CustomerRow]:
        """The customers of these keys (partition, id) that exist.

        What is read `to_write` is nobody else's to write before this transaction ends.
        """

    def explain(self, error: Exception) -> str:
        """What happened and what to do, in a sentence."""
