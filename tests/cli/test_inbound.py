"""`shopflow inbound`: what comes back by mail, about messages that really left."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from support.running import MailSink
from support.shop import Shop

from shopflow.cli.main import main
from shopflow.runtime.inbound import read


@pytest.fixture(scope="module")
def sink():
    with MailSink().listening() as sink:
        yield sink


@pytest.fixture
def shop(sink, tmp_path):
    sink.arrivals.clear()
    shop = Shop(tmp_path, sink.port)
    shop.run(*shop.known(), shop.search())
    return shop


@pytest.fixture
def give(shop):
    def given(text):
        raw = text.lstrip().replace("\n", "\r\n").encode()
        words = ["inbound", "--project", str(shop.folder)]
        result = CliRunner().invoke(main, words, input=raw)
        assert result.exit_code == 0, result.output + result.stderr
        shop.call("run", "-", given="")
        return result.output.strip()

    return given


def consents(shop):
    told = json.loads(shop.call("consent", "show", "anna", "--format", "json"))["consents"]
    return {one["purpose"]: (one["state"], one["source"]) for one in told}


def stops(shop):
    told = json.loads(shop.call("suppressions", "list", "--format", "json"))
    return {(one["scope"], one["reason"]) for one in told}


BOUNCE = """
From: MAILER-DAEMON@mx.example
To: hello@shop.example
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

I am sorry.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; anna@example.com
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 no anna@example.com here

--b
Content-Type: {kind}

Message-ID: <{id}@shop.example>
Subject: An offer

--b--
"""


def bounced(sink, action="failed", status="5.1.1", kind="text/rfc822-headers"):
    message_id = sink.arrivals[0].message_id
    return BOUNCE.format(action=action, status=status, kind=kind, id=message_id)


@pytest.mark.parametrize("kind", ["text/rfc822-headers", "message/rfc822"])
def test_a_hard_bounce_stops_the_address(shop, sink, give, kind):
    assert give(bounced(sink, kind=kind)) == "taken: message.bounced"
    assert stops(shop) == {("address", "hard_bounce")}


@pytest.mark.parametrize(("action", "status"), [("delayed", "4.4.1"), ("failed", "5.2.2")])
def test_a_soft_bounce_stops_nothing(shop, sink, give, action, status):
    assert give(bounced(sink, action, status)) == "taken: message.bounced"
    assert stops(shop) == set()


def test_a_complaint_withdraws_and_suppresses(shop, sink, give):
    report = (
        bounced(sink)
        .replace("report-type=delivery-status", "report-type=feedback-report")
        .replace("message/delivery-status", "message/feedback-report")
    )
    assert give(report) == "taken: message.complained"
    assert stops(shop) == {("marketing", "complaint")}
    assert consents(shop)["marketing"] == ("withdrawn", "message.complained")


def reply(sink, body, **headers):
    lines = {"From": "anna@example.com", "Subject": "Re: An offer", **headers}
    lines.setdefault("In-Reply-To", f"<{sink.arrivals[0].message_id}@shop.example>")
    head = "\n".join(f"{name}: {value}" for name, value in lines.items())
    return f"{head}\nContent-Type: text/plain; charset=utf-8\n\n{body}\n"


@pytest.mark.parametrize("word", ["STOP", "Désinscription.", "unsubscribe!"])
def test_a_reply_that_asks_for_no_more_withdraws(shop, sink, give, word):
    assert give(reply(sink, f"\n{word}\n\n> Cheap today.")) == "taken: consent.withdrawn"
    assert consents(shop)["marketing"] == ("withdrawn", "reply")
    assert stops(shop) == set(), "an unsubscribe is no suppression"


def test_any_other_reply_is_told_as_one(shop, sink, give):
    assert give(reply(sink, "Please stop by tomorrow")) == "taken: message.replied"
    assert consents(shop)["marketing"][0] == "granted"


def test_the_way_out_by_mail_needs_its_token(shop, sink, give):
    from shopflow.runtime.app import open_app  # noqa: PLC0415
    from shopflow.runtime.links import Subject  # noqa: PLC0415

    with open_app(shop.folder) as app:
        address = app.links().unsubscribe_mailto(Subject("anna", "email", "marketing"))
    token = address.partition("unsubscribe%20")[2]
    out = reply(sink, "", Subject=f"unsubscribe {token[:-2]}", **{"In-Reply-To": ""})
    assert give(out).startswith("left alone")
    out = reply(sink, "", Subject=f"unsubscribe {token}", **{"In-Reply-To": ""})
    assert give(out) == "taken: consent.withdrawn"
    assert consents(shop)["marketing"] == ("withdrawn", "mailto")


@pytest.mark.parametrize(
    ("mail", "why"),
    [
        ("", "it answers no message"),
        ("\x00\xff garbage", "it answers no message"),
        ("Subject: hello\n\nBuy this", "it answers no message"),
        ("Auto-Submitted: auto-replied\nIn-Reply-To: <a@b.c>\n\nAway", "not written by a person"),
        ("Content-Type: multipart/report; report-type=delivery-status\n\n", "no bounce"),
    ],
)
def test_what_answers_nothing_of_ours_is_left_alone(mail, why):
    assert why in read(mail.encode(), lambda _: None).why_not


def test_an_answer_to_a_message_that_nobody_knows_is_left_alone(give):
    said = give("From: x@y.example\nIn-Reply-To: <abc@x.example>\n\nhi")
    assert said == "left alone: it concerns nobody who is known here"


def test_a_mail_given_twice_counts_once(sink, give):
    mail = reply(sink, "Please call me")
    assert give(mail) == "taken: message.replied"
    assert give(mail) == "left alone: it was taken before"
    assert give(reply(sink, "Please call me again")) == "taken: message.replied"


def test_a_reply_that_names_no_message_is_its_senders(shop, sink, give):
    """Some mail programs leave the headers out."""
    bare = {"In-Reply-To": "", "From": "Anna <ANNA@example.com>"}
    assert give(reply(sink, "Where is it?", **bare)) == "taken: message.replied"
    assert give(reply(sink, "STOP", **bare)) == "taken: consent.withdrawn"
    assert consents(shop)["marketing"] == ("withdrawn", "reply")
    stranger = {"In-Reply-To": "", "From": "nobody@example.com"}
    assert give(reply(sink, "STOP", **stranger)).startswith("left alone")
