"""Events that arrive while the program runs: whoever brings them waits for the commit."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from shopflow.runtime.answers import Answer

#: Events that may wait; more are told to come again.
CAPACITY = 5000


class Full(Exception):  # noqa: N818 - the name is the claim
    """Raised when more events wait than can be kept in memory; try again later."""


class Shut(Exception):  # noqa: N818 - the name is the claim
    """Raised when the program is about to end, or cannot keep anything any more."""


class EventDoor(Protocol):
    """Where events are brought."""

    @property
    def is_open(self) -> bool:
        """True while events are taken."""

    async def submit(self, raws: Sequence[bytes]) -> list[Answer]:
        """What became of each event, once it is safe.

        Raises:
            Full: Too many wait already; none of these was taken.
            Shut: None of these is known to be taken; send them again.
        """


@dataclass(frozen=True, slots=True)
class Submission:
    """Events that were brought together, and who waits for their answers."""

    raws: Sequence[bytes]
    answers: asyncio.Future[list[Answer]]
    received_at: datetime = field(default_factory=lambda: datetime.now(UTC))


class Door:
    """A bounded queue between those who bring events and the one who processes them."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._waiting: deque[Submission] = deque()
        self._count = 0
        self._shut = False
        #: Set when something waits.
        self.knocked = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """True while events are taken."""
        return not self._shut

    async def submit(self, raws: Sequence[bytes]) -> list[Answer]:
        """What became of each event, once that is on disk.

        Raises:
            Full: Too many wait already; none of these was taken.
            Shut: None of these is known to be taken; send them again.
        """
        if self._shut:
            raise Shut
        if not raws:
            return []
        if self._count and self._count + len(raws) > self._capacity:
            raise Full
        future: asyncio.Future[list[Answer]] = asyncio.get_running_loop().create_future()
        self._waiting.append(Submission(raws, future))
        self._count += len(raws)
        self.knocked.set()
        return await future

    def take(self, limit: int) -> list[Submission]:
        """Who waited longest, with at most so many events together, but at least one submission."""
        taken: list[Submission] = []
        count = 0
        while self._waiting and (not taken or count + len(self._waiting[0].raws) <= limit):
            taken.append(self._waiting.popleft())
            count += len(taken[-1].raws)
        self._count -= count
        if not self._waiting:
            self.knocked.clear()
        return taken

    def shut(self) -> None:
        """Nothing more is taken; those who wait are still served."""
        self._shut = True

    def turn_away(self, taken: Sequence[Submission] = ()) -> None:
        """Everyone who still waits is told to come again."""
        self.shut()
        for submission in [*taken, *self._waiting]:
            if not submission.answers.done():
                submission.answers.set_exception(Shut())
        self._waiting.clear()
        self._count = 0


def answer(taken: Sequence[Submission], answers: Sequence[Answer]) -> None:
    """Everyone gets the answers to their own events."""
    start = 0
    for submission in taken:
        end = start + len(submission.raws)
        # Whoever has gone away meanwhile needs no answer; the events are kept all the same.
        if not submission.answers.done():
            submission.answers.set_result(list(answers[start:end]))
        start = end
