"""How many messages one channel has in its hands at a time, shared by its senders."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Hands:
    """A count of free hands; whoever waits first among the urgent takes the next one."""

    __slots__ = ("_count", "_free", "_urgent", "_waiting")

    def __init__(self, count: int) -> None:
        self._count = self._free = count
        self._urgent: deque[asyncio.Future[None]] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def are_full(self) -> bool:
        """True when whoever comes now has to wait."""
        return self._free <= 0

    @property
    def busy(self) -> int:
        """How many have something in them."""
        return self._count - self._free

    @asynccontextmanager
    async def one(self, *, urgent: bool) -> AsyncIterator[None]:
        """One hand, waited for where there is none."""
        if self._free > 0:
            self._free -= 1
        else:
            await self._wait(self._urgent if urgent else self._waiting)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, line: deque[asyncio.Future[None]]) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                # It had been given a hand already, which the next one may have.
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        for line in (self._urgent, self._waiting):
            while line:
                turn = line.popleft()
                if not turn.done():
                    turn.set_result(None)
                    return
        self._free += 1
