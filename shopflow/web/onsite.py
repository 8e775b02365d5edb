"""`GET /v1/onsite/{slot}`: what a place of a shop's page shows; and the script that fills it.

A browser shows a sealed token of its visitor, which the shop's server asks for with the API key.
Whoever has the key may also ask by the customer's id.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shopflow.domain.ruleset import Ruleset
from shopflow.runtime.links import Expired, For
from shopflow.runtime.slots import content_of
from shopflow.runtime.wishes import Wishes
from shopflow.web.office import Away
from shopflow.web.pages import client
from shopflow.web.tokens import Desk

_SCRIPT = Path(__file__).parent / "static" / "onsite.js"
_LONGEST_ID = 500
#: A token is all that is asked for, and no cookie goes along: any page may show one.
_ANY_PAGE = {"access-control-allow-origin": "*", "cache-control": "private, no-store"}


class _Refusal(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def routes(desk: Desk, ruleset: Ruleset, may_ask: Callable[[Request], bool]) -> list[Route]:
    """The routes; `may_ask` looks at the key that a request shows."""
    script = _SCRIPT.read_text(encoding="utf-8")

    async def slot(request: Request) -> Response:
        return await _answered(lambda: shown(request))

    async def visitor(request: Request) -> Response:
        return await _answered(lambda: sealed(request))

    async def shown(request: Request) -> Response:
        now, name = desk.clock(), request.path_params["slot"]
        who = await _visitor(desk, request, may_ask, now)

        def look(wishes: Wishes) -> object:
            customer = wishes.customer(who)
            return content_of(wishes.store, ruleset, who, customer, name, now)

        content = await desk.office.ask(look)
        return JSONResponse({"slot": name, "content": content}, headers=_ANY_PAGE)

    async def sealed(request: Request) -> Response:
        who = _customer_id(request, may_ask)
        now = desk.clock()
        token = await desk.office.ask(lambda _: desk.links.token(For.SLOTS, who, now=now))
        return JSONResponse({"visitor": token}, headers={"cache-control": "no-store"})

    async def filler(_: Request) -> Response:
        headers = {"cache-control": "public, max-age=3600", "x-content-type-options": "nosniff"}
        return Response(script, media_type="text/javascript", headers=headers)

    return [
        Route("/v1/onsite/{slot}", slot, methods=["GET"]),
        Route("/v1/onsite-visitor", visitor, methods=["GET"]),
        Route("/onsite.js", filler, methods=["GET"]),
    ]


async def _answered(answer: Callable[[], Awaitable[Response]]) -> Response:
    try:
        return await answer()
    except _Refusal as e:
        return JSONResponse({"error": e.message}, status_code=e.status, headers=_ANY_PAGE)
    except Away:
        message = "the database does not answer"
        return JSONResponse({"error": message}, status_code=503, headers=_ANY_PAGE)


async def _visitor(
    desk: Desk, request: Request, may_ask: Callable[[Request], bool], now: datetime
) -> str:
    """Whom the request is about: sealed by us, or named by whoever has the key."""
    token = request.query_params.get("visitor")
    if token is None:
        return _customer_id(request, may_ask)
    try:
        opened = await desk.office.ask(lambda _: desk.links.open(For.SLOTS, token, now=now))
    except Expired:
        raise _Refusal(410, "this token was good once; ask for another") from None
    if opened is not None:
        return opened.says[0]
    if not desk.guesses.allows(client(request)):
        raise _Refusal(429, "too often")
    raise _Refusal(404, "this is no token of ours")


def _customer_id(request: Request, may_ask: Callable[[Request], bool]) -> str:
    if not may_ask(request):
        raise _Refusal(401, "show the API key: Authorization: Bearer KEY")
    who = request.query_params.get("customer_id", "")
    if not 1 <= len(who) <= _LONGEST_ID:
        raise _Refusal(400, f"customer_id is missing, or longer than {_LONGEST_ID} letters")
    return who
