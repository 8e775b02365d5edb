"""The codes of coupons in the memory store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from shopflow.domain.coupon import CodeInHand, CodeState, Redeem, Reserve, Settle, is_made
from shopflow.domain.journal import CodeChange
from shopflow.store.codes import Imported, NewCode, PoolStatus, StoredCode
from shopflow.store.memory_state import CodeRow, State


class MemoryCodes:
    """`Codes` over a dict."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, pool: str, codes: Iterable[NewCode], *, now: datetime) -> Imported:
        """See `Codes`."""
        state, new, known = self._state, 0, 0
        with state.changing():
            for code, ends_at in codes:
                if (pool, code) in state.codes:
                    known += 1
                    continue
                stored = StoredCode(
                    pool=pool, code=code, state=CodeState.FREE, ends_at=ends_at, changed_at=now
                )
                state.put(state.codes, (pool, code), CodeRow(stored=stored))
                new += 1
        return Imported(new, known)

    def take(
        self, pool: str, *, limit: int, owner: str, now: datetime, until: datetime
    ) -> list[CodeInHand]:
        """See `Codes`."""
        state = self._state
        with state.changing():
            free = sorted(
                key for key, row in state.codes.items() if key[0] == pool and row.is_free(now)
            )[:limit]
            for key in free:
                stored = replace(state.codes[key].stored, state=CodeState.TAKEN, changed_at=now)
                state.put(state.codes, key, CodeRow(stored=stored, owner=owner, taken_until=until))
            return [
                CodeInHand(code=key[1], ends_at=state.codes[key].stored.ends_at) for key in free
            ]

    def give_back(self, owner: str) -> int:
        """See `Codes`."""
        state = self._state
        with state.changing():
            taken = [key for key, row in state.codes.items() if row.owner == owner]
            for key in taken:
                stored = replace(state.codes[key].stored, state=CodeState.FREE)
                state.put(state.codes, key, CodeRow(stored=stored))
        return len(taken)

    def pools(self, *, now: datetime) -> list[PoolStatus]:
        """See `Codes`."""
        with self._state.lock:
            rows = [row.stored for row in self._state.codes.values()]
        return [
            status_of(pool, [row for row in rows if row.pool == pool], now)
            for pool in sorted({row.pool for row in rows})
        ]

    def of_pool(self, pool: str) -> Iterator[StoredCode]:
        """See `Codes`."""
        with self._state.lock:
            rows = sorted(key for key in self._state.codes if key[0] == pool)
            found = [self._state.codes[key].stored for key in rows]
        return iter(found)


def status_of(pool: str, codes: Sequence[StoredCode], now: datetime) -> PoolStatus:
    """The pool of these codes in numbers."""
    taken = {CodeState.TAKEN: CodeState.FREE}
    counts = Counter(taken.get(code.state, code.state) for code in codes)
    free = [code for code in codes if taken.get(code.state, code.state) is CodeState.FREE]
    over = [code.ends_at for code in free if code.ends_at is not None]
    return PoolStatus(
        pool=pool,
        counts=counts,
        ended=sum(at <= now for at in over),
        next_end=min((at for at in over if at > now), default=None),
    )


def change(state: State, changes: Iterable[CodeChange], owner: str) -> list[Reserve]:
    """Carries out the changes in order; returns what could not be reserved."""
    refused = []
    for one in changes:
        match one:
            case Reserve():
                if not _reserve(state, one, owner):
                    refused.append(one)
            case Settle():
                _settle(state, one)
            case Redeem():
                _redeem(state, one)
    return refused


def _reserve(state: State, wanted: Reserve, owner: str) -> bool:
    drawn = wanted.drawn
    key = (drawn.pool, drawn.code)
    row = state.codes.get(key)
    if row is not None and row.draw != drawn.draw:
        in_hand = row.stored.state is CodeState.TAKEN and row.owner == owner
        if not in_hand:
            return False
    if row is None and not is_made(drawn.pool):
        return False
    stored = StoredCode(
        pool=drawn.pool,
        code=drawn.code,
        state=CodeState.RESERVED,
        ends_at=row.stored.ends_at if row else None,
        customer_id=wanted.customer_id,
        promised_until=drawn.ends_at,
        changed_at=drawn.at,
    )
    state.put(state.codes, key, CodeRow(stored=stored, draw=drawn.draw))
    state.put(state.draws, drawn.draw, key)
    return True


def _settle(state: State, wanted: Settle) -> None:
    key = state.draws.get(wanted.draw)
    row = state.codes.get(key) if key is not None else None
    if key is None or row is None or row.draw != wanted.draw:
        return
    if row.stored.state is not CodeState.RESERVED:
        return
    if wanted.state is not CodeState.FREE:
        stored = replace(row.stored, state=wanted.state, changed_at=wanted.at)
        state.put(state.codes, key, replace(row, stored=stored))
    elif is_made(key[0]):
        # What a pattern made may be made again.
        state.drop(state.codes, key)
    else:
        stored = replace(
            row.stored,
            state=CodeState.FREE,
            customer_id="",
            promised_until=None,
            changed_at=wanted.at,
        )
        state.put(state.codes, key, CodeRow(stored=stored))


def _redeem(state: State, wanted: Redeem) -> None:
    for key, row in list(state.codes.items()):
        if key[1] == wanted.code and wanted.pool in {"", key[0]}:
            stored = replace(row.stored, state=CodeState.USED, changed_at=wanted.at)
            state.put(state.codes, key, replace(row, stored=stored))
