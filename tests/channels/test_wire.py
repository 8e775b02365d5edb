"""One mail after the other over a connection, with and without PIPELINING."""

from __future__ import annotations

import asyncio

import pytest
from shopflow_channels.email import EmailChannel

from shopflow.testing.channel import a_message

#: Asked at once, each is answered in its turn.
OFFERS = b"250-script.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n"


class Talk:
    """A server that offers PIPELINING or not, and notes what came together."""

    def __init__(self, script, *, offers=True, answers=None):
        self.answers = answers or {}
        self.offers = offers
        self.script = script(self.answer)

    def answer(self, what, count):
        if what == "EHLO" and self.offers:
            return OFFERS
        given = self.answers.get(what)
        return given(count) if callable(given) else given


def send(talk, count=1, **more):
    async def run():
        async with talk.script.listening():
            settings = {"host": "127.0.0.1", "port": talk.script.port, "timeout": 2}
            channel = EmailChannel({**settings, "from": "shop@shop.example", "connections": 1})
            messages = [a_message(f"m-{number}", **more) for number in range(count)]
            receipts = dict([pair async for pair in channel.send(messages)])
            await channel.aclose()
            return list(receipts.values())

    return asyncio.run(run())


def told(receipts):
    return [(str(one.outcome), str(one.reason or ""), one.retryable) for one in receipts]


ACCEPTED = ("accepted", "", False)


@pytest.mark.parametrize("offers", [True, False])
def test_mails_follow_each_other_over_one_connection(script, offers):
    talk = Talk(script, offers=offers)
    assert told(send(talk, 5)) == [ACCEPTED] * 5
    assert talk.script.connections == 1
    assert len(talk.script.bodies) == 5


@pytest.mark.parametrize("offers", [True, False])
def test_lines_that_begin_with_a_dot_arrive_as_they_were_written(script, offers):
    talk = Talk(script, offers=offers)
    send(talk, content={"subject": "dots", "text": ".\n..\n.end"})
    (body,) = talk.script.bodies
    assert b"\r\n=2E\r\n...\r\n..end" in body


@pytest.mark.parametrize("offers", [True, False])
@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "BODY"])
def test_a_refusal_hurts_its_own_mail_only(script, offers, stage):
    refuse = {stage: lambda count: b"550 5.7.1 no\r\n" if count == 1 else None}
    talk = Talk(script, offers=offers, answers=refuse)
    assert told(send(talk, 3)) == [("failed", "rejected", False), ACCEPTED, ACCEPTED]
    assert talk.script.connections == 1


def test_a_server_that_would_take_a_mail_for_nobody_is_given_an_empty_one(script):
    refuse = {
        "RCPT": lambda count: b"550 5.1.1 nobody\r\n" if count == 1 else None,
        "BODY": lambda count: b"554 no valid recipients\r\n" if count == 1 else None,
    }
    talk = Talk(script, answers=refuse)
    assert told(send(talk, 2)) == [("failed", "bad_address", False), ACCEPTED]
    empty, whole = talk.script.bodies
    assert empty == b".\r\n"
    assert b"m-1" in whole
    assert talk.script.connections == 1


@pytest.mark.parametrize("offers", [True, False])
def test_a_server_that_closes_between_mails_costs_none(script, offers):
    closing = {"BODY": lambda count: b"250 ok\r\n421 closing\r\n" if count == 2 else None}
    talk = Talk(script, offers=offers, answers=closing)
    assert told(send(talk, 4)) == [ACCEPTED] * 4
    assert talk.script.connections == 2


@pytest.mark.parametrize("offers", [True, False])
@pytest.mark.parametrize("stage", ["MAIL", "RCPT"])
def test_a_connection_lost_before_the_mail_was_sent_means_that_it_did_not_leave(
    script, offers, stage
):
    drop = {stage: lambda count: script.DROP if count == 1 else None}
    talk = Talk(script, offers=offers, answers=drop)
    assert told(send(talk)) == [("failed", "connection", True)]


@pytest.mark.parametrize("offers", [True, False])
def test_silence_before_the_mail_was_sent_means_that_it_did_not_leave(script, offers):
    talk = Talk(script, offers=offers, answers={"DATA": lambda _: script.SILENCE})
    assert told(send(talk)) == [("failed", "timeout", True)]


@pytest.mark.parametrize("offers", [True, False])
@pytest.mark.parametrize("said", [b"hello there\r\n", b"\xff\xfe\r\n", b"99\r\n", b"\r\n"])
def test_nonsense_after_the_mail_was_sent_is_in_doubt(script, offers, said):
    talk = Talk(script, offers=offers, answers={"BODY": lambda _: said})
    (receipt,) = send(talk)
    assert str(receipt.outcome) == "uncertain"


def test_a_server_without_end_is_left(script):
    endless = {"MAIL": lambda _: b"250-" + b"x" * 40_000}
    assert told(send(Talk(script, answers=endless))) == [("failed", "connection", True)]
