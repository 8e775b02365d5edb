"""No message whose delivery begins after the answer leaves, with the deliverer in full swing."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from support.pages import a_shop_with_pages
from support.production import wait_for
from support.running import MailSink, an_event, who

from shopflow.runtime.links import For

# Hundreds of mails through a mail server that takes its time, by real processes.
pytestmark = pytest.mark.slow

PEOPLE = 100
#: States in which a message may still leave, and no attempt has begun.
MAY_LEAVE = {"queued", "leased", "returned"}
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


class Slow(MailSink):
    """Takes a moment for each mail, and knows whom mails came for."""

    def __init__(self):
        super().__init__()
        self.lock, self.came_for = threading.Lock(), []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        await asyncio.sleep(0.02)
        with self.lock:
            self.came_for += envelope.rcpt_tos
        return await super().handle_DATA(server, session, envelope)


def arrivals(customer):
    at = datetime.now(UTC).isoformat()
    consent = {"channel": "email", "purpose": "marketing"}
    yield who(customer, at)
    yield {**an_event(0, customer, "consent.confirmed", at, **consent), "id": f"yes-{customer}"}
    for number in range(2):
        yield {**an_event(0, customer, at=at), "id": f"look-{customer}-{number}"}


@pytest.mark.parametrize("production", [False, True], ids=["run", "serve and worker"])
def test_nothing_begins_to_leave_after_the_answer(tmp_path, production):
    people = [f"c{number:03}" for number in range(PEOPLE)]
    rng = random.Random(5)
    leaving = rng.sample(people, PEOPLE // 2)
    with a_shop_with_pages(tmp_path, production=production, sink=Slow()) as (shop, sink):
        lines = [json.dumps(event).encode() for one in people for event in arrivals(one)]
        shop.send(lines)
        wait_for(lambda: len(sink.came_for) > 3)

        def unsubscribe(customer):
            answer = shop.client.post(
                f"/u/{shop.token(For.UNSUBSCRIBE, customer, 'email', 'marketing')}", data=ONE_CLICK
            )
            return customer, answer, shop.messages(customer)

        with ThreadPoolExecutor(4) as clicking:
            answered = list(clicking.map(unsubscribe, leaving))
        stopped = set()
        for customer, answer, states in answered:
            assert (answer.status_code, answer.content, dict(answer.cookies)) == (200, b"", {})
            assert not MAY_LEAVE & set(states.values()), f"{customer}: {states}"
            stopped |= {key for key, state in states.items() if state == "dropped"}
        # A deliverer may have nothing to do while events of others are still to be decided.
        total = len(lines) + len(leaving)
        wait_for(lambda: shop.store.views.status().events["accepted"] == total)
        wait_for(lambda: not shop.store.outbox.pending())
        last = {key: state for one in people for key, state in shop.messages(one).items()}
        came = set(sink.counts)
        assert len(stopped) > 10, "the deliverer was too quick for the test to show anything"
        assert all(last[key] == "dropped" for key in stopped)
        assert not stopped & came
        # Whoever did not leave has theirs: nothing else was held up.
        stayed = {key for one in people if one not in leaving for key in shop.messages(one)}
        assert stayed <= came
