"""What breakers look at, in SQL: how the latest sends ended, and how many an hour has."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import BindParameter, Connection, and_, bindparam, case, func, or_, select, update

from shopflow.domain.policy import MessageClass
from shopflow.errors import FailureReason
from shopflow.store import tables
from shopflow.store.delivery import ENDED, HOURS_KEPT
from shopflow.store.records import DeliveryState, Fate, Heard, HourOfSends, LatestSends
from shopflow.store.sql.database import Database, again
from shopflow.store.tables import instant, micros

_T = tables.messages
_REFUSED = and_(_T.c.state == DeliveryState.FAILED, _T.c.reason == FailureReason.BAD_ADDRESS)


def _spelt() -> BindParameter[list[str]]:
    """The states as the index of just these has them, so that it answers."""
    states = [state.value for state in DeliveryState if state in ENDED]
    return bindparam("states", states, literal_execute=True)


class SqlTraffic:
    """`Traffic` over the tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @again
    def latest_sends(
        self,
        channel: str,
        classes: Collection[MessageClass],
        *,
        limit: int,
        since: datetime | None = None,
    ) -> LatestSends:
        """See `Traffic`."""
        after = micros(since) if since is not None else 0
        found: list[tuple[int, bool, bool]] = []
        with self._database.reading() as connection:
            # One class after the other, each read from the end of its own stretch of the index.
            for one in sorted(classes):
                newest = (
                    select(
                        _T.c.changed_at,
                        or_(_REFUSED, _T.c.fate == Fate.BOUNCED),
                        _T.c.fate == Fate.COMPLAINED,
                    )
                    .where(_T.c.channel == channel, _T.c["class"] == one.value)
                    .where(_T.c.state.in_(_spelt()))
                    .where(_T.c.changed_at > after)
                    .where(or_(_T.c.state != DeliveryState.FAILED, _REFUSED))
                    .order_by(_T.c.changed_at.desc())
                    .limit(limit)
                )
                found += [(at, bool(b), bool(c)) for at, b, c in connection.execute(newest)]
        latest = sorted(found, reverse=True)[:limit]
        return LatestSends(
            sends=len(latest),
            bounced=sum(bounced for _, bounced, _ in latest),
            complained=sum(complained for _, _, complained in latest),
        )

    @again
    def hour_of_sends(self, hour: int) -> dict[str, HourOfSends]:
        """See `Traffic`."""
        table = tables.hours
        now = func.coalesce(func.sum(case((table.c.hour == hour, table.c.sends))), 0)
        before = func.coalesce(func.max(case((table.c.hour < hour, table.c.sends))), 0)
        wanted = (
            select(table.c.workflow, now, before)
            .where(table.c.hour.between(hour - HOURS_KEPT, hour))
            .group_by(table.c.workflow)
        )
        with self._database.reading() as connection:
            return {name: HourOfSends(int(s), int(b)) for name, s, b in connection.execute(wanted)}

    @again
    def resumed(self) -> dict[str, datetime]:
        """See `Traffic`."""
        table = tables.pauses
        off = select(table.c.scope, table.c.resumed_at).where(table.c.resumed_at.is_not(None))
        with self._database.reading() as connection:
            return {scope: instant(at) for scope, at in connection.execute(off)}


def note_heard(connection: Connection, heard: Iterable[Heard]) -> None:
    """What was heard of each message is kept with it; the first word stays."""
    for one in heard:
        key: str | None = one.message_id or None
        if key is None:
            newest = (
                select(_T.c.id)
                .where(_T.c.customer_id == one.customer_id, _T.c.channel == one.channel)
                .where(_T.c.state.in_([state.value for state in sorted(ENDED)]))
                .order_by(_T.c.decided_at.desc(), _T.c.id.desc())
                .limit(1)
            )
            key = connection.execute(newest).scalar()
        connection.execute(
            update(_T).where(_T.c.id == key, _T.c.fate == "").values(fate=one.fate.value)
        )
