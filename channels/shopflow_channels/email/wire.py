"""One mail after the other over an open connection, in as few round trips as the server allows.

The library opens the connection, and does TLS and the login; from there on the bytes are ours. A
server that offers PIPELINING (RFC 2920) is told sender, recipient and DATA at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from enum import StrEnum
from typing import NamedTuple

from aiosmtplib import (
    SMTP,
    SMTPReadTimeoutError,
    SMTPResponseException,
    SMTPServerDisconnected,
)

#: The most that a server may say without coming to an end, in bytes.
_LONGEST_REPLY = 32 * 1024
_REFUSALS, _GO_ON, _CLOSING = 400, 354, 421
_DONE = range(200, 300)


class Stage(StrEnum):
    """How far a mail has come."""

    MAIL = "MAIL"
    RCPT = "RCPT"
    #: The server has been asked to take it, and nothing of it has been sent.
    ASKED = "DATA"
    #: From here on the server may have taken it, whatever becomes of its answer.
    SENT = "BODY"


class Reply(NamedTuple):
    """One answer of the server, its lines joined."""

    code: int
    text: str


class Wire(asyncio.Protocol):
    """An open connection, logged in."""

    def __init__(self, smtp: SMTP, *, timeout: float) -> None:
        transport = smtp.transport
        if not isinstance(transport, asyncio.Transport):
            raise SMTPServerDisconnected("Connection lost")
        self._transport = transport
        # Held, since it ends the connection once nobody holds it any more.
        self._smtp = smtp
        self._timeout = timeout
        self._pipelining = smtp.supports_extension("pipelining")
        self._unread = bytearray()
        self._lines: list[bytes] = []
        self._replies: deque[Reply] = deque()
        self._waiting: asyncio.Future[None] | None = None
        self._lost: Exception | None = None
        #: How far the mail at hand has come.
        self.stage = Stage.MAIL
        transport.set_protocol(self)

    @property
    def is_open(self) -> bool:
        """True while mails can go over it."""
        # What it said unasked, such as that it closes, would be taken for the next answer.
        unasked = self._unread or self._lines or self._replies
        return self._lost is None and not unasked and not self._transport.is_closing()

    def close(self) -> None:
        """Nothing more goes over it."""
        self._transport.close()

    async def carry(self, sender: str, to: str, mail: bytes) -> Reply:
        """The server's answer to the whole mail, whose lines end by CRLF.

        `stage` tells how far it came.

        Raises:
            SMTPResponseException: The server refused; the connection is ready for another mail,
                unless it is closed.
            SMTPServerDisconnected: It is lost.
            SMTPReadTimeoutError: There was no answer in time.
        """
        self.stage = Stage.MAIL
        envelope = [b"MAIL FROM:<%b>\r\n" % sender.encode(), b"RCPT TO:<%b>\r\n" % to.encode()]
        if self._pipelining:
            await self._open_at_once(b"".join(envelope))
        else:
            for self.stage, command in zip((Stage.MAIL, Stage.RCPT), envelope, strict=True):
                await self._said(command)
            self.stage = Stage.ASKED
            ready = await self._ask(b"DATA\r\n")
            if ready.code != _GO_ON:
                raise self._refusal(ready)
        self.stage = Stage.SENT
        reply = await self._ask(_dotted(mail) + b".\r\n")
        if reply.code not in _DONE:
            raise self._refusal(reply)
        return reply

    async def reset(self) -> None:
        """The server has forgotten the mail that it refused."""
        await self._said(b"RSET\r\n")

    async def quit(self, patience: float) -> None:
        """Says goodbye, and waits so many seconds for the answer."""
        try:
            async with asyncio.timeout(patience):
                self._transport.write(b"QUIT\r\n")
                await self._read()
        except (TimeoutError, SMTPServerDisconnected):
            return
        finally:
            self.close()

    async def _open_at_once(self, envelope: bytes) -> None:
        mail, to, data = await self._exchange(envelope + b"DATA\r\n", 3)
        refused = next((one for one in (mail, to) if one.code not in _DONE), None)
        if refused is not None:
            if data.code == _GO_ON:
                # It would take a mail for nobody, so it is given an empty one, as the RFC has it.
                await self._ask(b".\r\n")
            self.stage = Stage.MAIL if refused is mail else Stage.RCPT
            raise self._refusal(refused)
        self.stage = Stage.ASKED
        if data.code != _GO_ON:
            raise self._refusal(data)

    async def _said(self, command: bytes) -> Reply:
        reply = await self._ask(command)
        if reply.code not in _DONE:
            raise self._refusal(reply)
        return reply

    async def _ask(self, data: bytes) -> Reply:
        (reply,) = await self._exchange(data, 1)
        return reply

    async def _exchange(self, data: bytes, count: int) -> list[Reply]:
        if not self.is_open:
            self.close()
            raise SMTPServerDisconnected("Connection lost")
        self._transport.write(data)
        try:
            async with asyncio.timeout(self._timeout):
                return [await self._read() for _ in range(count)]
        except TimeoutError as e:
            raise SMTPReadTimeoutError("Timed out waiting for server response") from e

    async def _read(self) -> Reply:
        while not self._replies:
            if self._lost is not None:
                raise self._lost
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        return self._replies.popleft()

    def _refusal(self, reply: Reply) -> SMTPResponseException:
        if reply.code == _CLOSING:
            self.close()
        return SMTPResponseException(reply.code, reply.text)

    def data_received(self, data: bytes) -> None:
        """What the server says; asyncio calls it."""
        self._unread += data
        if len(self._unread) > _LONGEST_REPLY:
            self._end(SMTPServerDisconnected("the server does not come to an end"))
            return
        *lines, rest = self._unread.split(b"\n")
        self._unread = bytearray(rest)
        for line in lines:
            self._lines.append(bytes(line.rstrip()))
            if line[3:4] != b"-":
                said, self._lines = self._lines, []
                self._replies.append(_reply(said))
        if self._replies:
            self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone; asyncio calls it."""
        lost = SMTPServerDisconnected("Connection lost")
        lost.__cause__ = exc
        self._end(lost)

    def eof_received(self) -> None:
        """The server hung up; asyncio calls it and closes our side."""
        self._end(SMTPServerDisconnected("Unexpected EOF received"))

    def _end(self, error: Exception) -> None:
        if self._lost is None:
            self._lost = error
        self._transport.close()
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


def _reply(lines: list[bytes]) -> Reply:
    text = "\n".join(line[4:].decode("utf-8", "replace").strip() for line in lines)
    code = lines[-1][:3]
    # What is no answer at all has a code that nothing expects.
    return Reply(int(code) if code.isdigit() else -1, text)


def _dotted(mail: bytes) -> bytes:
    """The mail with a dot before each line that begins with one."""
    if mail.startswith(b"."):
        mail = b"." + mail
    return mail.replace(b"\r\n.", b"\r\n..") if b"\r\n." in mail else mail
