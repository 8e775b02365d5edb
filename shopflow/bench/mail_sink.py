"""A mail server that says yes to everything, as fast as one process can; run as a program."""

from __future__ import annotations

import asyncio
import sys

_END = b"\r\n.\r\n"


class Sink(asyncio.Protocol):
    """One connection; nothing is kept."""

    def __init__(self) -> None:
        self._unread = b""
        self._in_mail = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greets; asyncio calls it."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a TCP server's are
        self._transport = transport
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        """Answers whatever is whole; asyncio calls it."""
        assert self._transport is not None  # noqa: S101 - nothing is received before
        self._unread += data
        answers = []
        while True:
            end = _END if self._in_mail else b"\r\n"
            said, found, rest = self._unread.partition(end)
            if not found:
                break
            self._unread = rest
            answers.append(self._answer(said))
        self._transport.write(b"".join(answers))

    def _answer(self, said: bytes) -> bytes:
        if self._in_mail:
            self._in_mail = False
            return b"250 taken\r\n"
        match said[:4].upper():
            case b"EHLO":
                return b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
            case b"DATA":
                self._in_mail = True
                return b"354 go on\r\n"
            case b"QUIT":
                return b"221 bye\r\n"
            case _:
                return b"250 ok\r\n"


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
