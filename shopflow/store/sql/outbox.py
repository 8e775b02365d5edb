"""The delivery side in SQL: each call one transaction, few statements for many messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    update,
)

from shopflow.domain.event import DeliveryReport, Outcome
from shopflow.domain.ids import MessageId
from shopflow.domain.policy import MessageClass
from shopflow.store import tables
from shopflow.store.delivery import MARKETING, TURN, hour_of, ranks, turns
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
from shopflow.store.sql import rows, shapes
from shopflow.store.sql.carrying import tell_row, write_tally, write_tells
from shopflow.store.sql.database import Database, again, hold
from shopflow.store.sql.words import WORDS, key_of, one_each, row_of
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
        with self._database.writing() as connection:
            if fence is not None:
                hold(connection, fence)
            given = (
                None if pace is None else turns(pace, self._next_turn(connection, pace), now, limit)
            )
            held = _covered(connection, channel, sender)
            found: list[Row[Any]] = []
            for stretch in [None] if classes is None else ranks(classes):
                left = (limit if given is None else len(given)) - len(found)
                if left > 0:
                    wanted = _first(channel, held, stretch, left, now)
                    found += _lease(connection, wanted, owner, now, now + lease_for)
            if pace is not None and given and found:
                _set_next(connection, pace, given[len(found) - 1] + pace.distance)
        return [
            LeasedMessage(
                message=rows.message_of(row.message),
                attempt=row.attempts + 1,
                uncertain=row.uncertain,
                turn=given[number] if given is not None else None,
                own_turn=instant(row.next_attempt_at) if row.reason == TURN else None,
            )
            for number, row in enumerate(sorted(found, key=lambda row: row[:3]))
        ]

    @again
    def take_turns(self, pace: Pace, *, count: int, now: datetime) -> list[datetime]:
        """See `Outbox`."""
        with self._database.writing() as connection:
            first = max(now, self._next_turn(connection, pace))
            _set_next(connection, pace, first + count * pace.distance)
        return [first + number * pace.distance for number in range(count)]

    @again
    def record(
        self,
        *,
        owner: str,
        settled: Sequence[Settled] = (),
        retries: Sequence[Retry] = (),
        begun: Sequence[Begun] = (),
    ) -> set[MessageId]:
        """See `Outbox`."""
        changed: set[MessageId] = set()
        told: list[Settled] = []
        with self._database.writing() as connection:
            for words in one_each((*settled, *retries, *begun)):
                kept = [row_of(owner, word) for word in words]
                found = set(self._database.dialect.change(connection, WORDS, kept))
                changed.update(map(MessageId, found))
                told += [w for w in words if isinstance(w, Settled) and key_of(w) in found]
            self._pass_on(connection, told)
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

    @again
    def in_hand(self) -> bool:
        """See `Outbox`."""
        # Spelt out as the index of just these states has it, so that it answers.
        states = [DeliveryState.LEASED.value, DeliveryState.ATTEMPTED.value]
        spelt: BindParameter[list[str]] = bindparam("states", states, literal_execute=True)
        held = select(_T.c.id).where(_T.c.state.in_(spelt)).limit(1)
        with self._database.reading() as connection:
            return connection.execute(held).first() is not None

    def _next_turn(self, connection: Connection, pace: Pace) -> datetime:
        """The first turn that nobody has been given; nobody is given it before we are done."""
        table = tables.paces
        # A row that is not there cannot be locked.
        self._database.dialect.insert(connection, shapes.PACES, [(pace.name, 0)])
        wanted = select(table.c.next_at).where(table.c.name == pace.name).with_for_update()
        return instant(connection.execute(wanted).scalar_one())

    def _pass_on(self, connection: Connection, words: Sequence[Settled]) -> None:
        tally = Tally(self._database.partition_of)
        told = []
        for word in words:
            tally.add_settled(word)
            told.append(tell_row(self._database, word.report.message.customer_id, word.report))
        write_tells(self._database, connection, told)
        write_tally(self._database, connection, tally)
        accepted = [word.report for word in words if word.report.outcome is Outcome.ACCEPTED]
        sends = Counter((report.message.workflow, hour_of(report.at)) for report in accepted)
        hours = [(*key, count) for key, count in sorted(sends.items())]
        self._database.dialect.insert(connection, shapes.HOURS, hours)


def _first(
    channel: str,
    held: ColumnElement[bool],
    stretch: tuple[int, int] | None,
    limit: int,
    now: datetime,
) -> Select[tuple[str]]:
    """The first messages that may go, of a stretch of the outbox."""
    found = (
        select(_T.c.id)
        .where(_T.c.channel == channel, _T.c.state == _QUEUED)
        .where(_T.c.next_attempt_at <= micros(now))
        .where(~held)
        .order_by(_T.c.rank, _T.c.decided_at, _T.c.id)
        .limit(limit)
        # What another deliverer is looking at just now is left to it.
        .with_for_update(skip_locked=True)
    )
    return found if stretch is None else found.where(_T.c.rank.between(*stretch))


def _lease(
    connection: Connection, wanted: Select[tuple[str]], owner: str, now: datetime, until: datetime
) -> Sequence[Row[Any]]:
    first = wanted.cte("first")
    return connection.execute(
        update(_T)
        .where(_T.c.id.in_(select(first.c.id)))
        .values(
            state=DeliveryState.LEASED.value,
            lease_owner=owner,
            lease_until=micros(until),
            changed_at=micros(now),
        )
        .returning(
            _T.c.rank,
            _T.c.decided_at,
            _T.c.id,
            _T.c.attempts,
            _T.c.uncertain,
            _T.c.reason,
            _T.c.next_attempt_at,
            _T.c.message,
        )
    ).all()


def _set_next(connection: Connection, pace: Pace, at: datetime) -> None:
    table = tables.paces
    connection.execute(update(table).where(table.c.name == pace.name).values(next_at=micros(at)))


def _covered(connection: Connection, channel: str, sender: str) -> ColumnElement[bool]:
    """What a pause that is on holds back, of the messages of this channel."""
    switches = tables.pauses
    on = select(switches.c.scope).where(switches.c.resumed_at.is_(None))
    scopes = set(connection.execute(on).scalars())
    if scopes & {"all", f"channel:{channel}", f"sender:{channel}/{sender}"}:
        return _T.c.state == _QUEUED
    workflows = [one.partition(":")[2] for one in scopes if one.startswith("workflow:")]
    covered = _T.c.workflow.in_(workflows)
    return or_(covered, _T.c["class"].in_(MARKETING)) if "marketing" in scopes else covered
