"""Tickets and posts over HTTP, against a real server: what is said, and in whose shape."""

from __future__ import annotations

import asyncio
import json

import pytest
from shopflow_channels.helpdesk import HelpdeskChannel
from shopflow_channels.social import SocialChannel

from shopflow.channel import FailureReason, OnUncertain, Outcome
from shopflow.errors import SettingsError
from shopflow.testing.channel import a_message

TICKET = {
    "subject": "Angry\nabout a parcel",
    "body": "It is late.",
    "priority": "high",
    "requester": "anna@shop.example",
    "tags": ["nps"],
    "order_id": "o1",
}


def post(server, channel_class, message, **settings):
    async def run():
        async with server.listening():
            url = f"http://127.0.0.1:{server.port}/hook"
            channel = channel_class({"url": url, "allow_private": True, **settings})
            try:
                async with asyncio.timeout(20):
                    [(_, receipt)] = [pair async for pair in channel.send([message])]
            finally:
                await channel.aclose()
            return receipt

    return asyncio.run(run())


def answering(line, body=b""):
    length = f"Content-Length: {len(body)}\r\n\r\n".encode()
    return lambda _count: b"HTTP/1.1 " + line + b"\r\n" + length + body


def a_ticket(**changes):
    return a_message("m-1", content={}, variables={**TICKET, **changes})


def test_a_ticket_says_what_its_step_says(receiver):
    server = receiver()
    receipt = post(server, HelpdeskChannel, a_ticket(), authorization="Bearer t0ken")
    assert receipt.outcome is Outcome.ACCEPTED
    ((headers, body),) = server.requests
    assert (headers["authorization"], headers["idempotency-key"]) == ("Bearer t0ken", "m-1")
    told = json.loads(body)
    assert told["subject"] == "Angry about a parcel"
    assert told["fields"] == {"order_id": "o1"}
    assert (told["priority"], told["requester"], told["tags"]) == (
        "high",
        "anna@shop.example",
        ["nps"],
    )
    assert told["external_id"] == "m-1"


def test_zendesk_gets_its_own_shape(receiver):
    server = receiver(answering(b"201 Created", b'{"ticket": {"id": 35436}}'))
    receipt = post(server, HelpdeskChannel, a_ticket(), format="zendesk")
    assert receipt.provider_id == "35436"
    ticket = json.loads(server.requests[0][1])["ticket"]
    assert ticket["comment"]["public"] is False
    assert ticket["comment"]["body"].startswith("It is late.\n\norder_id: o1\n")
    assert ticket["requester"]["email"] == "anna@shop.example"
    assert "abandoned-cart" in ticket["tags"]


def test_a_ticket_about_nobody_known_has_no_requester(receiver):
    server = receiver()
    post(server, HelpdeskChannel, a_ticket(requester=""), format="zendesk")
    assert "requester" not in json.loads(server.requests[0][1])["ticket"]


def test_a_ticket_without_a_body_says_its_subject(receiver):
    server = receiver()
    post(server, HelpdeskChannel, a_ticket(body=""))
    assert json.loads(server.requests[0][1])["body"] == "Angry\nabout a parcel"


@pytest.mark.parametrize("channel", [HelpdeskChannel, SocialChannel])
def test_who_may_not_is_told_so(receiver, channel):
    receipt = post(receiver(answering(b"401 Unauthorized")), channel, a_ticket())
    assert (receipt.reason, receipt.retryable) == (FailureReason.AUTH, False)


def test_a_post_is_the_template_and_its_links(receiver):
    server = receiver(answering(b"200 OK", b'{"id": "p-9"}'))
    message = a_message(
        "m-1",
        content={"text": "New: a lamp\n"},
        variables={"url": "https://shop.example/l", "image_url": "", "sku": "L1"},
    )
    receipt = post(server, SocialChannel, message, networks=["instagram"])
    assert receipt.provider_id == "p-9"
    assert json.loads(server.requests[0][1]) == {
        "id": "m-1",
        "text": "New: a lamp",
        "locale": "fr",
        "networks": ["instagram"],
        "url": "https://shop.example/l",
    }


def test_a_post_in_doubt_is_not_repeated():
    assert SocialChannel.on_uncertain is OnUncertain.HOLD
    assert HelpdeskChannel.on_uncertain is OnUncertain.RESEND


@pytest.mark.parametrize("channel", [HelpdeskChannel, SocialChannel])
@pytest.mark.parametrize("url", ["http://helpdesk.example/t", "ftp://x/y", "https://a b/"])
def test_what_can_be_read_on_the_way_is_refused(channel, url):
    with pytest.raises(SettingsError, match=rf"channels\.{channel.name}\.url"):
        channel({"url": url})


def test_a_status_counts_though_its_body_is_cut_off_or_never_comes(receiver):
    cut = b"HTTP/1.1 201 Created\r\nContent-Length: 50\r\n\r\nhalf of it"
    chunked = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf "
    for answer in (cut, chunked):
        receipt = post(receiver(lambda _count, told=answer: told), SocialChannel, a_ticket())
        assert (receipt.outcome, receipt.provider_id) == (Outcome.ACCEPTED, "")
