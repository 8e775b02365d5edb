"""The codes of coupons in SQL: pools, codes taken ahead, and what a batch does with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import assert_never

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, case, delete, func, or_, select
from sqlalchemy import update as update_of

from shopflow.domain.coupon import CodeInHand, CodeState, Redeem, Reserve, Settle, is_made
from shopflow.domain.journal import CodeChange
from shopflow.store import tables
from shopflow.store.codes import Imported, NewCode, PoolStatus, StoredCode
from shopflow.store.sql import rows, shapes
from shopflow.store.sql.database import Database, again
from shopflow.store.tables import instant, micros

_T = tables.coupons
_FREE, _TAKEN = CodeState.FREE.value, CodeState.TAKEN.value
_RESERVED = CodeState.RESERVED.value
_NOBODYS = {"owner": "", "taken_until": None, "draw": None, "customer_id": "", "promised": None}
#: Codes that one transaction imports, and that one read brings.
PART = 2_000


class SqlCodes:
    """`Codes` over the table of coupons."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, pool: str, codes: Iterable[NewCode], *, now: datetime) -> Imported:
        """See `Codes`."""
        new = known = 0
        waiting = iter(codes)
        while part := list(islice(waiting, PART)):
            news = self._add_part(pool, part, now)
            new += sum(news)
            known += len(news) - sum(news)
        return Imported(new, known)

    @again
    def _add_part(self, pool: str, part: Sequence[NewCode], now: datetime) -> list[bool]:
        made = sorted(
            _row(pool, code, CodeState.FREE, changed_at=now, ends_at=ends_at)
            for code, ends_at in dict(part).items()
        )
        with self._database.writing() as connection:
            news = self._database.dialect.insert_new(connection, shapes.COUPONS, made)
        # One that stands twice in the part was known when it came again.
        return [*news, *[False] * (len(part) - len(made))]

    @again
    def take(
        self, pool: str, *, limit: int, owner: str, now: datetime, until: datetime
    ) -> list[CodeInHand]:
        """See `Codes`."""
        with self._database.writing() as connection:
            first = (
                select(_T.c.code)
                .where(_T.c.pool == pool, _is_free(now), _lasts(now))
                .order_by(_T.c.code)
                .limit(limit)
                # What another process is taking just now is left to it.
                .with_for_update(skip_locked=True)
                .cte("first")
            )
            taken = connection.execute(
                update_of(_T)
                .where(_T.c.pool == pool, _T.c.code.in_(select(first.c.code)))
                .values(
                    state=_TAKEN, owner=owner, taken_until=micros(until), changed_at=micros(now)
                )
                .returning(_T.c.code, _T.c.ends_at)
            )
            found = sorted((str(code), ends_at) for code, ends_at in taken)
        return [CodeInHand(code=code, ends_at=_maybe(ends_at)) for code, ends_at in found]

    @again
    def give_back(self, owner: str) -> int:
        """See `Codes`."""
        with self._database.writing() as connection:
            return connection.execute(
                update_of(_T)
                .where(_T.c.state == _TAKEN, _T.c.owner == owner)
                .values(state=_FREE, **_NOBODYS)
            ).rowcount

    @again
    def pools(self, *, now: datetime) -> list[PoolStatus]:
        """See `Codes`."""
        free = _T.c.state.in_([_FREE, _TAKEN])
        ended = and_(free, ~_lasts(now))
        state = case((_T.c.state == _TAKEN, _FREE), else_=_T.c.state).label("shown")
        counted = (
            select(
                _T.c.pool,
                state,
                func.count().label("count"),
                func.sum(case((ended, 1), else_=0)).label("ended"),
                func.min(case((and_(free, _lasts(now)), _T.c.ends_at))).label("next_end"),
            )
            .group_by(_T.c.pool, state)
            .order_by(_T.c.pool)
        )
        found: dict[str, PoolStatus] = {}
        with self._database.reading() as connection:
            for row in connection.execute(counted).mappings():
                known = found.get(row["pool"], PoolStatus(pool=row["pool"]))
                found[row["pool"]] = PoolStatus(
                    pool=known.pool,
                    counts={**known.counts, CodeState(row["shown"]): row["count"]},
                    ended=known.ended + row["ended"],
                    next_end=known.next_end or _maybe(row["next_end"]),
                )
        return list(found.values())

    def of_pool(self, pool: str) -> Iterator[StoredCode]:
        """See `Codes`."""
        after = ""
        while page := self._page(pool, after):
            yield from page
            after = page[-1].code

    @again
    def _page(self, pool: str, after: str) -> list[StoredCode]:
        page = select(_T).where(_T.c.pool == pool, _T.c.code > after).order_by(_T.c.code)
        with self._database.reading() as connection:
            return [_stored(row) for row in connection.execute(page.limit(PART)).mappings()]


