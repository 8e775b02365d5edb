"""Writing down attempts and receipts: what comes while one commit runs goes into the next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol, TypeVar

from shopflow.domain.ids import MessageId
from shopflow.store.outgoing import Outbox
from shopflow.store.records import Begun, Retry, Settled

Result = TypeVar("Result")


#: How long a commit waits for others to join it, in seconds, while more attempts are under way.
LINGER = 0.001


class Write(Protocol):
    """Runs a call of the store where all of them run, one after the other."""

    def __call__(self, call: Callable[[], Result], /) -> Awaitable[Result]:
        """The call's result."""
        ...


class _Entry(NamedTuple):
    """What one slot wants written, and whom to tell."""

    words: Sequence[Settled | Retry]
    begun: Begun | None
    known: asyncio.Future[bool]


class Scribe:
    """Commits attempts and receipts of one deliverer, few commits for many messages.

    A slot waits for its own commit before it goes on, so that a kill leaves no more messages in
    doubt than there are slots. The word on its last message and the begin of its next go together.
    """

    def __init__(
        self,
        outbox: Outbox,
        write: Write,
        owner: str,
        *,
        note_sent: Callable[[Sequence[Settled | Retry]], None] = lambda _: None,
        in_hand: Callable[[], int] = lambda: 0,
    ) -> None:
        self._note_sent = note_sent
        self._outbox = outbox
        self._write = write
        self._owner = owner
        #: How many attempts are under way or about to be.
        self._in_hand = in_hand
        self._entries: list[_Entry] = []
        self._something = asyncio.Event()

    async def note(self, words: Sequence[Settled | Retry], begun: Begun | None = None) -> bool:
        """The words are written down, and the attempt that begins; False when it may not begin.

        It may not when the message is no longer ours.
        """
        known: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._entries.append(_Entry(words, begun, known))
        self._something.set()
        return await known

    async def run(self) -> None:
        """Commits until cancelled."""
        while True:
            await self._something.wait()
            if len(self._entries) < self._in_hand():
                # A commit costs as much as a mail; a message that is alone does not wait.
                await asyncio.sleep(LINGER)
            self._something.clear()
            entries, self._entries = self._entries, []
            try:
                changed = await self._write(lambda: self._commit(entries))  # noqa: B023 - awaited here
            except Exception as e:
                # Whoever waits must hear of it; the loop itself ends with the same error.
                for entry in entries:
                    if not entry.known.done():
                        entry.known.set_exception(e)
                raise
            for entry in entries:
                if not entry.known.done():
                    begun = entry.begun
                    entry.known.set_result(begun is None or begun.message_id in changed)

    def _commit(self, entries: Sequence[_Entry]) -> set[MessageId]:
        words = [word for entry in entries for word in entry.words]
        self._note_sent(words)
        return self._outbox.record(
            owner=self._owner,
            settled=[word for word in words if isinstance(word, Settled)],
            retries=[word for word in words if isinstance(word, Retry)],
            begun=[entry.begun for entry in entries if entry.begun is not None],
        )
