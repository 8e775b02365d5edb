"""Clicks and opens: known only of those who agreed, and no link leads where it was not made to."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape

import pytest

from shopflow.domain.message import Message
from shopflow.domain.policy import MessageClass
from shopflow.runtime.tracking import may_track, tracked

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)
SHOP = "https://boutique.example/p?sku=A1&for=anna"
HTML = (
    f'<html><body><a class="x" href="{SHOP.replace("&", "&amp;")}">Look</a>'
    '<a href="https://shop.example/p/abc">Ours</a><a href="mailto:a@b.example">Write</a>'
    "</body></html>"
)


def a_message(customer):
    return Message(
        id="m1",
        customer_id=customer,
        enrolment_id="n1",
        workflow="news",
        version=1,
        digest="d",
        step="send",
        visit=1,
        channel="email",
        purpose="marketing",
        message_class=MessageClass.MARKETING,
        priority=50,
        template="news",
        locale="en",
        address=f"{customer}@example.com",
        variables={},
        trigger_event_id="e1",
        decided_at=NOW,
        cursor_at=NOW,
        send_by=NOW,
    )


@pytest.fixture
def mail(inside, anna):
    """The links of a mail to somebody who agreed: the click and the pixel."""
    inside.tell(anna, "consent.granted", channel="email", purpose="tracking")
    page = tracked({"html": HTML, "text": SHOP}, a_message(anna), inside.links, NOW)
    assert page["text"] == SHOP, "a text shows where it leads"
    found = [unescape(url) for url in re.findall(r'(?:href|src)="([^"]+)"', page["html"])]
    click, ours, write, pixel = found
    assert (ours, write) == ("https://shop.example/p/abc", "mailto:a@b.example")
    return click.removeprefix("https://shop.example"), pixel.removeprefix("https://shop.example")


def told(inside, customer):
    return [one for one in inside.events(customer) if one.type.startswith("message.")]


async def test_a_click_leads_on_and_is_noted_without_what_the_query_says(inside, anna, mail):
    async with inside.client() as client:
        answer = await client.get(mail[0])
    assert (answer.status_code, answer.headers["location"]) == (302, SHOP)
    (event,) = told(inside, anna)
    assert (event.type, event.link) == ("message.clicked", "https://boutique.example/p")
    assert (event.message_id, event.workflow) == ("m1", "news")


async def test_an_open_is_noted_and_a_picture_comes_back(inside, anna, mail):
    async with inside.client() as client:
        answer = await client.get(mail[1])
    assert answer.headers["content-type"] == "image/gif"
    assert [one.type for one in told(inside, anna)] == ["message.opened"]


async def test_whoever_took_it_back_is_led_on_and_nothing_is_noted(inside, anna, mail):
    inside.tell(anna, "consent.withdrawn", channel="email", purpose="tracking")
    async with inside.client() as client:
        assert (await client.get(mail[0])).headers["location"] == SHOP
        assert (await client.get(mail[1])).status_code == 200
    assert told(inside, anna) == []


async def test_a_program_that_asks_whether_the_link_lives_has_read_nothing(inside, anna, mail):
    async with inside.client() as client:
        assert (await client.head(mail[0])).status_code == 302
    assert told(inside, anna) == []


async def test_no_link_leads_where_it_was_not_made_to(inside, mail):
    async with inside.client("198.51.100.44") as client:
        for wrong in (
            "/r/https://evil.example",
            "/r/0.aHR0cHM6Ly9ldmlsLmV4YW1wbGU",
            f"{mail[0]}?url=https://evil.example",
            mail[0][:-4],
            mail[1].replace("/o/", "/r/"),
        ):
            answer = await client.get(wrong)
            assert answer.headers.get("location", SHOP) == SHOP
            assert answer.status_code in {302, 404}


def test_without_consent_nothing_is_tracked(inside, anna):
    ruleset = inside.app.loaded.ruleset
    assert not may_track(ruleset, inside.parts.wishes.customer(anna), "email", NOW)
    none = {k: v for k, v in ruleset.purposes.items() if k != "tracking"}
    inside.tell(anna, "consent.granted", channel="email", purpose="tracking")
    customer = inside.parts.wishes.customer(anna)
    assert may_track(ruleset, customer, "email", NOW)
    assert not may_track(replace(ruleset, purposes=none), customer, "email", NOW)