def change(
    database: Database, connection: Connection, changes: Iterable[CodeChange], owner: str
) -> list[Reserve]:
    """Carries out the changes in order; returns what could not be reserved."""
    refused = []
    for one in changes:
        match one:
            case Reserve():
                reserve = _make if is_made(one.drawn.pool) else _bind
                if not reserve(database, connection, one, owner):
                    refused.append(one)
            case Settle():
                _settle(connection, one)
            case Redeem():
                _redeem(connection, one)
            case _:
                assert_never(one)
    return refused


def _make(database: Database, connection: Connection, wanted: Reserve, owner: str) -> bool:
    """Enter a code that a pattern made; False when somebody else has it."""
    del owner
    drawn = wanted.drawn
    row = _row(
        drawn.pool,
        drawn.code,
        CodeState.RESERVED,
        changed_at=drawn.at,
        draw=drawn.draw,
        customer_id=wanted.customer_id,
        promised=drawn.ends_at,
    )
    if all(database.dialect.insert_new(connection, shapes.COUPONS, [row])):
        return True
    here = (_T.c.pool == drawn.pool, _T.c.code == drawn.code)
    return connection.execute(select(_T.c.draw).where(*here)).scalar_one_or_none() == drawn.draw


def _bind(database: Database, connection: Connection, wanted: Reserve, owner: str) -> bool:
    """Bind a code that was taken ahead; False when it is in another hand by now."""
    del database
    drawn = wanted.drawn
    in_hand = and_(_T.c.state == _TAKEN, _T.c.owner == owner)
    bound = connection.execute(
        update_of(_T)
        .where(_T.c.pool == drawn.pool, _T.c.code == drawn.code)
        .where(or_(in_hand, and_(_T.c.state == _RESERVED, _T.c.draw == drawn.draw)))
        .values(
            state=_RESERVED,
            owner="",
            taken_until=None,
            draw=drawn.draw,
            customer_id=wanted.customer_id,
            promised=_kept(drawn.ends_at),
            changed_at=micros(drawn.at),
        )
    )
    return bound.rowcount > 0


def _settle(connection: Connection, wanted: Settle) -> None:
    mine = (_T.c.draw == wanted.draw, _T.c.state == _RESERVED)
    if wanted.state is not CodeState.FREE:
        values = {"state": wanted.state.value, "changed_at": micros(wanted.at)}
        connection.execute(update_of(_T).where(*mine).values(values))
        return
    # What a pattern made may be made again.
    made = _T.c.pool.startswith("pattern:", autoescape=True)
    connection.execute(delete(_T).where(*mine, made))
    connection.execute(
        update_of(_T).where(*mine).values(state=_FREE, changed_at=micros(wanted.at), **_NOBODYS)
    )


def _redeem(connection: Connection, wanted: Redeem) -> None:
    used = update_of(_T).where(_T.c.code == wanted.code)
    if wanted.pool:
        used = used.where(_T.c.pool == wanted.pool)
    connection.execute(used.values(state=CodeState.USED.value, changed_at=micros(wanted.at)))


def _is_free(now: datetime) -> ColumnElement[bool]:
    over = _T.c.taken_until <= micros(now)
    return or_(_T.c.state == _FREE, and_(_T.c.state == _TAKEN, over))


def _lasts(now: datetime) -> ColumnElement[bool]:
    return or_(_T.c.ends_at.is_(None), _T.c.ends_at > micros(now))


def _row(
    pool: str,
    code: str,
    state: CodeState,
    *,
    changed_at: datetime,
    ends_at: datetime | None = None,
    draw: str | None = None,
    customer_id: str = "",
    promised: datetime | None = None,
) -> rows.Row:
    return (
        pool,
        code,
        state.value,
        "",
        None,
        _kept(ends_at),
        draw,
        customer_id,
        _kept(promised),
        micros(changed_at),
    )


def _stored(row: RowMapping) -> StoredCode:
    return StoredCode(
        pool=row["pool"],
        code=row["code"],
        state=CodeState(row["state"]),
        ends_at=_maybe(row["ends_at"]),
        customer_id=row["customer_id"],
        promised_until=_maybe(row["promised"]),
        changed_at=instant(row["changed_at"]),
    )


def _kept(at: datetime | None) -> int | None:
    return None if at is None else micros(at)


def _maybe(kept: int | None) -> datetime | None:
    return None if kept is None else instant(kept)
