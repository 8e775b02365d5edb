"""Text messages: their letters and sizes, and what a provider is told over a real connection."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import parse_qs

import pytest
from shopflow_channels.sms import SmsChannel

from shopflow import sms
from shopflow.channel import FailureReason, OnUncertain, Outcome, Sender
from shopflow.plugins import complaints_about
from shopflow.testing.channel import a_message

#: The basic table of 3GPP TS 23.038, section 6.2.1, without its escape; and its extension.
BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = "\f^{}\\[~]|€"


def test_every_letter_of_the_gsm_alphabet_is_known_at_its_size():
    assert len(BASIC) == 127
    assert {sms.size(letter).units for letter in BASIC} == {1}
    assert {sms.size(letter).units for letter in EXTENSION} == {2}
    assert sms.size(BASIC + EXTENSION).foreign == ""


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        # An escaped letter is not torn apart: 76 fit into the 153 of a part, not 76 and a half.
        ("€" * 153, 3),
        ("ç" * 70, 1),
        ("ç" * 71, 2),
        ("ç" * 134, 2),
        ("ç" * 135, 3),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("😀" * 67, 3),
    ],
)
def test_segments_are_counted_as_they_are_billed(text, segments):
    assert sms.size(text).segments == segments


def test_what_telephones_lack_is_written_as_they_have_it():
    text = "« Ça ne reçoit plus, peut-être… » : l\u2019œuf à 5\u202f€ — naïve Noël"
    asked = '" Ça ne recoit plus, peut-etre... " : l\'oeuf à 5 € - naive Noel'
    assert sms.plain(text) == asked
    assert sms.size(sms.plain(text)).foreign == ""
    assert sms.altered(text) == "çêïë"


def test_what_has_no_stand_in_stays_and_is_told():
    assert sms.plain("да 😀") == "да 😀"
    assert sms.size("да 😀 да").foreign == "да😀"


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("fr", "STOP au 36111"),
        ("fr-BE", "STOP au 36111"),
        ("en", "STOP to 36111"),
        ("de", "STOP to 36111"),
    ],
)
def test_stop_is_said_in_the_readers_language(locale, words):
    assert sms.with_stop("Soldes \n", locale, "36111") == f"Soldes {words}"


def told(server, message, **settings):
    async def run():
        async with server.listening():
            url = f"http://127.0.0.1:{server.port}/v1"
            channel = SmsChannel(
                {"url": url, "sender": "BOUTIQUE", "allow_private": True, **settings}
            )
            try:
                async with asyncio.timeout(20):
                    [(_, receipt)] = [pair async for pair in channel.send([message])]
            finally:
                await channel.aclose()
            return receipt

    return asyncio.run(run())


def a_text(text="Votre colis part demain.", **changes):
    given = {"to": "+33612345678", "message_class": "service", **changes}
    return a_message("m-1", content={"text": text + "\n"}, **given)


def answering(line, body=b""):
    length = f"Content-Length: {len(body)}\r\n\r\n".encode()
    return lambda _count: b"HTTP/1.1 " + line + b"\r\n" + length + body


def test_a_text_is_posted_with_its_number_sender_and_key(receiver):
    server = receiver(answering(b"201 Created", b'{"messages": [{"id": "s-7"}]}'))
    receipt = told(server, a_text(to="+33 6 12.34-56 78"), authorization="Bearer t0ken")
    assert (receipt.outcome, receipt.provider_id) == (Outcome.ACCEPTED, "s-7")
    ((headers, body),) = server.requests
    assert (headers["authorization"], headers["idempotency-key"]) == ("Bearer t0ken", "m-1")
    assert json.loads(body) == {
        "to": "+33612345678",
        "from": "BOUTIQUE",
        "text": "Votre colis part demain.",
        "reference": "m-1",
    }


def test_a_provider_gets_the_shape_that_it_wants(receiver):
    server = receiver()
    body = {"receivers": ["{to}"], "message": "{text}", "tag": "{class}/{id}", "noStop": True}
    told(server, a_text(), body=body)
    assert json.loads(server.requests[0][1]) == {
        "receivers": ["+33612345678"],
        "message": "Votre colis part demain.",
        "tag": "service/m-1",
        "noStop": True,
    }


def test_a_form_is_posted_as_one(receiver):
    server = receiver()
    body = {"To": "{to}", "From": "{sender}", "Body": "{text}", "SmartEncoded": True}
    told(server, a_text("Déjà prêt & payé"), format="form", body=body)
    ((headers, sent),) = server.requests
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(sent.decode()) == {
        "To": ["+33612345678"],
        "From": ["BOUTIQUE"],
        "Body": ["Déjà pret & payé"],
        "SmartEncoded": ["true"],
    }


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("marketing", "Soldes STOP au 36111"),
        ("relationship", "Soldes STOP au 36111"),
        ("service", "Soldes"),
    ],
)
def test_marketing_says_how_to_stop_it_whatever_the_template_says(receiver, kind, text):
    server = receiver()
    told(server, a_text("Soldes", message_class=kind))
    assert json.loads(server.requests[0][1])["text"] == text


def test_a_provider_may_add_the_word_itself(receiver):
    server = receiver()
    told(server, a_text("Soldes", message_class="marketing", sender=Sender()), stop="by_provider")
    assert json.loads(server.requests[0][1])["text"] == "Soldes"


@pytest.mark.parametrize(
    ("message", "settings", "detail"),
    [
        (a_text(message_class="marketing", sender=Sender()), {}, "without a way out"),
        (a_text(""), {}, "gives no text"),
        (a_text("a" * 200), {"max_segments": 1}, "2 segments, and at most 1"),
        (a_text("привет"), {"unicode": "refuse"}, "6 letters"),
    ],
)
def test_what_must_not_be_sent_is_not_posted(receiver, message, settings, detail):
    server = receiver()
    receipt = told(server, message, **settings)
    assert (receipt.reason, receipt.retryable) == (FailureReason.REJECTED, False)
    assert detail in receipt.detail
    assert server.requests == []


def test_unicode_is_sent_as_it_is_where_the_shop_wants_it(receiver):
    server = receiver()
    told(server, a_text("reçu 😀"), unicode="send")
    assert json.loads(server.requests[0][1])["text"] == "reçu 😀"


@pytest.mark.parametrize("number", ["0612345678", "+0612345678", "+33 6 12", "+336123456789012345"])
def test_a_number_that_nobody_has_is_not_called(receiver, number):
    server = receiver()
    receipt = told(server, a_text(to=number))
    assert (receipt.reason, receipt.retryable) == (FailureReason.BAD_ADDRESS, False)
    assert server.requests == []


@pytest.mark.parametrize(
    ("answer", "body", "reason", "retryable"),
    [
        (b"400 Bad Request", b'{"code": 21211, "message": "no"}', "bad_address", False),
        (b"422 No", b'{"errors": [{"code": "21211"}]}', "bad_address", False),
        (b"400 Bad Request", b'{"code": 30001}', "rejected", False),
        (b"400 Bad Request", b"{", "rejected", False),
        (b"400 Bad Request", b"[" * 60_000, "rejected", False),
        (
            b"400 Bad Request",
            b'[{"a":' * 300 + b'{"code": 21211}' + b"}]" * 300,
            "bad_address",
            False,
        ),
        (b"503 Later", b'{"code": 21211}', "rejected", True),
        (b"429 Slowly", b"", "rate_limited", True),
        (b"401 Who", b"", "auth", False),
    ],
)
def test_refusals_are_told_apart(receiver, answer, body, reason, retryable):
    receipt = told(receiver(answering(answer, body)), a_text(), bad_number_codes=[21211])
    assert (receipt.outcome, receipt.reason, receipt.retryable) == ("failed", reason, retryable)


def test_a_text_in_doubt_is_not_repeated():
    assert SmsChannel.on_uncertain is OnUncertain.HOLD


@pytest.mark.parametrize("sender", ["AB", "TWELVE-LONG", "ABCDEFGHIJKL", "   ", "+12"])
def test_a_sender_that_networks_refuse_is_no_setting(sender):
    found = complaints_about(SmsChannel, {"url": "https://sms.example/v1", "sender": sender})
    assert len(found) == 1
    assert "channels.sms.sender" in found[0]
