"""The e-mail channel: from messages to receipts, several mails at a time.

Bytes are built in `mime`, connections kept in `connections`, answers read in `answers`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import ClassVar

from aiosmtplib import SMTPException, SMTPResponseException, SMTPTimeoutError

from shopflow.channel import ContentSpec, FailureReason, Message, OnUncertain, Outcome, Receipt

from .answers import from_failure, from_silence
from .connections import Connections, Line
from .footer import bodies
from .headers import checked_address
from .mime import Unmailable, assemble
from .settings import SCHEMA, SenderTable, read_server
from .wire import Stage

#: What a mail server or the way to it may do to an attempt.
_FAILURES = (SMTPException, OSError, TimeoutError)


class EmailChannel:
    """Hands mails to one SMTP server."""

    name: ClassVar[str] = "email"
    settings_schema: ClassVar[Mapping[str, object]] = SCHEMA
    needs_address: ClassVar[bool] = True
    content: ClassVar[ContentSpec] = ContentSpec(
        extensions=("mjml", "html", "txt"),
        required=("subject", "text"),
        optional=("html", "preheader"),
    )
    #: A repetition carries the same Message-ID, by which mailboxes recognise it.
    on_uncertain: ClassVar[OnUncertain] = OnUncertain.RESEND

    def __init__(self, settings: Mapping[str, object]) -> None:
        server = read_server(settings)
        self._senders = SenderTable(settings)
        self._connections = Connections(server)
        self._workers = server.connections

    async def send(self, messages: Sequence[Message]) -> AsyncIterator[tuple[str, Receipt]]:
        """Each message's receipt as its mail is answered; as many at a time as connections."""
        if len(messages) == 1:
            yield messages[0].id, await self._only(messages[0])
            return
        batch = _Batch(messages, self._workers)
        workers = [asyncio.create_task(self._work(batch)) for _ in range(batch.workers)]
        try:
            async with aclosing(batch.known(workers)) as known:
                async for pair in known:
                    yield pair
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def aclose(self) -> None:
        """Lets go of the connections."""
        await self._connections.aclose()

    async def _only(self, message: Message) -> Receipt:
        try:
            return await self._attempt(message)
        except _Unreachable as e:
            return e.receipt

    async def _work(self, batch: _Batch) -> None:
        while batch.waiting:
            message = batch.waiting.popleft()
            try:
                receipt = await self._attempt(message)
            except _Unreachable as e:
                batch.put(message, e.receipt)
                if batch.workers > 1:
                    # A server may have room for fewer connections than we are allowed to open.
                    batch.workers -= 1
                    return
                batch.give_up(e.receipt)
            else:
                batch.put(message, receipt)

    async def _attempt(self, message: Message) -> Receipt:
        identity = self._senders.identity(message.message_class)
        if identity is None:
            return _refused(
                FailureReason.SETTINGS, f"no sender for the class '{message.message_class}'"
            )
        to = checked_address(message.to)
        if not to:
            return _refused(FailureReason.BAD_ADDRESS, "not an address that a server could take")
        try:
            mail = assemble(message, identity, to, bodies(message))
        except Unmailable as e:
            return _refused(FailureReason.TEMPLATE, str(e))
        return await self._carry(_Mail(identity.address, to, mail))

    async def _carry(self, mail: _Mail) -> Receipt:
        receipt, stale = await self._try(mail, fresh=False)
        if stale:
            # A kept connection that the server closed meanwhile says nothing about this mail.
            receipt, _ = await self._try(mail, fresh=True)
        return receipt

    async def _try(self, mail: _Mail, *, fresh: bool) -> tuple[Receipt, bool]:
        try:
            async with self._connections.line(fresh=fresh) as line:
                return await mail.over(line), False
        except _Broken as e:
            return e.receipt, e.stale
        except _FAILURES as e:
            raise _Unreachable(from_failure("CONNECT", e)) from e


class _Batch:
    """One call of `send`: what waits and what is known."""

    __slots__ = ("_receipts", "waiting", "workers")

    def __init__(self, messages: Sequence[Message], workers: int) -> None:
        # Service first: a password reset does not wait for the turns of a newsletter.
        self.waiting = deque(sorted(messages, key=lambda m: m.message_class != "service"))
        #: How many still take messages.
        self.workers = min(workers, len(messages))
        self._receipts: asyncio.Queue[tuple[str, Receipt] | asyncio.Task[None]] = asyncio.Queue()

    def put(self, message: Message, receipt: Receipt) -> None:
        """Notes what became of a message."""
        self._receipts.put_nowait((message.id, receipt))

    def give_up(self, receipt: Receipt) -> None:
        """Nothing more can be handed over: the rest fails at once, not one timeout each."""
        while self.waiting:
            self.put(self.waiting.popleft(), receipt)

    async def known(
        self, workers: Sequence[asyncio.Task[None]]
    ) -> AsyncGenerator[tuple[str, Receipt], None]:
        """What is known, as it comes; raises what a worker raised, it would wait forever else."""
        for worker in workers:
            worker.add_done_callback(self._receipts.put_nowait)
        ended = 0
        while ended < len(workers):
            item = await self._receipts.get()
            if isinstance(item, tuple):
                yield item
            else:
                ended += 1
                item.result()


class _Unreachable(Exception):  # noqa: N818 - the name is the claim
    """No connection can be opened; carries the receipt for the message that wanted it."""

    def __init__(self, receipt: Receipt) -> None:
        super().__init__(receipt.detail)
        self.receipt = receipt


class _Broken(Exception):  # noqa: N818 - the name is the claim
    """The connection is of no more use; carries the receipt out of the block that held it."""

    def __init__(self, receipt: Receipt, *, stale: bool) -> None:
        super().__init__(receipt.detail)
        self.receipt = receipt
        self.stale = stale


class _Mail:
    """One assembled mail on its way."""

    __slots__ = ("_bytes", "_from", "_to")

    def __init__(self, sender: str, to: str, mail: bytes) -> None:
        self._from, self._to, self._bytes = sender, to, mail

    async def over(self, line: Line) -> Receipt:
        """The receipt after the whole transaction; raises `_Broken` with it if the line broke."""
        wire = line.wire
        try:
            reply = await wire.carry(self._from, self._to, self._bytes)
        except SMTPResponseException as e:
            receipt = from_failure("DATA" if wire.stage is Stage.SENT else wire.stage, e)
            if receipt.outcome is Outcome.UNCERTAIN:
                raise _Broken(receipt, stale=False) from e
            await _reset(line, receipt)
            return receipt
        except _FAILURES as e:
            if wire.stage is Stage.SENT:
                raise _Broken(from_silence(e), stale=False) from e
            stale = not line.is_fresh and not isinstance(e, SMTPTimeoutError)
            raise _Broken(from_failure(wire.stage, e), stale=stale) from e
        return Receipt.accepted(detail=f"DATA accepted: {reply.code}")


async def _reset(line: Line, receipt: Receipt) -> None:
    if not line.wire.is_open:
        return
    try:
        await line.wire.reset()
    except _FAILURES as e:
        raise _Broken(receipt, stale=False) from e


def _refused(reason: FailureReason, detail: str) -> Receipt:
    return Receipt.failed(reason, retryable=False, detail=detail)
