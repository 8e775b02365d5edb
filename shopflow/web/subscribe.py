"""The subscribe form, `/subscribe`: an address and what may come to it; the rest is confirmed.

Anybody may type anybody's address here. So nothing about an address is told, nobody's data change
but those of a row that the address itself names, a name can carry no text of its own, and one
address gets a few mails a day at most.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shopflow.domain.customer import ConsentState, Customer
from shopflow.domain.policy import MessageClass, Purpose
from shopflow.domain.ruleset import Ruleset
from shopflow.domain.words import in_language
from shopflow.runtime.contact import email_address, phone_number
from shopflow.runtime.links import For
from shopflow.runtime.wishes import Wish
from shopflow.web.choices import text_version, title_of
from shopflow.web.limits import Limit
from shopflow.web.pages import Refusal, client, form, one
from shopflow.web.tokens import Desk

SOURCE = "subscribe_page"
EMAIL, SMS = "email", "sms"
#: Sign-ups from one place, and mails that strangers can have sent to one address.
FROM_ONE, TO_ONE = (20, 3600.0), (3, 86_400.0)
#: A name is letters and what joins them: no address, no link, no sentence.
_NAME = re.compile(r"[^\W\d_]+(?:[ '\u2019-][^\W\d_]+){0,3}")
_LONGEST_NAME = 40


@dataclass(slots=True)
class _Asked:
    """What the form says, and what is wrong with it."""

    email: str = ""
    phone: str = ""
    first_name: str = ""
    ticked: frozenset[str] = frozenset()
    wrong: list[str] = field(default_factory=list)


def routes(desk: Desk, ruleset: Ruleset, region: str) -> list[Route]:
    """The form, where there is something to subscribe to.

    `region` is the country of numbers written without one.
    """
    offered = [
        purpose
        for purpose in ruleset.purposes.values()
        if purpose.message_class is MessageClass.MARKETING
        and purpose.parent not in ruleset.purposes
        and EMAIL in purpose.channels
    ]
    # A number typed by a stranger counts once it is confirmed, or not at all.
    by_phone = SMS in ruleset.channels and any(_confirms(one, SMS) for one in offered)
    callers, addresses = Limit(*FROM_ONE), Limit(*TO_ONE)

    async def page(request: Request) -> Response:
        locale = desk.pages.locale(request)
        asked, done = _Asked(), False
        if request.method == "POST":
            fields = await form(request)
            if not callers.allows(client(request)):
                raise Refusal(429, "too_often")
            asked = _read(fields, offered, region)
            done = not asked.wrong
            if done and not one(fields, "website"):
                await _sign_up(asked, locale)
        return desk.pages.page(
            "subscribe",
            locale=locale,
            status=422 if asked.wrong else 200,
            done=done,
            asked=asked,
            by_phone=by_phone,
            boxes=[_box(each, locale) for each in offered],
        )

    async def _sign_up(asked: _Asked, locale: str) -> None:
        name = desk.links.fingerprint("subscribe", asked.email.lower())
        if not addresses.allows(name):
            return
        await desk.office.wish(
            f"web-{name}", lambda person: _wishes(person, asked, locale), anonymous=True
        )

    def _wishes(person: Customer, asked: _Asked, locale: str) -> list[Wish]:
        wanted = [each for each in offered if each.id in asked.ticked]
        channels = [EMAIL, *([SMS] if by_phone and asked.phone else [])]
        consents = [
            {
                "channel": channel,
                "purpose": each.id,
                "source": SOURCE,
                "text_version": text_version(each, locale),
            }
            for channel in channels
            for each in wanted
            if (channel == EMAIL or _confirms(each, channel)) and not _has(person, channel, each.id)
        ]
        if not consents:
            return []
        data: dict[str, object] = {
            "email": asked.email,
            "locale": locale,
            "source": SOURCE,
            "consents": consents,
            "confirm_url": desk.links.url(
                For.CONFIRM,
                person.id,
                EMAIL,
                desk.links.fingerprint(asked.email),
                now=desk.clock(),
            ),
        }
        if SMS in channels:
            data["phone"] = asked.phone
        if asked.first_name:
            data["first_name"] = asked.first_name
        return [Wish(type="newsletter.subscribed", data=data)]

    form_page = Route("/subscribe", desk.guarded(page), methods=["GET", "POST"])
    return [form_page] if offered else []


def _confirms(purpose: Purpose, channel: str) -> bool:
    rule = purpose.channels.get(channel)
    return rule is not None and rule.double_opt_in


def _has(person: Customer, channel: str, purpose: str) -> bool:
    entry = person.consents.get((channel, purpose))
    return entry is not None and entry.state in {ConsentState.GRANTED, ConsentState.PAUSED}


def _read(fields: Mapping[str, list[str]], offered: list[Purpose], region: str) -> _Asked:
    asked = _Asked(email=one(fields, "email", 320), phone=one(fields, "phone", 40))
    if email := email_address(asked.email):
        asked.email = email
    else:
        asked.wrong.append("email")
    if asked.phone:
        if phone := phone_number(asked.phone, region):
            asked.phone = phone
        else:
            asked.wrong.append("phone")
    name = one(fields, "first_name", 200)
    if len(name) <= _LONGEST_NAME and _NAME.fullmatch(name):
        asked.first_name = name
    known = {each.id for each in offered}
    asked.ticked = frozenset(fields.get("purpose", [])) & known
    if not asked.ticked:
        asked.wrong.append("agree")
    return asked


def _box(purpose: Purpose, locale: str) -> Mapping[str, str]:
    return {
        "id": purpose.id,
        "title": title_of(purpose, locale),
        "text": in_language(purpose.text, locale),
    }
