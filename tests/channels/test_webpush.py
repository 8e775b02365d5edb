"""Pushes to browsers: encrypted for one, signed by the shop, and only to push services."""

from __future__ import annotations

import asyncio
import json

import pytest
from py_vapid import Vapid02
from shopflow_channels.webpush import WebPushChannel
from support.push_browser import Browser, vapid_key

from shopflow.channel import FailureReason, Outcome
from shopflow.errors import SettingsError
from shopflow.testing.channel import a_message

KEY = vapid_key()
NOTICE = {"title": "Votre panier", "body": "Il vous attend.", "url": "https://shop.example/c"}


def pushed(channel_settings, *messages):
    async def run():
        given = {"private_key": KEY, "contact": "mailto:shop@shop.example", **channel_settings}
        channel = WebPushChannel(given)
        try:
            async with asyncio.timeout(20):
                return dict([pair async for pair in channel.send(messages)])
        finally:
            await channel.aclose()

    return asyncio.run(run())


def push(server, message_of, **settings):
    """The receipt of a message to a browser whose service is this server."""

    async def run():
        async with server.listening():
            browser = Browser(server.port)
            given = {"private_key": KEY, "contact": "mailto:shop@shop.example", **settings}
            channel = WebPushChannel({"services": ["127.0.0.1"], "allow_private": True, **given})
            try:
                async with asyncio.timeout(20):
                    found = [one async for one in channel.send([message_of(browser)])]
            finally:
                await channel.aclose()
            return browser, found[0][1]

    return asyncio.run(run())


def a_push(browser, **changes):
    return a_message("m-1", to=browser.subscription, content={**NOTICE, **changes})


def answering(line):
    return lambda _count: b"HTTP/1.1 " + line + b"\r\nContent-Length: 0\r\n\r\n"


def test_only_the_browser_can_read_what_it_is_sent(receiver):
    server = receiver(answering(b"201 Created"))
    browser, receipt = push(server, a_push)
    assert receipt.outcome is Outcome.ACCEPTED
    ((headers, body),) = server.requests
    assert headers["content-encoding"] == "aes128gcm"
    assert b"panier" not in body
    assert browser.read(body) == {**NOTICE, "tag": "m-1", "id": "m-1"}
    assert int(headers["ttl"]) > 0


def test_the_service_can_tell_who_sends(receiver):
    server = receiver()
    push(server, a_push)
    assert Vapid02.verify(server.requests[0][0]["authorization"])


def test_a_repetition_takes_the_place_of_the_first(receiver):
    server = receiver()
    push(server, a_push)
    push(server, a_push)
    first, second = (headers["topic"] for headers, _ in server.requests)
    assert first == second
    assert len(first) <= 32


@pytest.mark.parametrize(
    ("answer", "reason", "retryable"),
    [
        (b"404 Not Found", FailureReason.BAD_ADDRESS, False),
        (b"410 Gone", FailureReason.BAD_ADDRESS, False),
        (b"413 Too Large", FailureReason.REJECTED, False),
        (b"429 Slowly", FailureReason.RATE_LIMITED, True),
        (b"503 Later", FailureReason.REJECTED, True),
        (b"403 Another key", FailureReason.AUTH, False),
    ],
)
def test_an_ended_subscription_is_a_bad_address_and_others_are_told_apart(
    receiver, answer, reason, retryable
):
    _, receipt = push(receiver(answering(answer)), a_push)
    assert (receipt.outcome, receipt.reason) == (Outcome.FAILED, reason)
    assert receipt.retryable is retryable


def test_a_service_that_does_not_answer_is_tried_again(free_port):
    browser = Browser(free_port)
    receipt = pushed({"services": ["127.0.0.1"], "allow_private": True}, a_push(browser))["m-1"]
    assert (receipt.outcome, receipt.retryable) == (Outcome.FAILED, True)


def test_a_notice_that_no_service_takes_is_not_posted(receiver):
    server = receiver()
    _, receipt = push(server, lambda browser: a_push(browser, body="x" * 4_000))
    assert (receipt.reason, server.requests) == (FailureReason.REJECTED, [])


def changed(**changes):
    return json.dumps({**json.loads(Browser(1).subscription), **changes})


@pytest.mark.parametrize(
    "address",
    [
        "[]",
        "null",
        "{}",
        changed(endpoint="https://intranet.shop.example/admin"),
        changed(endpoint="http://fcm.googleapis.com/x"),
        changed(endpoint="https://fcm.googleapis.com.evil.example/x"),
        changed(endpoint="https://user@fcm.googleapis.com/x"),
        changed(endpoint="https://fcm.googleapis.com/\u00e9"),
        changed(endpoint="http://127.0.0.1:1/x"),
        changed(endpoint="https://fcm.googleapis.com/x", keys={"p256dh": "AAAA", "auth": "AAAA"}),
        changed(endpoint="https://fcm.googleapis.com/x", keys={"p256dh": "é", "auth": 3}),
        changed(
            endpoint="https://fcm.googleapis.com/x", keys={"p256dh": "A" * 87, "auth": "A" * 22}
        ),
    ],
)
def test_nothing_is_posted_where_no_push_service_is(address):
    receipt = pushed({}, a_message("m-1", to=address, content=NOTICE))["m-1"]
    assert (receipt.reason, receipt.retryable) == (FailureReason.BAD_ADDRESS, False)


@pytest.mark.parametrize("key", ["A" * 20, "not a key at all, this", "é" * 30])
def test_a_key_that_is_none_is_told_and_not_shown(key):
    with pytest.raises(SettingsError, match=r"channels\.webpush\.private_key") as told:
        pushed({"private_key": key})
    assert key not in str(told.value)
