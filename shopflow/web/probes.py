"""What machines ask of the program: does it live, does it take events, how is it.

Questions are answered in a thread of their own and within a bound, so that a database that hangs
neither holds up the door nor makes a load balancer give up on it.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shopflow.report.fleet import SILENCE, TICK
from shopflow.report.vitals import Vitals
from shopflow.runtime.metrics import Metrics
from shopflow.runtime.vitals import Shared

#: Seconds that a question may take.
PATIENCE = 5.0

Result = TypeVar("Result")


class Probes:
    """Readiness and metrics of one process.

    It is ready when it can take events; what else is wrong is told, and is no reason to turn
    events away that would wait safely.
    """

    def __init__(
        self, look: Callable[[], Vitals], can_take: Callable[[], bool], *, digest: str
    ) -> None:
        self._look = Shared(look)
        self._can_take = can_take
        self._digest = digest
        self._metrics = Metrics(self._look)
        # Two, so that a look that hangs does not keep the other question waiting.
        self._looking = ThreadPoolExecutor(max_workers=1, thread_name_prefix="look")
        self._asking = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ask")

    def close(self) -> None:
        """Waits for no answer any more."""
        for executor in (self._looking, self._asking):
            executor.shutdown(wait=False, cancel_futures=True)

    async def checks(self) -> tuple[bool, dict[str, str]]:
        """Whether events can be taken, and a word on each thing that the program stands on."""
        can_take, vitals = await asyncio.gather(
            _within(self._asking, self._can_take), _within(self._looking, self._look.read)
        )
        told = {"rules": self._digest}
        if vitals is None:
            return bool(can_take), {**told, "database": "no answer"}
        told |= {str(part): "ok" if is_up else "away" for part, is_up in vitals.up.items()}
        return bool(can_take), {**told, "clock": clock_word(vitals, vitals.at)}

    async def metrics(self, accept: str) -> tuple[bytes, str] | None:
        """The page for Prometheus and its form; None when it is not to be had in time."""
        return await _within(self._looking, lambda: self._metrics.text(accept))


def clock_word(vitals: Vitals, now: datetime) -> str:
    """How the clock is, in a word or two."""
    stamp = vitals.marks.get(TICK)
    if stamp is None:
        return "never heard"
    silent = now.timestamp() - stamp
    return "ok" if silent <= SILENCE else f"silent for {silent:.0f} s"


def routes(probes: Probes | None, is_open: Callable[[], bool], metrics_key: str) -> list[Route]:
    """`/healthz`, `/readyz` and, with probes, `/metrics`; a key is asked for metrics only."""

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(_: Request) -> Response:
        if not is_open():
            return JSONResponse({"status": "stopping"}, status_code=503)
        can_take, checks = (True, {}) if probes is None else await probes.checks()
        return JSONResponse(
            {"status": "ready" if can_take else "not ready", "checks": checks},
            status_code=200 if can_take else 503,
        )

    async def metrics(request: Request) -> Response:
        if metrics_key and not bears(request, metrics_key):
            return Response("show the key: Authorization: Bearer KEY\n", status_code=401)
        page = await probes.metrics(request.headers.get("accept", "")) if probes else None
        if page is None:
            return Response("the database does not answer\n", status_code=503)
        return Response(page[0], headers={"content-type": page[1]})

    found = [Route("/healthz", health), Route("/readyz", ready)]
    return [*found, Route("/metrics", metrics)] if probes is not None else found


def bears(request: Request, key: str) -> bool:
    """True when the request shows the key as its bearer token."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.encode(), key.encode())


async def _within(executor: ThreadPoolExecutor, ask: Callable[[], Result]) -> Result | None:
    """The answer; None when it does not come in time."""
    asked: Awaitable[Result] = asyncio.get_running_loop().run_in_executor(executor, ask)
    try:
        async with asyncio.timeout(PATIENCE):
            return await asked
    except TimeoutError:
        return None
