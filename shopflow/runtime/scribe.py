"""Writing down attempts and receipts: what comes while one commit runs goes into the next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol, TypeVar

from shopflow.domain.ids import MessageId
from shopflow.store.protocol import Outbox
from shopflow.store.records import Retry, Settled

Result = TypeVar("Result")


class Write(Protocol):
    """Runs a call of the store where all of them run, one after the other."""

    def __call__(self, call: Callable[[], Result], /) -> Awaitable[Result]:
        """The call's result."""
        ...


class Scribe:
    """Commits attempts and receipts of one deliverer, few commits for many messages.

    A slot waits for its own commit before it goes on, so that a kill leaves no more messages in
    doubt than there are slots.
    """

    def __init__(self, outbox: Outbox, write: Write, owner: str) -> None:
        self._outbox = outbox
        self._write = write
        self._owner = owner
        self._begun: list[tuple[MessageId, datetime, asyncio.Future[bool]]] = []
        self._words: list[tuple[Settled | Retry, asyncio.Future[bool]]] = []
        self._something = asyncio.Event()

    async def begin(self, message_id: MessageId, now: datetime) -> bool:
        """True once the attempt is written down; False when the message is no longer ours."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._begun.append((message_id, now, future))
        self._something.set()
        return await future

    async def record(self, word: Settled | Retry) -> bool:
        """True once the word on an attempt is written down; False when it came too late."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._words.append((word, future))
        self._something.set()
        return await future

    async def run(self) -> None:
        """Commits until cancelled."""
        while True:
            await self._something.wait()
            self._something.clear()
            begun, self._begun = self._begun, []
            words, self._words = self._words, []
            try:
                known = await self._write(lambda: self._commit(begun, words))  # noqa: B023 - awaited here
            except Exception as e:
                # Whoever waits must hear of it; the loop itself ends with the same error.
                for future in [entry[2] for entry in begun] + [entry[1] for entry in words]:
                    if not future.done():
                        future.set_exception(e)
                raise
            for message_id, _, future in begun:
                future.set_result(message_id in known)
            for word, future in words:
                future.set_result(_id(word) in known)

    def _commit(
        self,
        begun: list[tuple[MessageId, datetime, asyncio.Future[bool]]],
        words: list[tuple[Settled | Retry, asyncio.Future[bool]]],
    ) -> set[MessageId]:
        known: set[MessageId] = set()
        if words:
            settled = [word for word, _ in words if isinstance(word, Settled)]
            retries = [word for word, _ in words if isinstance(word, Retry)]
            known |= self._outbox.record(owner=self._owner, settled=settled, retries=retries)
        if begun:
            ids = [message_id for message_id, _, _ in begun]
            now = max(now for _, now, _ in begun)
            known |= self._outbox.start_attempt(ids, owner=self._owner, now=now)
        return known


def _id(word: Settled | Retry) -> MessageId:
    return word.message_id if isinstance(word, Retry) else word.report.message.id
