"""What breakers look at, in the memory store."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime

from shopflow.domain.policy import MessageClass
from shopflow.errors import FailureReason
from shopflow.store.delivery import ENDED, HOURS_KEPT
from shopflow.store.memory_state import Row, State
from shopflow.store.records import (
    DeliveryState,
    Fate,
    Heard,
    HourOfSends,
    LatestSends,
    StoredMessage,
)


class MemoryTraffic:
    """`Traffic` over dicts."""

    def __init__(self, state: State) -> None:
        self._state = state

    def latest_sends(
        self,
        channel: str,
        classes: Collection[MessageClass],
        *,
        limit: int,
        since: datetime | None = None,
    ) -> LatestSends:
        """See `Traffic`."""
        with self._state.lock:
            ended = [
                row
                for row in self._state.rows.values()
                if _counts(row.stored)
                and row.stored.message.channel == channel
                and row.stored.message.message_class in classes
                and (since is None or row.stored.changed_at > since)
            ]
        ended.sort(key=lambda row: row.stored.changed_at, reverse=True)
        latest = ended[:limit]
        return LatestSends(
            sends=len(latest),
            bounced=sum(_refused(row.stored) or row.fate is Fate.BOUNCED for row in latest),
            complained=sum(row.fate is Fate.COMPLAINED for row in latest),
        )

    def hour_of_sends(self, hour: int) -> dict[str, HourOfSends]:
        """See `Traffic`."""
        found: dict[str, HourOfSends] = {}
        with self._state.lock:
            for (workflow, one), sends in self._state.hours.items():
                if hour - HOURS_KEPT <= one <= hour:
                    have = found.get(workflow, HourOfSends(0, 0))
                    found[workflow] = (
                        have._replace(sends=sends)
                        if one == hour
                        else have._replace(busiest=max(have.busiest, sends))
                    )
        return found

    def resumed(self) -> dict[str, datetime]:
        """See `Traffic`."""
        with self._state.lock:
            return dict(self._state.resumed)


def note_heard(state: State, heard: Iterable[Heard]) -> None:
    """What was heard of each message is kept with it; the first word stays."""
    for one in heard:
        row = state.rows.get(one.message_id) if one.message_id else _newest(state, one)
        if row is not None and row.fate is None:
            state.put_row(replace(row, fate=one.fate))


def _newest(state: State, heard: Heard) -> Row | None:
    theirs = [
        row
        for row in state.rows.values()
        if row.stored.message.customer_id == heard.customer_id
        and row.stored.message.channel == heard.channel
        and row.stored.state in ENDED
    ]
    return max(
        theirs,
        key=lambda row: (row.stored.message.decided_at, row.stored.message.id),
        default=None,
    )


def _counts(stored: StoredMessage) -> bool:
    return stored.state in ENDED and (stored.state is not DeliveryState.FAILED or _refused(stored))


def _refused(stored: StoredMessage) -> bool:
    return stored.state is DeliveryState.FAILED and stored.reason == FailureReason.BAD_ADDRESS
