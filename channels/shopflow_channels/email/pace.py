"""How fast mails of one sender may leave: evenly spaced, as a relay or a warm-up asks for."""

from __future__ import annotations

import asyncio
import re

_RATE = re.compile(r"([1-9][0-9]{0,8})/(s|min|h|day)")
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "day": 86400.0}

#: The pattern of a rate in settings: `20/s`, `300/min`, `5000/h`, `20000/day`.
RATE_PATTERN = f"^{_RATE.pattern}$"

#: A turn further away than this is refused: the message goes back to the queue instead.
LONGEST_WAIT = 20.0


class Pace:
    """Turns at an even distance; within one event loop."""

    __slots__ = ("_distance", "_next")

    def __init__(self, rate: str) -> None:
        match = _RATE.fullmatch(rate)
        self._distance = _SECONDS[match[2]] / int(match[1]) if match else 0.0
        self._next = 0.0

    async def turn(self) -> float:
        """Waits for the next turn; returns 0, or the seconds until it when that is too long."""
        if not self._distance:
            return 0.0
        now = asyncio.get_running_loop().time()
        wait = self._next - now
        if wait > LONGEST_WAIT:
            return wait
        self._next = max(self._next, now) + self._distance
        if wait > 0:
            await asyncio.sleep(wait)
        return 0.0
