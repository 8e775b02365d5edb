"""The delivery side in SQL: each call one transaction, few messages, so plain Core statements."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select, update

from shopflow.domain.event import DeliveryReport, Outcome
from shopflow.domain.ids import MessageId
from shopflow.store import tables
from shopflow.store.delivery import AFTER, IN_HAND, MARKETING, OPEN
from shopflow.store.records import (
    PENDING,
    DeliveryState,
    LeasedMessage,
    Recovered,
    Retry,
    Settled,
)
from shopflow.store.sql import rows
from shopflow.store.sql.carrying import tell_row, write_tally, write_tells
from shopflow.store.sql.database import Database, again
from shopflow.store.tables import instant, micros
from shopflow.store.tally import Tally

_T = tables.messages
_QUEUED = DeliveryState.QUEUED.value
_FREE = {"lease_owner": "", "lease_until": None}


class SqlOutbox:
    """An `Outbox` over the table of messages."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @again
    def lease(
        self, channel: str, *, limit: int, now: datetime, owner: str, lease_for: timedelta
    ) -> list[LeasedMessage]:
        """See `Outbox`."""
        with self._database.writing() as connection:
            first = (
                select(_T.c.id)
                .where(_T.c.channel == channel, _T.c.state == _QUEUED)
                .where(_T.c.next_attempt_at <= micros(now))
                .where(~_covered(connection, channel))
                .order_by(_T.c.rank, _T.c.decided_at, _T.c.id)
                .limit(limit)
                # What another deliverer is looking at just now is left to it.
                .with_for_update(skip_locked=True)
                .cte("first")
            )
            leased = connection.execute(
                update(_T)
                .where(_T.c.id.in_(select(first.c.id)))
                .values(
                    state=DeliveryState.LEASED.value,
                    lease_owner=owner,
                    lease_until=micros(now + lease_for),
                    changed_at=micros(now),
                )
                .returning(
                    _T.c.rank, _T.c.decided_at, _T.c.id, _T.c.attempts, _T.c.uncertain, _T.c.message
                )
            )
            return [
                LeasedMessage(
                    message=rows.message_of(text), attempt=attempts + 1, uncertain=uncertain
                )
                for _, _, _, attempts, uncertain, text in sorted(leased)
            ]

    @again
    def start_attempt(
        self, ids: Sequence[MessageId], *, owner: str, now: datetime
    ) -> set[MessageId]:
        """See `Outbox`."""
        with self._database.writing() as connection:
            begun = connection.execute(
                update(_T)
                .where(_T.c.id.in_(ids), _T.c.lease_owner == owner)
                .where(_T.c.state == DeliveryState.LEASED.value)
                .values(
                    state=DeliveryState.ATTEMPTED.value,
                    attempts=_T.c.attempts + 1,
                    changed_at=micros(now),
                )
                .returning(_T.c.id)
            )
            return {MessageId(key) for key in begun.scalars()}

    @again
    def record(
        self, *, owner: str, settled: Sequence[Settled] = (), retries: Sequence[Retry] = ()
    ) -> set[MessageId]:
        """See `Outbox`."""
        changed = set()
        with self._database.writing() as connection:
            words = [
                word
                for word in sorted(settled, key=lambda word: word.report.message.id)
                if _settle(connection, owner, word)
            ]
            self._pass_on(connection, words)
            changed |= {word.report.message.id for word in words}
            changed |= {
                retry.message_id
                for retry in sorted(retries, key=lambda retry: retry.message_id)
                if _retry(connection, owner, retry)
            }
        return changed

    @again
    def recover(
        self,
        *,
        now: datetime,
        resend: Collection[str],
        owner: str | None = None,
        channel: str | None = None,
    ) -> Recovered:
        """See `Outbox`."""
        left: ColumnElement[bool] = _T.c.lease_until <= micros(now)
        if owner is not None:
            left = or_(left, _T.c.lease_owner == owner)
        if channel is not None:
            left = and_(left, _T.c.channel == channel)
        with self._database.writing() as connection:
            requeued = connection.execute(
                update(_T)
                .where(_T.c.state == DeliveryState.LEASED.value, left)
                .values(state=_QUEUED, changed_at=micros(now), **_FREE)
            ).rowcount
            doubtful = connection.execute(
                update(_T)
                .where(_T.c.state == DeliveryState.ATTEMPTED.value, left)
                .values(
                    state=case(
                        (_T.c.channel.in_(resend), _QUEUED), else_=DeliveryState.UNCERTAIN.value
                    ),
                    uncertain=_T.c.uncertain + 1,
                    reason="",
                    changed_at=micros(now),
                    **_FREE,
                )
                .returning(_T)
            ).mappings()
            found = sorted(map(rows.stored_message, doubtful), key=lambda each: each.message.id)
            held = [each for each in found if each.state is DeliveryState.UNCERTAIN]
            reports = (
                DeliveryReport(message=each.message, outcome=Outcome.UNCERTAIN, at=now)
                for each in held
            )
            self._pass_on(connection, [Settled(report=report) for report in reports])
        resent = tuple(each for each in found if each.state is DeliveryState.QUEUED)
        return Recovered(requeued=requeued, resent=resent, held=tuple(held))

    @again
    def pending(self) -> int:
        """See `Outbox`."""
        waiting = _T.c.state.in_([state.value for state in PENDING])
        with self._database.reading() as connection:
            return connection.execute(select(func.count()).where(waiting)).scalar_one()

    @again
    def next_attempt_at(self) -> datetime | None:
        """See `Outbox`."""
        first = select(func.min(_T.c.next_attempt_at)).where(_T.c.state == _QUEUED)
        with self._database.reading() as connection:
            kept = connection.execute(first).scalar_one()
        return None if kept is None else instant(kept)

    def _pass_on(self, connection: Connection, words: Iterable[Settled]) -> None:
        tally = Tally(self._database.partition_of)
        told = []
        for word in words:
            tally.add_settled(word)
            told.append(tell_row(self._database, word.report.message.customer_id, word.report))
        write_tells(self._database, connection, told)
        write_tally(self._database, connection, tally)


