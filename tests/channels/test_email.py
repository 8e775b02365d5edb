"""The e-mail channel against real servers, well-behaved and not."""

from __future__ import annotations

import asyncio
import logging
import re
import time

import pytest
from shopflow_channels.email import EmailChannel

from shopflow.channel import FailureReason, Outcome, Sender
from shopflow.errors import SettingsError
from shopflow.testing.channel import a_message

FROM = "Ma Boutique <hello@shop.example>"


@pytest.fixture(autouse=True)
def _quiet_sink():
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)


def settings_for(server, **more):
    return {"host": "127.0.0.1", "port": server.port, "from": FROM, "timeout": 5, **more}


async def sent(channel, messages):
    try:
        async with asyncio.timeout(30):
            return {identity: receipt async for identity, receipt in channel.send(messages)}
    finally:
        await channel.aclose()


def deliver(server, messages, *, listening=None, **settings):
    async def run():
        async with server.listening(**(listening or {})):
            return await sent(EmailChannel(settings_for(server, **settings)), messages)

    return asyncio.run(run())


def one(server, **options):
    return deliver(server, [a_message("m-1")], **options)["m-1"]


def many(count, **changes):
    return [a_message(f"m-{number}", **changes) for number in range(count)]


def test_mail_arrives_with_its_envelope_its_parts_and_its_id(sink):
    server = sink()
    receipt = one(server)
    assert receipt.outcome is Outcome.ACCEPTED
    assert server.envelopes == [("hello@shop.example", ["anna@customers.example"])]
    (mail,) = server.mails
    assert mail["Message-ID"] == "<m-1@shop.example>"
    assert mail["Subject"] == "Votre panier vous attend"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["From"] == FROM
    assert "Bonjour" in mail.get_body(("plain",)).get_content()
    assert "<p>Bonjour</p>" in mail.get_body(("html",)).get_content()


def test_connections_are_reused_and_never_more_than_allowed(sink):
    server = sink()
    receipts = deliver(server, many(60), connections=3)
    assert {receipt.outcome for receipt in receipts.values()} == {Outcome.ACCEPTED}
    assert server.ids == sorted(f"m-{number}" for number in range(60))
    assert server.connections <= 3


def test_connection_is_replaced_after_so_many_mails(sink):
    server = sink()
    deliver(server, many(10), connections=1, max_per_connection=4)
    assert len(server.raw) == 10
    assert server.connections == 3


def test_starttls_and_login_with_a_private_authority(sink, login, authority):
    context, pem = authority
    server = sink()
    receipt = one(
        server,
        listening={
            "tls_context": context,
            "require_starttls": True,
            "authenticator": login,
            "auth_required": True,
        },
        tls="starttls",
        ca_file=pem,
        username="shop",
        password="correct horse battery",
    )
    assert receipt.outcome is Outcome.ACCEPTED
    assert len(server.raw) == 1


def test_implicit_tls(sink, authority):
    context, pem = authority
    server = sink()
    receipt = one(server, listening={"implicit_tls": context}, tls="tls", ca_file=pem)
    assert receipt.outcome is Outcome.ACCEPTED


def test_server_with_an_unknown_certificate_gets_nothing(sink, authority):
    context, _ = authority
    server = sink()
    receipt = one(server, listening={"tls_context": context}, tls="starttls")
    assert (receipt.outcome, receipt.retryable) == (Outcome.FAILED, True)
    assert server.raw == []


def test_server_without_starttls_gets_nothing_in_the_clear(sink):
    server = sink()
    receipt = one(server, tls="starttls")
    assert receipt.outcome is Outcome.FAILED
    assert server.raw == []


def test_wrong_password_is_told_as_such_without_showing_it(sink, login, authority):
    context, pem = authority
    server = sink()
    receipts = deliver(
        server,
        many(5),
        listening={"tls_context": context, "authenticator": login, "auth_required": True},
        tls="starttls",
        ca_file=pem,
        username="shop",
        password="wrong-password",
    )
    assert len(receipts) == 5
    assert {(r.reason, r.retryable) for r in receipts.values()} == {(FailureReason.AUTH, True)}
    assert not any("wrong-password" in receipt.detail for receipt in receipts.values())


