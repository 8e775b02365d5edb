"""Serving the application beside the runner, until the runner ends."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from shopflow.errors import SettingsError

#: Seconds that requests under way get when the program ends.
GRACE = 10


class _Server(uvicorn.Server):
    """Leaves signals to the runner."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(address: str) -> socket.socket:
    """A listening socket at HOST:PORT; port 0 is any free one.

    Raises:
        SettingsError: It is no address, or it is taken.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004 - the last port
        raise SettingsError(f"--http {address}: write HOST:PORT, as in 127.0.0.1:8080")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), int(port)), family=family)
    except OSError as e:
        raise SettingsError(f"--http {address}: cannot listen there: {e.strerror}") from e


async def serve(app: ASGIApp, listening: socket.socket, ending: asyncio.Event) -> None:
    """Answers requests until the event is set, and then those that are under way."""
    server = _Server(
        uvicorn.Config(
            app,
            log_level="warning",
            # Its lines look like ours.
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=GRACE,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    waiting = asyncio.create_task(ending.wait())
    await asyncio.wait([serving, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    server.should_exit = True
    await serving