def _covered(connection: Connection, channel: str) -> ColumnElement[bool]:
    """What a pause that is on holds back, of the messages of this channel."""
    scopes = set(connection.execute(select(tables.pauses.c.scope)).scalars())
    if "all" in scopes or f"channel:{channel}" in scopes:
        return _T.c.state == _QUEUED
    workflows = [scope.removeprefix("workflow:") for scope in scopes if ":" in scope]
    covered = _T.c.workflow.in_(workflows)
    return or_(covered, _T.c["class"].in_(MARKETING)) if "marketing" in scopes else covered


def _in_hand(owner: str) -> ColumnElement[bool]:
    return and_(_T.c.state.in_([state.value for state in IN_HAND]), _T.c.lease_owner == owner)


def _settle(connection: Connection, owner: str, word: Settled) -> bool:
    report = word.report
    may = _in_hand(owner)
    kept: dict[str, object] = {}
    if report.outcome is Outcome.ACCEPTED:
        may = or_(may, _T.c.state.in_([state.value for state in OPEN]))
        kept["message"] = rows.message_json(report.message)
    done = connection.execute(
        update(_T)
        .where(_T.c.id == report.message.id, may)
        .values(
            state=AFTER[report.outcome].value,
            reason=report.reason,
            provider_id=word.provider_id,
            uncertain=_T.c.uncertain + int(report.outcome is Outcome.UNCERTAIN),
            next_attempt_at=None,
            changed_at=micros(report.at),
            **_FREE,
            **kept,
        )
    )
    return done.rowcount > 0


def _retry(connection: Connection, owner: str, retry: Retry) -> bool:
    done = connection.execute(
        update(_T)
        .where(_T.c.id == retry.message_id, _in_hand(owner))
        .values(
            state=_QUEUED,
            reason=retry.reason,
            next_attempt_at=micros(retry.at),
            uncertain=_T.c.uncertain + int(retry.uncertain),
            **_FREE,
        )
    )
    return done.rowcount > 0
