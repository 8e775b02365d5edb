"""The preference page, `/p/TOKEN`: what somebody receives, how, how often, and from when on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shopflow.domain.customer import Customer
from shopflow.domain.ruleset import Ruleset
from shopflow.domain.words import in_language
from shopflow.engine.preferences import CHANGED, MAX_PER_WEEK, PREFERRED_CHANNEL
from shopflow.runtime.links import For, Opened
from shopflow.runtime.wishes import Wish
from shopflow.web.choices import Choice, address, changes, choices, title_of, tracking
from shopflow.web.pages import form, one
from shopflow.web.tokens import Desk

SOURCE = "preference_page"
#: What may be chosen as the most messages of a week.
WEEKLY = ("1", "2")
LONGEST_REST = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a form says."""

    ticked: frozenset[str]
    stop: bool
    rest: str
    weekly: str
    channel: str

    @classmethod
    def of(cls, fields: Mapping[str, list[str]]) -> _Wanted:
        """As it was sent; what is no answer of ours counts as none."""
        return cls(
            ticked=frozenset(fields.get("choice", [])),
            stop=one(fields, "action") == "stop",
            rest=one(fields, "rest", 20),
            weekly=one(fields, "weekly", 20),
            channel=one(fields, "channel", 40),
        )

    def rests_until(self, now: datetime) -> datetime | None:
        """The end of the rest; None for none.

        Raises:
            ValueError: It is no day to come within a year.
        """
        if not self.rest:
            return None
        until = datetime.combine(date.fromisoformat(self.rest), time(), UTC)
        if not now < until <= now + LONGEST_REST:
            raise ValueError(self.rest)
        return until


def route(desk: Desk, ruleset: Ruleset) -> Route:
    """The page and its form."""

    async def answer(request: Request, opened: Opened) -> Response:
        customer_id, channel, fingerprint = opened.says
        now = desk.clock()
        customer = await desk.office.customer(customer_id)
        locale = desk.pages.locale(request, customer)
        saved, wrong = False, False
        if request.method == "POST":
            wanted = _Wanted.of(await form(request))
            try:
                rest = wanted.rests_until(now)
            except ValueError:
                wrong = True
            else:

                def asked(person: Customer) -> list[Wish]:
                    theirs = address(ruleset, person, channel)
                    is_theirs = bool(theirs) and desk.links.fingerprint(theirs) == fingerprint
                    proven = channel if is_theirs else ""
                    offered = choices(ruleset, person, now)
                    track = tracking(ruleset, person, now)
                    boxes = offered + ([track] if track else [])
                    ticked = frozenset[str]() if wanted.stop else wanted.ticked
                    found = changes(boxes, ticked, proven=proven, source=SOURCE, locale=locale)
                    told = {} if wanted.stop else _told(person, offered, wanted, rest)
                    if told:
                        return [*found, Wish(type=CHANGED, data={**told, "source": SOURCE})]
                    return [*found]

                customer, saved = await desk.office.wish(customer_id, asked), True
        return desk.pages.page(
            "preferences",
            locale=locale,
            status=422 if wrong else 200,
            saved=saved,
            wrong=wrong,
            first_day=(now + timedelta(days=1)).date(),
            last_day=(now + LONGEST_REST).date(),
            **_shown(ruleset, customer, locale, now),
        )

    return desk.route(For.PREFERENCES, answer, methods=("GET", "POST"))


def _told(
    customer: Customer, offered: list[Choice], wanted: _Wanted, rest: datetime | None
) -> dict[str, object]:
    """What is wished beside yes and no, as far as it is news."""
    told: dict[str, object] = {}
    weekly = int(wanted.weekly) if wanted.weekly in WEEKLY else None
    if weekly != customer.attributes.get(MAX_PER_WEEK):
        told[MAX_PER_WEEK] = weekly
    preferred = wanted.channel if wanted.channel in {each.channel for each in offered} else None
    if preferred != customer.attributes.get(PREFERRED_CHANNEL):
        told[PREFERRED_CHANNEL] = preferred
    if rest != _rest(offered):
        told["paused_until"] = None if rest is None else rest.isoformat()
    return told


def _rest(offered: list[Choice]) -> datetime | None:
    """Until when everything that is on rests; one day for all, as the page sets it."""
    return max((each.paused_until for each in offered if each.paused_until), default=None)


def _shown(
    ruleset: Ruleset, customer: Customer, locale: str, now: datetime
) -> Mapping[str, object]:
    offered = choices(ruleset, customer, now)
    rest = _rest(offered)
    groups = [
        {"channel": channel, "choices": [_box(each, ruleset, locale) for each in some]}
        for channel, some in groupby(offered, key=lambda each: each.channel)
    ]
    asked_track = tracking(ruleset, customer, now)
    return {
        "groups": groups,
        "tracking": _box(asked_track, ruleset, locale) if asked_track else None,
        "rest": rest.date().isoformat() if rest else "",
        "weekly": str(customer.attributes.get(MAX_PER_WEEK) or ""),
        "weeks": WEEKLY,
        "preferred": customer.attributes.get(PREFERRED_CHANNEL),
    }


def _box(each: Choice, ruleset: Ruleset, locale: str) -> Mapping[str, object]:
    purpose = each.purpose
    return {
        "name": each.name,
        "title": title_of(purpose, locale),
        "text": in_language(purpose.text, locale),
        "is_on": each.is_on,
        "is_child": purpose.parent in ruleset.purposes,
        "state": str(each.state or ""),
    }
