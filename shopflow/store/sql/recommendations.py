"""The recommendations of the SQL store."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, func, select

from shopflow.domain.recommendation import Ranking, Strategy
from shopflow.store import tables
from shopflow.store.records import StoredEvent
from shopflow.store.sql import rows, shapes
from shopflow.store.sql.database import Database, again
from shopflow.store.tables import instant, micros


class SqlRecommendations:
    """`Recommendations` over the tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def past(self, types: Collection[str]) -> Iterator[StoredEvent]:
        """See `Recommendations`."""
        events, day = tables.events, 0
        while (next_day := self._day_after(day)) is not None:
            day = next_day
            # A transaction a day: nothing is held open while a year is read.
            wanted = (
                select(events)
                .where(events.c.day == day, events.c.type.in_(sorted(types)))
                .order_by(events.c.occurred_at, events.c.id)
            )
            with self._database.reading() as connection:
                found = connection.execute(wanted).mappings().all()
            yield from map(rows.stored_event, found)

    @again
    def keep(self, rankings: Sequence[Ranking], at: datetime) -> None:
        """See `Recommendations`."""
        kept = sorted(
            (
                str(ranking.strategy),
                ranking.key,
                rows.to_json(dict(ranking.scores), f"the ranking {ranking.key}"),
                micros(at),
            )
            for ranking in rankings
        )
        with self._database.writing() as connection:
            self._database.dialect.insert(connection, shapes.RECOMMENDATIONS, kept)

    @again
    def forget(self, before: datetime) -> int:
        """See `Recommendations`."""
        table = tables.recommendations
        with self._database.writing() as connection:
            old = delete(table).where(table.c.computed_at < micros(before))
            return connection.execute(old).rowcount

    def rankings(
        self, strategy: Strategy, keys: Collection[str]
    ) -> Mapping[str, Mapping[str, float]]:
        """See `Recommendations`."""
        table = tables.recommendations
        wanted = select(table.c.key, table.c.scores).where(
            table.c.strategy == str(strategy), table.c.key.in_(sorted(set(keys)))
        )
        with self._database.reading() as connection:
            return {key: rows.from_json(scores) for key, scores in connection.execute(wanted)}

    def products(self, skus: Collection[str]) -> Mapping[str, Mapping[str, object]]:
        """See `Recommendations`."""
        table = tables.products
        wanted = select(table.c.sku, table.c.document).where(table.c.sku.in_(sorted(set(skus))))
        with self._database.reading() as connection:
            return {sku: rows.from_json(document) for sku, document in connection.execute(wanted)}

    def counts(self) -> Mapping[Strategy, int]:
        """See `Recommendations`."""
        table = tables.recommendations
        wanted = select(table.c.strategy, func.count()).group_by(table.c.strategy)
        with self._database.reading() as connection:
            return {Strategy(name): count for name, count in connection.execute(wanted)}

    def computed_at(self) -> datetime | None:
        """See `Recommendations`."""
        newest = select(func.max(tables.recommendations.c.computed_at))
        with self._database.reading() as connection:
            at = connection.execute(newest).scalar()
        return None if at is None else instant(at)

    def _day_after(self, day: int) -> int | None:
        """The first day after this one that has events."""
        events = tables.events
        wanted = select(func.min(events.c.day)).where(events.c.day > day)
        with self._database.reading() as connection:
            found: int | None = connection.execute(wanted).scalar()
        return found
