"""`POST /v1/push`: a browser that agreed to notifications, told by the page of the shop.

Whose browser it is, the sealed token of the visitor says, as for what a page shows. Without one it
is nobody's until the shop says whose, and a row of its own meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shopflow.domain.policy import MessageClass, Purpose
from shopflow.domain.ruleset import Ruleset
from shopflow.engine.profile import SUBSCRIBED, WEBPUSH
from shopflow.runtime.links import Expired, For
from shopflow.runtime.wishes import Wish, WishRefused
from shopflow.web.choices import text_version
from shopflow.web.limits import Limit
from shopflow.web.office import Away
from shopflow.web.pages import LOCALES, Refusal, bounded_body, client
from shopflow.web.tokens import Desk

SOURCE = "push_button"
#: What a browser tells is far shorter.
MAX_BODY = 16 * 1024
#: Browsers that are told of from one place.
FROM_ONE = (20, 3600.0)
_STATIC = Path(__file__).parent / "static"
_ANY_PAGE = {"access-control-allow-origin": "*", "cache-control": "private, no-store"}


class _No(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def routes(desk: Desk, ruleset: Ruleset) -> list[Route]:
    """The door and its two scripts, where there is something to be notified of."""
    offered = {
        purpose.id: purpose
        for purpose in ruleset.purposes.values()
        if purpose.message_class is MessageClass.MARKETING and WEBPUSH in purpose.channels
    }
    callers = Limit(*FROM_ONE)

    async def subscribed(request: Request) -> Response:
        try:
            body = await bounded_body(request, MAX_BODY)
            if not callers.allows(client(request)):
                return _told({"error": "too often; try again in a while"}, 429)
            wish = _wish(body, offered)
            who = await _visitor(desk, request)
            anonymous = not who
            who = who or f"web-{desk.links.fingerprint('push', str(wish.data['endpoint']))}"
            await desk.office.wish(who, lambda _: [wish], anonymous=anonymous)
        except _No as e:
            return _told({"error": e.message}, e.status)
        except Refusal as e:
            return _told({"error": f"more than {MAX_BODY} bytes"}, e.status)
        except WishRefused as e:
            return _told({"error": str(e)}, 422)
        except Away:
            return _told({"error": "the database does not answer"}, 503)
        except ClientDisconnect:
            return Response(status_code=400)
        return _told({"subscribed": True})

    scripts = [_script(name) for name in ("push.js", "push-worker.js")]
    door = Route("/v1/push", subscribed, methods=["POST"])
    return [door, *scripts] if offered and WEBPUSH in ruleset.channels else []


def _told(content: Mapping[str, object], status: int = 200) -> Response:
    return JSONResponse(content, status_code=status, headers=_ANY_PAGE)


def _wish(body: bytes, offered: Mapping[str, Purpose]) -> Wish:
    try:
        told = orjson.loads(body)
        endpoint, keys = told["subscription"]["endpoint"], told["subscription"]["keys"]
        kept = {"p256dh": keys["p256dh"], "auth": keys["auth"]}
    except (ValueError, TypeError, KeyError) as e:
        raise _No(400, "send {subscription, purpose, locale}, the first as a browser has it") from e
    if not isinstance(endpoint, str) or not endpoint.startswith("https://"):
        raise _No(400, "the endpoint is no address that begins with https://")
    purpose = offered.get(str(told.get("purpose")))
    if purpose is None:
        raise _No(400, f"no such purpose; there are {', '.join(sorted(offered))}")
    language = str(told.get("locale")).partition("-")[0].lower()
    locale = language if language in LOCALES else LOCALES[0]
    consent = {
        "channel": WEBPUSH,
        "purpose": purpose.id,
        "source": SOURCE,
        "text_version": text_version(purpose, locale),
    }
    data = {"endpoint": endpoint, "keys": kept, "source": SOURCE, "consents": [consent]}
    return Wish(type=SUBSCRIBED, data=data)


async def _visitor(desk: Desk, request: Request) -> str:
    """Whom the token names; empty where there is none."""
    token = request.query_params.get("visitor", "")
    if not token:
        return ""
    now = desk.clock()
    try:
        opened = await desk.office.ask(lambda _: desk.links.open(For.SLOTS, token, now=now))
    except Expired:
        raise _No(410, "this token was good once; ask for another") from None
    if opened is None:
        raise _No(404, "this is no token of ours")
    return opened.says[0]


def _script(name: str) -> Route:
    text = (_STATIC / name).read_text(encoding="utf-8")
    headers = {"cache-control": "public, max-age=3600", "x-content-type-options": "nosniff"}

    async def script(_: Request) -> Response:
        return Response(text, media_type="text/javascript", headers=headers)

    return Route(f"/{name}", script, methods=["GET"])
