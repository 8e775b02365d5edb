"""What every page behind a sealed link does first: open the link, and refuse what is none."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from shopflow.runtime.links import Expired, For, Links, Opened
from shopflow.runtime.wishes import WishRefused
from shopflow.web.limits import Limit
from shopflow.web.office import Away, Office
from shopflow.web.pages import Pages, Refusal, client

log = logging.getLogger("shopflow.web")

#: What a page does with a good link.
Answers = Callable[[Request, Opened], Awaitable[Response]]
#: Links that are no good, from one address; ten thousand guesses are one line in the log.
GUESSES, IN_SECONDS = 30, 600.0
#: What one link may change, and how fast.
CHANGES, PER_SECONDS = 30, 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What pages behind links share."""

    pages: Pages
    links: Links
    office: Office
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    guesses: Limit = field(default_factory=lambda: Limit(GUESSES, IN_SECONDS))
    changes: Limit = field(default_factory=lambda: Limit(CHANGES, PER_SECONDS))

    def route(self, purpose: For, answers: Answers, *, methods: tuple[str, ...]) -> Route:
        """The page of the purpose: `/u/TOKEN`; a link that is no good never gets to `answers`."""

        async def page(request: Request) -> Response:
            opened = await self._opened(request, purpose)
            if request.method == "POST" and not self.changes.allows(request.path_params["token"]):
                raise Refusal(429, "too_often")
            return await answers(request, opened)

        return Route(f"/{purpose}/{{token}}", self.guarded(page), methods=list(methods))

    def guarded(
        self, page: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """The page; what it refuses is answered by a plain one."""

        async def answered(request: Request) -> Response:
            try:
                return await page(request)
            except Refusal as refusal:
                return self.pages.plain(request, refusal)
            except WishRefused as e:
                log.warning("a wish was refused: %s", e)
                return self.pages.plain(request, Refusal(422, "no_form"))
            except Away:
                return self.pages.plain(request, Refusal(503, "away"))
            except ClientDisconnect:
                return Response(status_code=400)

        return answered

    async def _opened(self, request: Request, purpose: For) -> Opened:
        token, now = request.path_params["token"], self.clock()
        try:
            # Keys are read again now and then, which may take a while.
            opened = await self.office.ask(lambda _: self.links.open(purpose, token, now=now))
        except Expired:
            raise Refusal(410, "expired") from None
        if opened is not None:
            return opened
        # A good link is never turned away, whoever else is behind the same address.
        if not self.guesses.allows(client(request)):
            raise Refusal(429, "too_often")
        raise Refusal(404, "no_link")