REFUSALS = [
    ("RCPT", "450 4.2.1 try later", FailureReason.REJECTED, True),
    ("RCPT", "450 4.7.1 too fast", FailureReason.RATE_LIMITED, True),
    ("RCPT", "452 4.5.3 too many", FailureReason.RATE_LIMITED, True),
    ("RCPT", "550 5.1.1 <anna@customers.example> unknown", FailureReason.BAD_ADDRESS, False),
    ("RCPT", "550 no such user", FailureReason.BAD_ADDRESS, False),
    ("RCPT", "551 5.1.6 moved", FailureReason.BAD_ADDRESS, False),
    ("RCPT", "553 bad mailbox", FailureReason.BAD_ADDRESS, False),
    ("RCPT", "550 5.7.1 blocked by policy", FailureReason.REJECTED, False),
    ("RCPT", "552 5.2.2 mailbox full", FailureReason.REJECTED, False),
    ("MAIL", "550 5.1.8 bad sender", FailureReason.REJECTED, False),
    ("MAIL", "451 4.3.0 not now", FailureReason.REJECTED, True),
    ("MAIL", "530 5.7.0 log in first", FailureReason.AUTH, True),
    ("DATA", "554 5.6.0 spam", FailureReason.REJECTED, False),
    ("DATA", "550 5.1.1 nobody", FailureReason.BAD_ADDRESS, False),
    ("DATA", "451 4.3.0 disk full", FailureReason.REJECTED, True),
    ("DATA", "421 4.3.2 shutting down", FailureReason.CONNECTION, True),
]


@pytest.mark.parametrize(("stage", "answer", "reason", "retryable"), REFUSALS)
def test_refusal_becomes_a_receipt_without_the_address(sink, stage, answer, reason, retryable):
    receipt = one(sink({stage: answer}))
    assert (receipt.outcome, receipt.reason) == (Outcome.FAILED, reason)
    assert receipt.retryable is retryable
    assert "@" not in receipt.detail
    assert answer[:3] in receipt.detail


def test_a_refused_address_does_not_hurt_its_neighbours(sink):
    server = sink({"bad@customers.example": "550 5.1.1 unknown"})
    messages = many(9)
    messages[4] = a_message("m-4", to="bad@customers.example")
    receipts = deliver(server, messages, connections=1)
    assert receipts["m-4"].reason is FailureReason.BAD_ADDRESS
    assert len(server.raw) == 8
    assert server.connections == 1


@pytest.mark.parametrize("address", ["", "anna", "élise@x.example", "a@b.example\r\nRCPT TO:<c@d>"])
def test_impossible_address_fails_without_asking_the_server(sink, address):
    server = sink()
    receipt = deliver(server, [a_message("m-1", to=address)])["m-1"]
    assert (receipt.reason, receipt.retryable) == (FailureReason.BAD_ADDRESS, False)
    assert server.connections == 0


def test_server_down_fails_every_message_quickly_and_retryably(free_port):
    async def run():
        channel = EmailChannel({"host": "127.0.0.1", "port": free_port, "from": FROM})
        return await sent(channel, many(200))

    started = time.monotonic()
    receipts = asyncio.run(run())
    assert time.monotonic() - started < 5
    assert len(receipts) == 200
    assert {(r.outcome, r.reason, r.retryable) for r in receipts.values()} == {
        (Outcome.FAILED, FailureReason.CONNECTION, True)
    }


