"""Content for the shop's own pages: what is kept of a message, and what must not stand there."""

from __future__ import annotations

import asyncio

import pytest
from shopflow_channels.onsite import OnsiteChannel

from shopflow.channel import FailureReason, Outcome
from shopflow.testing.channel import a_message

BANNER = {"slot": "home", "title": "Vos lampes", "body": "Le guide est là."}


def placed(content, **settings):
    async def run():
        channel = OnsiteChannel(settings)
        message = a_message("m-1", content=content)
        [(_, receipt)] = [pair async for pair in channel.send([message])]
        return receipt

    return asyncio.run(run())


def test_what_is_kept_is_what_the_page_shows_and_until_when():
    receipt = placed({**BANNER, "url": "/guides/lampes", "image": "", "text": "unused"}, days=7)
    assert receipt.outcome is Outcome.ACCEPTED
    assert receipt.kept == {
        **BANNER,
        "url": "/guides/lampes",
        "until": "2026-03-10T09:30:00+00:00",
    }


def test_a_message_may_say_its_own_end():
    kept = placed({**BANNER, "until": "2026-03-05T18:00:00+01:00"}).kept
    assert kept["until"] == "2026-03-05T17:00:00+00:00"


@pytest.mark.parametrize(
    "wrong",
    [
        {"slot": ""},
        {"slot": "footer"},
        {"url": "javascript:alert(1)"},
        {"url": "//evil.example/"},
        {"more_url": "javascript:alert(1)"},
        {"image": "http://shop.example/i.jpg"},
        {"until": "soon"},
        {"until": "2026-03-05T18:00:00"},
    ],
)
def test_what_must_not_stand_on_a_page_is_not_kept(wrong):
    receipt = placed({**BANNER, **wrong}, slots=["home", "cart"])
    assert (receipt.reason, receipt.retryable) == (FailureReason.TEMPLATE, False)
    assert receipt.kept == {}
