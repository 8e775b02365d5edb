"""The connections to the mail server: opened when needed, reused, replaced once broken."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiosmtplib import SMTP, SMTPHeloError

from .settings import Server
from .wire import Wire

#: Seconds that a polite goodbye may take before the connection is simply cut.
_GOODBYE = 2.0


class Line:
    """One open connection, and how much it has been used."""

    __slots__ = ("carried", "wire")

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        #: Mails begun on it.
        self.carried = 0

    @property
    def is_fresh(self) -> bool:
        """Whether it has not carried a mail yet, so that a failure is not due to its age."""
        return self.carried == 0


class Connections:
    """At most so many connections at a time; the one used last is taken first."""

    __slots__ = ("_context", "_idle", "_room", "_server")

    def __init__(self, server: Server) -> None:
        self._server = server
        self._context = server.tls_context()
        self._idle: deque[Line] = deque()
        self._room = asyncio.Semaphore(server.connections)

    @asynccontextmanager
    async def line(self, *, fresh: bool = False) -> AsyncIterator[Line]:
        """A connection for one mail; it is kept for the next unless the block raised or cut it.

        Raises:
            SMTPException, OSError: The server cannot be reached or refuses the login.
        """
        async with self._room:
            line = await self._open() if fresh else self._kept() or await self._open()
            keep = False
            try:
                yield line
                keep = True
            finally:
                line.carried += 1
                if not keep:
                    line.wire.close()
                elif line.wire.is_open:
                    await self._put_back(line)

    async def aclose(self) -> None:
        """Says goodbye on every idle connection."""
        while self._idle:
            await self._idle.pop().wire.quit(_GOODBYE)

    def _kept(self) -> Line | None:
        while self._idle:
            line = self._idle.pop()
            if line.wire.is_open:
                return line
            line.wire.close()
        return None

    async def _put_back(self, line: Line) -> None:
        if line.carried < self._server.max_per_connection:
            self._idle.append(line)
        else:
            await line.wire.quit(_GOODBYE)

    async def _open(self) -> Line:
        server = self._server
        smtp = SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username or None,
            password=server.password or None,
            local_hostname=server.hostname or None,
            timeout=server.timeout,
            use_tls=server.tls == "tls",
            start_tls=server.tls == "starttls",
            tls_context=self._context,
        )
        await smtp.connect()
        try:
            if smtp.is_ehlo_or_helo_needed:
                await _greet(smtp)
            return Line(Wire(smtp, timeout=server.timeout))
        except BaseException:
            smtp.close()
            raise


async def _greet(smtp: SMTP) -> None:
    try:
        await smtp.ehlo()
    except SMTPHeloError:
        if not smtp.is_connected:
            raise
        await smtp.helo()
