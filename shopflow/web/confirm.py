"""The second step of a double opt-in, `/c/TOKEN`: a page with a button; only the button confirms.

A link confirms what was asked for before it was made, at the address that it was sent to, while
that still waits. So it serves once, and none brings back what was withdrawn since.
"""

from __future__ import annotations

from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shopflow.domain.customer import ConsentState, Customer
from shopflow.domain.policy import Purpose
from shopflow.domain.ruleset import Ruleset
from shopflow.runtime.links import For, Opened
from shopflow.runtime.wishes import Wish
from shopflow.web.choices import address, text_version, title_of
from shopflow.web.pages import Refusal
from shopflow.web.tokens import Desk

#: A link's time is kept in whole seconds.
_SECOND = timedelta(seconds=1)


def route(desk: Desk, ruleset: Ruleset) -> Route:
    """The page and its button."""

    def waiting(customer: Customer, opened: Opened) -> list[Purpose]:
        _, channel, fingerprint = opened.says
        theirs = address(ruleset, customer, channel)
        if not theirs or desk.links.fingerprint(theirs) != fingerprint:
            return []
        entries = customer.consents
        return [
            purpose
            for name, purpose in ruleset.purposes.items()
            if (entry := entries.get((channel, name))) is not None
            and entry.state is ConsentState.PENDING
            and entry.at < opened.made_at + _SECOND
        ]

    async def answer(request: Request, opened: Opened) -> Response:
        customer_id, channel, _ = opened.says
        customer = await desk.office.customer(customer_id)
        locale = desk.pages.locale(request, customer)
        confirmed: list[Purpose] = []

        def asked(person: Customer) -> list[Wish]:
            confirmed[:] = waiting(person, opened)
            return [_yes(channel, purpose, opened, locale) for purpose in confirmed]

        if request.method == "POST":
            await desk.office.wish(customer_id, asked)
        asked_for = confirmed or waiting(customer, opened)
        if not asked_for or (request.method == "POST" and not confirmed):
            raise Refusal(410, "used")
        return desk.pages.page(
            "confirm",
            locale=locale,
            done=bool(confirmed),
            channel=channel,
            titles=[title_of(one, locale) for one in asked_for],
        )

    return desk.route(For.CONFIRM, answer, methods=("GET", "POST"))


def _yes(channel: str, purpose: Purpose, opened: Opened, locale: str) -> Wish:
    data = {
        "channel": channel,
        "purpose": purpose.id,
        "source": "confirm_page",
        "text_version": text_version(purpose, locale),
        "proof": f"by the link sent to this address at {opened.made_at:%Y-%m-%dT%H:%M:%SZ}",
    }
    return Wish(type="consent.confirmed", data=data)
