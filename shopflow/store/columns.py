"""Columns and indexes as the tables use them, and instants as they are kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Text
from sqlalchemy import text as sql

metadata = MetaData()

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

#: A row number that the database gives.
Seq = BigInteger().with_variant(Integer, "sqlite")


def partial(name: str, *columns: str, where: str) -> Index:
    """An index of the rows for which the condition holds."""
    return Index(name, *columns, sqlite_where=sql(where), postgresql_where=sql(where))


def micros(at: datetime) -> int:
    """An instant as it is kept."""
    return (at - _EPOCH) // _MICROSECOND


def instant(kept: int) -> datetime:
    """The instant that is kept so."""
    return _EPOCH + timedelta(0, 0, kept)


def text(name: str) -> Column[str]:
    """A text that is there."""
    return Column(name, Text, nullable=False)


def whole(name: str) -> Column[int]:
    """A whole number that is there."""
    return Column(name, BigInteger, nullable=False)


def maybe(name: str) -> Column[int]:
    """A whole number or nothing."""
    return Column(name, BigInteger, nullable=True)
