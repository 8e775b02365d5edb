"""Counting what waits in the SQL store: by partial indexes, so that what has served costs nothing.

The sums over the statistics are the one look that grows with time; whoever asks often asks for the
last days only.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select, text

from shopflow.store import tables
from shopflow.store.deployments import Deployment
from shopflow.store.records import DeliveryState, StatKey, StatRow, StreamPosition
from shopflow.store.sql.carrying import FOREVER, timers
from shopflow.store.sql.rows import deployment
from shopflow.store.tables import instant
from shopflow.store.tally import stat_row
from shopflow.store.vitals import OutboxDepth, Revision

#: Written as the partial indexes have them, so that they are used.
_LOOKS = (
    "state = 'queued'",
    "state IN ('leased', 'attempted')",
    "uncertain > 0 AND state = 'uncertain'",
)

#: The order of deployed revisions.
NEWEST_FIRST = (tables.rulesets.c.deployed_at.desc(), tables.rulesets.c.digest)


def counts(connection: Connection, partitions: int) -> dict[str, Any]:
    """The fields of `StoreVitals` that are counted here."""
    letters = tables.dead_letters
    by_reason = select(letters.c.reason, func.count()).group_by(letters.c.reason)
    first = connection.execute(timers(partitions, None), {"until": FOREVER, "most": 1}).first()
    return {
        "outbox": tuple(_outbox(connection)),
        "inbox": connection.execute(select(func.count()).select_from(tables.inbox)).scalar_one(),
        "next_due_at": None if first is None else instant(first[0]),
        "dead_letters": dict(connection.execute(by_reason).all()),
        "revision": newest_revision(connection),
        "live": newest_deployment(connection),
    }


def sums(connection: Connection, since: int, before: int) -> list[StatRow]:
    """The statistics of the days from `since` to before `before`, by what `summed` keeps."""
    table = tables.stats
    kept = (table.c.workflow, table.c.channel, table.c.result)
    wanted = (
        select(*kept, *(func.sum(each) for each in (table.c.count, table.c.value, table.c.cost)))
        .where(table.c.day >= since, table.c.day < before)
        .group_by(*kept)
        .order_by(*kept)
    )
    return [
        stat_row(
            StatKey(0, 0, workflow=workflow, channel=channel, result=result), map(int, figures)
        )
        for workflow, channel, result, *figures in connection.execute(wanted)
    ]


def _outbox(connection: Connection) -> list[OutboxDepth]:
    table = tables.messages
    found = []
    for look in _LOOKS:
        wanted = (
            select(table.c.channel, table.c.state, func.count(), func.min(table.c.decided_at))
            .where(text(look))
            .group_by(table.c.channel, table.c.state)
        )
        found += [
            OutboxDepth(
                channel=channel, state=DeliveryState(state), count=count, oldest_at=instant(oldest)
            )
            for channel, state, count, oldest in connection.execute(wanted)
        ]
    return sorted(found, key=lambda depth: (depth.channel, depth.state))


def newest_revision(connection: Connection) -> Revision | None:
    """Which rules were deployed last, without their document, which may be megabytes."""
    table = tables.rulesets
    newest = select(table.c.digest, table.c.deployed_at).order_by(*NEWEST_FIRST).limit(1)
    row = connection.execute(newest).first()
    return None if row is None else Revision(digest=row[0], deployed_at=instant(row[1]))


def newest_deployment(connection: Connection) -> Deployment | None:
    """What was deployed last."""
    table = tables.deployments
    row = connection.execute(select(table).order_by(table.c.number.desc()).limit(1)).first()
    return None if row is None else deployment(row)


def cursors(connection: Connection) -> list[StreamPosition]:
    """How far each stream has been read."""
    table = tables.cursors
    return [
        StreamPosition(
            stream=row.stream,
            epoch=row.epoch,
            position=row.position,
            read_to=None if row.read_to is None else instant(row.read_to),
        )
        for row in connection.execute(select(table).order_by(table.c.stream))
    ]
