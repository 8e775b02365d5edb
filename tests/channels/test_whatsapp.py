"""Template messages for WhatsApp, as the Cloud API takes them, over a real connection."""

from __future__ import annotations

import asyncio
import json

import pytest
from shopflow_channels.whatsapp import WhatsAppChannel

from shopflow.channel import FailureReason, OnUncertain, Outcome
from shopflow.testing.channel import a_message

PARCEL = {"name": "parcel_today", "body": "Anna\n2026-00017\n"}


def send(server, message):
    async def run():
        async with server.listening():
            url = f"http://127.0.0.1:{server.port}/v23.0/1/messages"
            channel = WhatsAppChannel(
                {"url": url, "authorization": "Bearer t0ken", "allow_private": True}
            )
            try:
                async with asyncio.timeout(20):
                    [(_, receipt)] = [pair async for pair in channel.send([message])]
            finally:
                await channel.aclose()
            return receipt

    return asyncio.run(run())


def a_word(content, **changes):
    return a_message("m-1", **{"to": "+33612345678", "content": content, **changes})


def answering(line, body):
    """In pieces without a length, as the API answers."""
    chunk = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    return lambda _count: b"HTTP/1.1 " + line + b"\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk


def test_a_template_is_named_with_a_parameter_for_each_line(receiver):
    server = receiver(answering(b"200 OK", b'{"messages": [{"id": "wamid.A"}]}'))
    receipt = send(server, a_word(PARCEL))
    assert (receipt.outcome, receipt.provider_id) == (Outcome.ACCEPTED, "wamid.A")
    ((headers, body),) = server.requests
    assert headers["authorization"] == "Bearer t0ken"
    assert json.loads(body) == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "33612345678",
        "type": "template",
        "template": {
            "name": "parcel_today",
            "language": {"code": "fr"},
            "components": [
                {
                    "type": "body",
                    "parameters": [
                        {"type": "text", "text": "Anna"},
                        {"type": "text", "text": "2026-00017"},
                    ],
                }
            ],
        },
        "biz_opaque_callback_data": "m-1",
    }


def test_header_picture_and_button_go_where_they_belong(receiver):
    server = receiver()
    content = {"name": "offer", "language": "en_US", "image": "https://s.example/i.jpg"}
    send(server, a_word({**content, "button": "r/k1"}))
    send(server, a_word({"name": "offer", "header": "Hello\t\nAnna"}, locale="pt-BR"))
    first, second = (json.loads(body)["template"] for _, body in server.requests)
    assert first["language"]["code"] == "en_US"
    assert first["components"] == [
        {
            "type": "header",
            "parameters": [{"type": "image", "image": {"link": "https://s.example/i.jpg"}}],
        },
        {
            "type": "button",
            "sub_type": "url",
            "index": "0",
            "parameters": [{"type": "text", "text": "r/k1"}],
        },
    ]
    assert second["language"]["code"] == "pt_BR"
    assert second["components"][0]["parameters"] == [{"type": "text", "text": "Hello Anna"}]


@pytest.mark.parametrize(
    "content", [{"name": ""}, {"name": "Not A Name"}, {"name": "x", "body": "Anna\n\n17"}]
)
def test_what_is_no_template_is_not_posted(receiver, content):
    server = receiver()
    receipt = send(server, a_word(content))
    assert (receipt.reason, receipt.retryable) == (FailureReason.TEMPLATE, False)
    assert server.requests == []


@pytest.mark.parametrize(
    ("code", "reason", "retryable"),
    [
        (131026, FailureReason.BAD_ADDRESS, False),
        (130429, FailureReason.RATE_LIMITED, True),
        (132001, FailureReason.TEMPLATE, False),
        (190, FailureReason.AUTH, True),
        (131000, FailureReason.REJECTED, True),
        (99, FailureReason.REJECTED, False),
    ],
)
def test_codes_say_more_than_the_status(receiver, code, reason, retryable):
    body = json.dumps({"error": {"code": code, "message": "to +33612345678"}}).encode()
    receipt = send(receiver(answering(b"400 Bad Request", body)), a_word(PARCEL))
    assert (receipt.reason, receipt.retryable) == (reason, retryable)
    assert "336" not in receipt.detail


def test_a_word_in_doubt_is_not_repeated():
    assert WhatsAppChannel.on_uncertain is OnUncertain.HOLD
