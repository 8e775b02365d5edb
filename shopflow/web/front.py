"""One application in the place of another, between two requests: when other rules are at work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from starlette.types import ASGIApp, Receive, Scope, Send


@dataclass(slots=True, kw_only=True)
class Served:
    """An application, and what it leaves behind once nobody asks it any more."""

    app: ASGIApp
    close: Callable[[], None]
    #: Requests that it is answering.
    busy: int = 0


class Front:
    """Answers by the application that was put in its place last; each request is of one only."""

    def __init__(self, served: Served) -> None:
        self._served = served
        #: Others are put in place by other threads.
        self._lock = Lock()

    def put(self, served: Served) -> None:
        """This one answers from now on; the one before ends with its last answer."""
        with self._lock:
            former, self._served = self._served, served
        self._let_go(former)

    def close(self) -> None:
        """Lets go of the one at work."""
        self._served.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, as ASGI has it."""
        if scope["type"] == "lifespan":
            # Lasts as long as the server, and would keep the first one for good.
            await self._served.app(scope, receive, send)
            return
        with self._lock:
            served = self._served
            served.busy += 1
        try:
            await served.app(scope, receive, send)
        finally:
            with self._lock:
                served.busy -= 1
            self._let_go(served)

    def _let_go(self, served: Served) -> None:
        if served is not self._served and not served.busy:
            served.close()
