"""The way out: `/u/TOKEN` shows a page and changes nothing; a POST acts, in one click.

Mail programs fetch links and post to them by themselves (RFC 8058): theirs is answered without
page, redirect or cookie, and only once the withdrawal is kept.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shopflow.domain.customer import ConsentState, Customer
from shopflow.domain.policy import Purpose
from shopflow.domain.ruleset import Ruleset
from shopflow.engine.consent import OBJECTABLE
from shopflow.runtime.links import For, Opened, Subject
from shopflow.runtime.wishes import Wish
from shopflow.web.office import Away
from shopflow.web.pages import MAX_FORM, bounded_body
from shopflow.web.tokens import Desk

#: What RFC 8058 has a mail program say, in whichever form it says it.
_ONE_CLICK = (b"List-Unsubscribe", b"One-Click")
_OVER = frozenset({ConsentState.WITHDRAWN, ConsentState.DENIED})


def route(desk: Desk, ruleset: Ruleset) -> Route:
    """The page and its button."""
    refusable = [one for one in ruleset.purposes.values() if one.message_class in OBJECTABLE]

    async def answer(request: Request, opened: Opened) -> Response:
        subject = Subject(*opened.says)
        if request.method == "POST":
            body = await bounded_body(request, MAX_FORM)
            if all(word in body for word in _ONE_CLICK):
                try:
                    await withdraw(desk, subject, refusable, "one_click")
                except Away:
                    return Response(status_code=503, headers={"retry-after": "60"})
                return Response(status_code=200)
            customer = await withdraw(desk, subject, refusable, "unsubscribe_page")
        else:
            customer = await desk.office.customer(subject.customer_id)
        return desk.pages.page(
            "unsubscribe",
            locale=desk.pages.locale(request, customer),
            channel=subject.channel,
            done=not _left(customer, refusable, subject.channel),
        )

    return desk.route(For.UNSUBSCRIBE, answer, methods=("GET", "POST"))


async def withdraw(
    desk: Desk, subject: Subject, refusable: Sequence[Purpose], source: str
) -> Customer:
    """Marketing and relationship of the channel are over; asked twice, it is so once."""

    def asked(customer: Customer) -> list[Wish]:
        if not _left(customer, refusable, subject.channel):
            return []
        data = {"channel": subject.channel, "source": source, "reason": subject.purpose}
        return [Wish(type="consent.withdrawn", data=data)]

    return await desk.office.wish(subject.customer_id, asked)


def _left(customer: Customer, refusable: Sequence[Purpose], channel: str) -> list[str]:
    """The purposes that have not been refused on the channel."""
    entries = ((one.id, customer.consents.get((channel, one.id))) for one in refusable)
    return [name for name, entry in entries if entry is None or entry.state not in _OVER]
