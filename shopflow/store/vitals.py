"""What a store can say of itself at little cost, however much it keeps: for metrics and status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shopflow.store.deployments import Deployment
from shopflow.store.records import DeliveryState, Pause, StatKey, StatRow, StreamPosition

#: States that are looked at: what may still leave, and what waits for a person.
OPEN = (
    DeliveryState.QUEUED,
    DeliveryState.LEASED,
    DeliveryState.ATTEMPTED,
    DeliveryState.UNCERTAIN,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxDepth:
    """How many messages of a channel are in a state, and when the oldest was decided."""

    channel: str
    state: DeliveryState
    count: int
    oldest_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """Which rules were deployed last."""

    digest: str
    deployed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreVitals:
    """One consistent look at what waits and what is wrong."""

    outbox: tuple[OutboxDepth, ...] = ()
    inbox: int = 0
    #: The earliest timer of all customers.
    next_due_at: datetime | None = None
    dead_letters: Mapping[str, int] = field(default_factory=dict)
    cursors: tuple[StreamPosition, ...] = ()
    pauses: tuple[Pause, ...] = ()
    revision: Revision | None = None
    #: What was deployed last; None where rules come from a folder.
    live: Deployment | None = None


def summed(rows: Iterable[StatRow]) -> list[StatRow]:
    """The statistics with all days, partitions, versions, steps and variants together."""
    sums: dict[StatKey, StatRow] = {}
    for row in rows:
        of = row.key
        key = StatKey(0, 0, workflow=of.workflow, channel=of.channel, result=of.result)
        sofar = sums.get(key)
        sums[key] = StatRow(
            key=key,
            count=row.count + (sofar.count if sofar else 0),
            value=row.value + (sofar.value if sofar else 0),
            cost=row.cost + (sofar.cost if sofar else 0),
        )
    return [row for _, row in sorted(sums.items())]