def test_server_with_room_for_one_connection_still_takes_the_batch(script):
    server = script(
        lambda what, count: b"421 too many\r\n" if (what, count > 1) == ("HELLO", True) else None
    )
    receipts = deliver(server, many(20), connections=4)
    accepted = [r for r in receipts.values() if r.outcome is Outcome.ACCEPTED]
    assert len(receipts) == 20
    assert len(accepted) >= 17
    assert all(r.retryable for r in receipts.values() if r.outcome is Outcome.FAILED)


@pytest.mark.parametrize("stage", ["HELLO", "EHLO", "MAIL", "RCPT"])
def test_slow_server_is_a_retryable_timeout(script, stage):
    server = script(lambda what, _count: script.SILENCE if what == stage else None)
    receipt = one(server, timeout=0.2)
    assert (receipt.outcome, receipt.reason) == (Outcome.FAILED, FailureReason.TIMEOUT)
    assert receipt.retryable


def test_silence_after_the_body_is_uncertain(script):
    server = script(lambda what, _count: script.SILENCE if what == "BODY" else None)
    receipt = one(server, timeout=0.2)
    assert (receipt.outcome, receipt.reason) == (Outcome.UNCERTAIN, FailureReason.TIMEOUT)
    assert len(server.bodies) == 1


def test_connection_dropped_after_the_body_is_uncertain_and_the_rest_goes_on(script):
    server = script(lambda what, count: script.DROP if (what, count) == ("BODY", 3) else None)
    receipts = deliver(server, many(8), connections=1)
    outcomes = [receipt.outcome for receipt in receipts.values()]
    assert outcomes.count(Outcome.UNCERTAIN) == 1
    assert outcomes.count(Outcome.ACCEPTED) == 7
    assert len(server.bodies) == 8
    assert server.connections == 2


def test_connection_dropped_in_the_middle_of_the_body_is_not_taken_for_sent(script):
    server = script(lambda what, _count: script.DROP if what == "MIDDLE" else None)
    big = {"subject": "s", "text": "word " * 100_000}
    receipts = deliver(server, many(3, content=big), connections=1)
    assert len(receipts) == 3
    assert Outcome.ACCEPTED not in {receipt.outcome for receipt in receipts.values()}


def test_nonsense_after_the_body_is_uncertain(script):
    server = script(lambda what, _count: b"what?\r\n" if what == "BODY" else None)
    assert one(server).outcome is Outcome.UNCERTAIN


def test_nonsense_before_the_body_is_a_retryable_failure(script):
    server = script(lambda what, _count: b"what?\r\n" if what == "MAIL" else None)
    receipt = one(server)
    assert (receipt.outcome, receipt.retryable) == (Outcome.FAILED, True)


def test_kept_connection_that_the_server_closed_is_replaced_and_nothing_is_lost(script):
    server = script(lambda what, count: script.DROP if (what, count) == ("MAIL", 2) else None)
    receipts = deliver(server, many(3), connections=1)
    assert {receipt.outcome for receipt in receipts.values()} == {Outcome.ACCEPTED}
    assert len(server.bodies) == 3


def test_fresh_connection_that_breaks_is_a_retryable_failure(script):
    server = script(lambda what, _count: script.DROP if what == "MAIL" else None)
    receipt = one(server)
    assert (receipt.reason, receipt.retryable) == (FailureReason.CONNECTION, True)


def test_stopping_early_leaves_no_task_behind(sink):
    async def run():
        server = sink()
        async with server.listening():
            channel = EmailChannel(settings_for(server, connections=2))
            before = asyncio.all_tasks()
            stream = channel.send(many(40))
            await anext(stream)
            await stream.aclose()
            left = {t for t in asyncio.all_tasks() - before if "SMTP" not in repr(t)}
            await channel.aclose()
            return left

    assert asyncio.run(run()) == set()


