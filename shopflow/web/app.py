"""The HTTP door: `POST /v1/events`, recommendations, and what a load balancer asks.

An event that is answered with success is on disk. Deciding it is the runner's.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shopflow.runtime.advice import Advice
from shopflow.runtime.answers import Answer, Taken
from shopflow.runtime.door import EventDoor, Full, Shut
from shopflow.runtime.meter import ANSWERED, Meter
from shopflow.web.probes import Probes, bears, routes
from shopflow.web.recommendations import route

#: Events of one request, and its size.
MAX_EVENTS = 1000
MAX_BODY = 8 * 1024 * 1024
#: Seconds after which a caller that was turned away may come again.
RETRY_AFTER = "1"


class _Refusal(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def create_app(
    door: EventDoor,
    *,
    api_key: str = "",
    metrics_key: str = "",
    probes: Probes | None = None,
    meter: Meter | None = None,
    advice: Advice | None = None,
    pages: Sequence[Route] = (),
) -> Starlette:
    """The application; with a key, whoever brings events or asks must show it as a bearer token.

    Metrics have a key of their own; where there is none, they want that of the events.
    """
    counted = meter or Meter()

    async def events(request: Request) -> Response:
        response = await answered(request)
        counted.add(ANSWERED, str(response.status_code))
        return response

    async def answered(request: Request) -> Response:
        try:
            _check_key(request, api_key)
            raws = _split(await _body(request))
            answers = await door.submit(raws)
        except _Refusal as e:
            return JSONResponse({"error": e.message}, status_code=e.status)
        except Full:
            return _come_again(429, "too many events wait; send these again")
        except Shut:
            return _come_again(503, "shopflow is stopping; send these again")
        except ClientDisconnect:
            return Response(status_code=400)
        return JSONResponse(_told(answers), status_code=_status(answers))

    return Starlette(
        routes=[
            Route("/v1/events", events, methods=["POST"]),
            *routes(probes, lambda: door.is_open, metrics_key or api_key),
            *([route(advice, lambda asking: _may(asking, api_key))] if advice else []),
            *pages,
        ]
    )


def _may(request: Request, api_key: str) -> bool:
    return not api_key or bears(request, api_key)


def _check_key(request: Request, api_key: str) -> None:
    if not _may(request, api_key):
        raise _Refusal(401, "show the API key: Authorization: Bearer KEY")


async def _body(request: Request) -> bytes:
    """The body, read no further than its bound."""
    chunks, length = [], 0
    async for chunk in request.stream():
        length += len(chunk)
        if length > MAX_BODY:
            raise _Refusal(413, f"more than {MAX_BODY} bytes; send fewer events at a time")
        chunks.append(chunk)
    return b"".join(chunks)


def _split(body: bytes) -> Sequence[bytes]:
    """The events in the body: one object, an array of them, or JSON lines."""
    start = body.lstrip()[:1]
    if not start:
        raise _Refusal(400, "the body is empty; send an event, an array or JSON lines")
    raws = _array(body) if start == b"[" else _lines(body)
    if len(raws) > MAX_EVENTS:
        raise _Refusal(413, f"{len(raws)} events; at most {MAX_EVENTS} are taken at a time")
    return raws


def _array(body: bytes) -> list[bytes]:
    try:
        items = orjson.loads(body)
    except orjson.JSONDecodeError as e:
        raise _Refusal(400, f"the array is not JSON: {e}") from e
    return [orjson.dumps(item) for item in items]


def _lines(body: bytes) -> list[bytes]:
    """A body that is one JSON value is one event, however it is laid out."""
    lines = [line for line in body.splitlines() if line.strip()]
    if len(lines) > 1:
        try:
            orjson.loads(body)
        except orjson.JSONDecodeError:
            return lines
    return [body.strip()] if len(lines) > 1 else lines


def _told(answers: Sequence[Answer]) -> dict[str, object]:
    counts = {str(taken): sum(one.taken is taken for one in answers) for taken in Taken}
    return {**counts, "events": [_line(one) for one in answers]}


def _line(answer: Answer) -> dict[str, str]:
    line = {"id": answer.event_id, "result": str(answer.taken)}
    if answer.reason:
        line |= {"reason": answer.reason, "detail": answer.detail}
    return line


def _status(answers: Sequence[Answer]) -> int:
    """202 when anything was taken; 422 when every event was refused."""
    refused = all(one.taken is Taken.DEAD_LETTER for one in answers)
    return 422 if answers and refused else 202


def _come_again(status: int, message: str) -> Response:
    return JSONResponse(
        {"error": message}, status_code=status, headers={"retry-after": RETRY_AFTER}
    )
