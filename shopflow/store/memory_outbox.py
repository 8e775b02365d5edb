"""The delivery side of the memory store."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from shopflow.domain.event import DeliveryReport, Outcome
from shopflow.domain.ids import MessageId
from shopflow.domain.policy import MessageClass
from shopflow.store.delivery import AFTER, IN_HAND, OPEN, TURN, covered, hour_of, rank, turns
from shopflow.store.memory_state import Row, State
from shopflow.store.records import (
    PENDING,
    Begun,
    DeliveryState,
    Fence,
    LeasedMessage,
    Pace,
    Recovered,
    Retry,
    Settled,
)


class MemoryOutbox:
    """An `Outbox` over dicts."""

    def __init__(self, state: State) -> None:
        self._state = state

    def lease(
        self,
        channel: str,
        *,
        limit: int,
        now: datetime,
        owner: str,
        lease_for: timedelta,
        classes: Collection[MessageClass] | None = None,
        sender: str = "",
        pace: Pace | None = None,
        fence: Fence | None = None,
    ) -> list[LeasedMessage]:
        """See `Outbox`."""
        state = self._state
        with state.changing():
            if fence is not None:
                state.hold(fence)
            given = (
                None if pace is None else turns(pace, state.paces.get(pace.name, now), now, limit)
            )
            scopes = set(state.pauses)
            ready = (
                row
                for row in state.queued.values()
                if row.stored.message.channel == channel
                and (classes is None or row.stored.message.message_class in classes)
                and row.stored.next_attempt_at is not None
                and row.stored.next_attempt_at <= now
                and not covered(row.stored.message, scopes)
                and f"sender:{channel}/{sender}" not in scopes
            )
            most = limit if given is None else len(given)
            chosen = heapq.nsmallest(most, ready, key=_order)
            if pace is not None and given and chosen:
                state.put(state.paces, pace.name, given[len(chosen) - 1] + pace.distance)
            for row in chosen:
                stored = replace(row.stored, state=DeliveryState.LEASED, changed_at=now)
                held = replace(row, stored=stored, owner=owner, lease_until=now + lease_for)
                state.put_row(held)
        return [
            LeasedMessage(
                message=row.stored.message,
                attempt=row.stored.attempts + 1,
                uncertain=row.stored.uncertain,
                turn=given[number] if given is not None else None,
                own_turn=row.stored.next_attempt_at if row.stored.reason == TURN else None,
            )
            for number, row in enumerate(chosen)
        ]

    def take_turns(self, pace: Pace, *, count: int, now: datetime) -> list[datetime]:
        """See `Outbox`."""
        with self._state.changing():
            first = max(now, self._state.paces.get(pace.name, now))
            self._state.put(self._state.paces, pace.name, first + count * pace.distance)
        return [first + number * pace.distance for number in range(count)]

    def record(
        self,
        *,
        owner: str,
        settled: Sequence[Settled] = (),
        retries: Sequence[Retry] = (),
        begun: Sequence[Begun] = (),
    ) -> set[MessageId]:
        """See `Outbox`."""
        changed = set()
        with self._state.changing() as tally:
            for word in settled:
                if self._settle(owner, word):
                    tally.add_settled(word)
                    changed.add(word.report.message.id)
            changed |= {word.message_id for word in retries if self._retry(owner, word)}
            changed |= {word.message_id for word in begun if self._begin(owner, word)}
        return changed

    def recover(
        self,
        *,
        now: datetime,
        resend: Collection[str],
        owner: str | None = None,
        channel: str | None = None,
    ) -> Recovered:
        """See `Outbox`."""
        state = self._state
        requeued, resent, held = 0, [], []
        with state.changing() as tally:
            for row in list(state.rows.values()):
                message = row.stored.message
                if not _left(row, now, owner) or channel not in {None, message.channel}:
                    continue
                if row.stored.state is DeliveryState.LEASED:
                    state.move(row, DeliveryState.QUEUED, now)
                    requeued += 1
                    continue
                doubtful = _doubted(row)
                if message.channel in resend:
                    resent.append(state.move(doubtful, DeliveryState.QUEUED, now).stored)
                else:
                    held.append(state.move(doubtful, DeliveryState.UNCERTAIN, now).stored)
                    report = DeliveryReport(message=message, outcome=Outcome.UNCERTAIN, at=now)
                    state.tell(message.customer_id, report)
                    tally.add_settled(Settled(report=report))
        return Recovered(requeued=requeued, resent=tuple(resent), held=tuple(held))

    def pending(self) -> int:
        """See `Outbox`."""
        with self._state.lock:
            return sum(row.stored.state in PENDING for row in self._state.rows.values())

    def next_attempt_at(self) -> datetime | None:
        """See `Outbox`."""
        with self._state.lock:
            times = (row.stored.next_attempt_at for row in self._state.queued.values())
            return min((at for at in times if at is not None), default=None)

    def in_hand(self) -> bool:
        """See `Outbox`."""
        with self._state.lock:
            return any(row.stored.state in IN_HAND for row in self._state.rows.values())

    def _settle(self, owner: str, word: Settled) -> bool:
        report = word.report
        row = self._state.rows.get(report.message.id)
        if row is None or not _may_settle(row, owner, report.outcome):
            return False
        moved = self._state.move(row, AFTER[report.outcome], report.at, report.reason)
        doubt = int(report.outcome is Outcome.UNCERTAIN)
        accepted = report.outcome is Outcome.ACCEPTED
        final = replace(
            moved.stored,
            message=report.message if accepted else moved.stored.message,
            provider_id=word.provider_id,
            uncertain=moved.stored.uncertain + doubt,
            next_attempt_at=None,
        )
        self._state.put_row(replace(row, stored=final, owner="", lease_until=None))
        if accepted:
            hour = report.message.workflow, hour_of(report.at)
            self._state.put(self._state.hours, hour, self._state.hours.get(hour, 0) + 1)
        self._state.tell(report.message.customer_id, report)
        return True

    def _begin(self, owner: str, begun: Begun) -> bool:
        row = self._state.rows.get(begun.message_id)
        if row is None or row.owner != owner or row.stored.state is not DeliveryState.LEASED:
            return False
        attempted = replace(
            row.stored,
            state=DeliveryState.ATTEMPTED,
            attempts=row.stored.attempts + 1,
            changed_at=begun.at,
        )
        self._state.put_row(replace(row, stored=attempted))
        return True

    def _retry(self, owner: str, retry: Retry) -> bool:
        row = self._state.rows.get(retry.message_id)
        if row is None or not _held_by(row, owner):
            return False
        moved = self._state.move(
            row, DeliveryState.QUEUED, row.stored.changed_at, retry.reason
        ).stored
        later = replace(
            moved, next_attempt_at=retry.at, uncertain=moved.uncertain + retry.uncertain
        )
        self._state.put_row(Row(stored=later))
        return True


def _order(row: Row) -> tuple[int, datetime, MessageId]:
    message = row.stored.message
    return rank(message), message.decided_at, message.id


def _held_by(row: Row, owner: str) -> bool:
    return row.stored.state in IN_HAND and row.owner == owner


def _may_settle(row: Row, owner: str, outcome: Outcome) -> bool:
    return _held_by(row, owner) or (outcome is Outcome.ACCEPTED and row.stored.state in OPEN)


def _left(row: Row, now: datetime, owner: str | None) -> bool:
    return row.lease_until is not None and (row.lease_until <= now or row.owner == owner)


def _doubted(row: Row) -> Row:
    return replace(row, stored=replace(row.stored, uncertain=row.stored.uncertain + 1))
