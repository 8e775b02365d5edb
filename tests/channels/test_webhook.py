"""The webhook channel against a real HTTP server."""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from hashlib import sha256

import pytest
from shopflow_channels.webhook import WebhookChannel

from shopflow.channel import FailureReason, Outcome
from shopflow.errors import SettingsError
from shopflow.testing.channel import a_message

SECRET = "0123456789abcdef-secret"


def post(server, messages, **settings):
    async def run():
        async with server.listening():
            url = f"http://127.0.0.1:{server.port}/hook?token=t0ken"
            told = {"url": url, "secret": SECRET, "allow_private": True}
            channel = WebhookChannel({**told, **settings})
            try:
                async with asyncio.timeout(20):
                    return {identity: receipt async for identity, receipt in channel.send(messages)}
            finally:
                await channel.aclose()

    return asyncio.run(run())


def answering(line, extra=b"Content-Length: 0\r\n"):
    return lambda _count: b"HTTP/1.1 " + line + b"\r\n" + extra + b"\r\n"


def test_body_is_signed_with_the_time_and_carries_the_key(receiver):
    server = receiver()
    receipt = post(server, [a_message("m-1")])["m-1"]
    assert receipt.outcome is Outcome.ACCEPTED
    ((headers, body),) = server.requests
    stamp, _, signature = headers["shopflow-signature"].partition(",v1=")
    stamp = stamp.removeprefix("t=")
    expected = hmac.new(SECRET.encode(), stamp.encode() + b"." + body, sha256).hexdigest()
    assert hmac.compare_digest(signature, expected)
    assert abs(int(stamp) - time.time()) < 60
    assert headers["idempotency-key"] == "m-1"
    assert headers["content-type"] == "application/json"
    assert json.loads(body) == {"hello": "world"}


def test_without_a_template_the_values_are_sent(receiver):
    server = receiver()
    post(server, [a_message("m-1", content={}, variables={"total": 90.0, "name": "é"})])
    body = json.loads(server.requests[0][1])
    assert body["values"] == {"total": 90.0, "name": "é"}
    assert body["workflow"] == "abandoned-cart"


@pytest.mark.parametrize(
    ("line", "reason", "retryable"),
    [
        (b"408 Request Timeout", FailureReason.TIMEOUT, True),
        (b"425 Too Early", FailureReason.REJECTED, True),
        (b"429 Too Many Requests", FailureReason.RATE_LIMITED, True),
        (b"500 Oops", FailureReason.REJECTED, True),
        (b"503 Down", FailureReason.REJECTED, True),
        (b"400 Bad Request", FailureReason.REJECTED, False),
        (b"401 Unauthorized", FailureReason.AUTH, False),
        (b"404 Not Found", FailureReason.REJECTED, False),
        (b"410 Gone", FailureReason.REJECTED, False),
    ],
)
def test_status_decides_whether_to_try_again(receiver, line, reason, retryable):
    receipt = post(receiver(answering(line)), [a_message("m-1")])["m-1"]
    assert (receipt.outcome, receipt.reason) == (Outcome.FAILED, reason)
    assert receipt.retryable is retryable


def test_redirect_is_not_followed(receiver):
    server = receiver(answering(b"302 Found", b"Location: /elsewhere\r\nContent-Length: 0\r\n"))
    receipt = post(server, [a_message("m-1")])["m-1"]
    assert (receipt.outcome, receipt.retryable) == (Outcome.FAILED, False)
    assert len(server.requests) == 1


def test_request_without_an_answer_is_uncertain(receiver):
    receipt = post(receiver(lambda _count: None), [a_message("m-1")])["m-1"]
    assert receipt.outcome is Outcome.UNCERTAIN


def test_silent_receiver_is_an_uncertain_timeout(receiver):
    receipt = post(receiver(lambda _count: b""), [a_message("m-1")], timeout=0.2)["m-1"]
    assert (receipt.outcome, receipt.reason) == (Outcome.UNCERTAIN, FailureReason.TIMEOUT)


def test_endless_answer_body_does_not_hold_the_channel_up(receiver):
    server = receiver(answering(b"200 OK", b"Content-Length: 99999999999\r\n"))
    receipt = post(server, [a_message("m-1")], timeout=5)["m-1"]
    assert receipt.outcome is Outcome.ACCEPTED


def test_nobody_listening_is_retryable(free_port):
    async def run():
        url = f"http://127.0.0.1:{free_port}/"
        channel = WebhookChannel({"url": url, "secret": SECRET, "allow_private": True})
        pairs = [pair async for pair in channel.send([a_message(f"m-{n}") for n in range(20)])]
        await channel.aclose()
        return pairs

    pairs = asyncio.run(run())
    assert len(pairs) == 20
    assert {(r.reason, r.retryable) for _, r in pairs} == {(FailureReason.CONNECTION, True)}


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/x",
        "ftp://hooks.example/x",
        "https:///path-only",
        "https://[::1",
        "https://a.example/a b",
        "https://a.example:99999999/",
        "https://0177.0.0.1/",
        "hooks.example",
    ],
)
def test_url_that_is_not_safe_is_refused_without_showing_it(url):
    with pytest.raises(SettingsError, match=r"channels\.webhook\.url") as caught:
        WebhookChannel({"url": url, "secret": SECRET})
    assert url not in str(caught.value)


def test_http_beyond_this_machine_has_to_be_allowed_on_purpose():
    WebhookChannel({"url": "http://hooks.example/x", "secret": SECRET, "allow_http": True})
    here = {"url": "http://localhost:9/x", "secret": SECRET, "allow_private": True}
    WebhookChannel(here)