def test_marketing_mail_ends_with_who_why_and_the_way_out(sink):
    server = sink()
    sender = Sender(
        legal_name="Ma Boutique <SAS>",
        address="1 rue de la Paix, Paris",
        privacy_url="https://boutique.example/rgpd?a=1&b=2",
    )
    deliver(
        server, [a_message("m-1", sender=sender, unsubscribe_url="https://x.example/u?a=1&b=2")]
    )
    (mail,) = server.mails
    text = mail.get_body(("plain",)).get_content()
    html = mail.get_body(("html",)).get_content()
    assert "Se désabonner (https://x.example/u?a=1&b=2)" in text
    assert "Ma Boutique <SAS> - 1 rue de la Paix, Paris" in text
    assert "https://boutique.example/rgpd?a=1&b=2" in text
    assert 'href="https://x.example/u?a=1&amp;b=2"' in html
    assert "Ma Boutique &lt;SAS&gt;" in html
    assert html.index("Se désabonner") < html.index("</body>")


@pytest.mark.parametrize(
    ("locale", "words"), [("fr-CA", "Ne plus recevoir"), ("en", "Stop messages"), ("de", "Stop")]
)
def test_relationship_mail_has_a_way_to_object_in_the_reader_s_language(sink, locale, words):
    server = sink()
    deliver(server, [a_message("m-1", message_class="relationship", locale=locale)])
    assert words in server.mails[0].get_body(("plain",)).get_content()
    assert server.mails[0]["List-Unsubscribe"]


def test_service_mail_names_the_shop_and_offers_no_way_out(sink):
    server = sink()
    deliver(server, [a_message("m-1", message_class="service")])
    (mail,) = server.mails
    text = mail.get_body(("plain",)).get_content()
    assert "Ma Boutique SAS" in text
    assert not re.search(r"désabonner|boutique\.example/u/", server.raw[0].decode())
    assert mail["List-Unsubscribe"] is None


def test_marketing_mail_without_a_way_out_is_not_sent(sink):
    server = sink()
    receipt = deliver(server, [a_message("m-1", unsubscribe_url="")])["m-1"]
    assert (receipt.outcome, receipt.reason) == (Outcome.FAILED, FailureReason.TEMPLATE)
    assert server.raw == []


def test_each_class_has_its_sender_and_relationship_borrows_the_marketing_one(sink):
    server = sink()
    classes = ["service", "relationship", "marketing", "internal"]
    messages = [a_message(kind, message_class=kind) for kind in classes]
    senders = {
        "service": {"from": "orders@shop.example"},
        "marketing": {"from": "N <n@news.example>"},
    }
    deliver(server, messages, senders=senders)
    found = {mail["Message-ID"].split("@")[0][1:]: mail["From"] for mail in server.mails}
    assert found == {
        "service": "orders@shop.example",
        "relationship": "N <n@news.example>",
        "marketing": "N <n@news.example>",
        "internal": "orders@shop.example",
    }


def test_class_without_any_sender_is_refused(sink):
    async def run():
        server = sink()
        async with server.listening():
            settings = settings_for(server, senders={"service": {"from": FROM}})
            del settings["from"]
            return await sent(EmailChannel(settings), [a_message("m-1")])

    receipt = asyncio.run(run())["m-1"]
    assert (receipt.reason, receipt.retryable) == (FailureReason.SETTINGS, False)


def test_service_goes_first_over_one_connection(sink):
    server = sink()
    batch = [*many(7), a_message("service", message_class="service")]
    receipts = deliver(server, batch, connections=1)
    assert next(iter(receipts)) == "service"
    assert len(receipts) == 8


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"from": "nobody"}, "senders.*from"),
        ({"reply_to": "a b"}, "reply_to"),
        ({"host": "smtp.example", "tls": "none", "username": "u", "password": "p"}, "tls"),
        ({"tls": "tls", "ca_file": "/nowhere/ca.pem"}, "ca_file"),
        ({"from": None}, "from: is missing"),
    ],
)
def test_wrong_settings_are_named(changes, named):
    settings = {"host": "localhost", "from": FROM, **changes}
    given = {key: value for key, value in settings.items() if value is not None}
    with pytest.raises(SettingsError, match=named):
        EmailChannel(given)
