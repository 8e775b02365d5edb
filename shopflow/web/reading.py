"""Links that tell, `/r/TOKEN` and `/o/TOKEN`: the reader goes on at once, whatever becomes of it.

Where a link leads is sealed in it, so it leads nowhere else. Whoever has taken back what they had
agreed to is led on all the same, and nothing is noted.
"""

from __future__ import annotations

from base64 import b64decode
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from shopflow.domain.customer import Customer
from shopflow.domain.ruleset import Ruleset
from shopflow.runtime.links import For, Opened
from shopflow.runtime.tracking import Reading, may_track
from shopflow.runtime.wishes import Wish
from shopflow.web.office import Away
from shopflow.web.tokens import Desk

_PIXEL = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_QUIET = {"cache-control": "no-store", "referrer-policy": "no-referrer", "x-robots-tag": "noindex"}


def routes(desk: Desk, ruleset: Ruleset) -> list[Route]:
    """The click and the pixel."""

    async def note(request: Request, reading: Reading, event_type: str) -> None:
        # A program that only asks whether the link is alive has read nothing.
        if request.method != "GET":
            return

        def asked(person: Customer) -> list[Wish]:
            if not may_track(ruleset, person, reading.channel, desk.clock()):
                return []
            data = {
                "message_id": reading.message_id,
                "channel": reading.channel,
                "purpose": reading.purpose,
                "workflow": reading.workflow,
                "step_id": reading.step,
            }
            if reading.url:
                # Where, and not with what: a query may say more of the person than they agreed to.
                data["link"] = urlsplit(reading.url)._replace(query="", fragment="").geturl()
            return [Wish(type=event_type, data=data)]

        try:
            await desk.office.wish(reading.customer_id, asked)
        except Away:
            return

    async def click(request: Request, opened: Opened) -> Response:
        reading = Reading(*opened.says)
        await note(request, reading, "message.clicked")
        return RedirectResponse(reading.url, status_code=302, headers=_QUIET)

    async def pixel(request: Request, opened: Opened) -> Response:
        await note(request, Reading(*opened.says), "message.opened")
        return Response(_PIXEL, media_type="image/gif", headers=_QUIET)

    return [
        desk.route(For.CLICK, click, methods=("GET",)),
        desk.route(For.OPEN, pixel, methods=("GET",)),
    ]
