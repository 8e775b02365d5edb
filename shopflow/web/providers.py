"""`POST /v1/providers/{name}`: what providers tell of messages, and what people write back to them.

Answered only once it is kept. Whoever does not know the secret is told so and no more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shopflow.lang.project import ProviderSettings
from shopflow.runtime import feedback
from shopflow.runtime.providers import Unreadable, Word, is_authentic, words
from shopflow.runtime.wishes import Wishes
from shopflow.web.office import Away
from shopflow.web.pages import Refusal, bounded_body
from shopflow.web.tokens import Desk

#: The most that a provider may send at once.
MAX_BODY = 1024 * 1024


def routes(desk: Desk, providers: Mapping[str, ProviderSettings], region: str) -> list[Route]:
    """The door, where there are providers; `region` is of numbers that name no country."""

    async def told(request: Request) -> Response:
        name = request.path_params["name"]
        settings = providers.get(name)
        try:
            body = await bounded_body(request, MAX_BODY)
        except Refusal:
            return _no(413, f"more than {MAX_BODY} bytes; send fewer at a time")
        except ClientDisconnect:
            return Response(status_code=400)
        # One answer for both: who guesses names learns none.
        if settings is None or not is_authentic(settings, request.headers, body, desk.clock()):
            return _no(401, "no provider of this name and secret")
        try:
            found = list(words(name, settings, body, region))
        except Unreadable as e:
            return _no(400, str(e))
        counted: Counter[str] = Counter({str(each): 0 for each in feedback.Taken})
        try:
            for word in found:
                counted[await _taken(desk, word)] += 1
        except Away:
            # Told again, what is kept already counts once.
            return _no(503, "not kept; send it again", retry=True)
        return JSONResponse(counted)

    return [Route("/v1/providers/{name}", told, methods=["POST"])] if providers else []


async def _taken(desk: Desk, word: Word) -> str:
    def take(wishes: Wishes) -> feedback.Taken:
        return feedback.take(wishes, word)

    return await desk.office.ask(take)


def _no(status: int, message: str, *, retry: bool = False) -> Response:
    headers = {"retry-after": "60"} if retry else None
    return JSONResponse({"error": message}, status_code=status, headers=headers)
