"""The ways in: the HTTP door of production and the client, also when it is full or down."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import httpx
import pytest
from support.production import PARTITIONS
from support.servers import redis_url

from shopflow import client as client_module
from shopflow.client import Client, NotSent, Sent
from shopflow.errors import SettingsError
from shopflow.runtime.ingest import Ingest
from shopflow.runtime.queue.door import StreamDoor
from shopflow.runtime.queue.streams import Streams
from shopflow.web.app import create_app


def look(number):
    return {
        "id": f"e{number}",
        "type": "product.viewed",
        "occurred_at": "2026-03-01T10:00:00Z",
        "customer_id": "c1",
        "data": {"sku": "A1", "price": 9.5},
    }


def door_of(streams, loaded, max_length=1000):
    return StreamDoor(streams, Ingest(loaded.events.schemas), max_length)


def post(door, *bodies):
    """The answers to these requests, one after the other."""

    async def ask():
        transport = httpx.ASGITransport(app=create_app(door))
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as http:
            return [await http.post("/v1/events", content=body) for body in bodies]

    return asyncio.run(ask())


def test_each_event_is_answered_and_all_of_them_are_in_the_stream(streams, loaded):
    events = [look(1), {**look(2), "type": "no.such"}, look(1)]
    (answer,) = post(door_of(streams, loaded), json.dumps(events))
    assert answer.status_code == 202
    told = answer.json()
    assert (told["accepted"], told["dead_letter"]) == (2, 1)
    assert [one["result"] for one in told["events"]] == ["accepted", "dead_letter", "accepted"]
    assert told["events"][1]["reason"] == "unknown_type"
    assert streams.lengths()[0] == 3


def test_events_that_are_all_refused_are_kept_all_the_same(streams, loaded):
    (answer,) = post(door_of(streams, loaded), "garbage")
    assert answer.status_code == 422
    assert streams.lengths()[0] == 1


def test_above_its_bound_the_queue_says_when_to_come_again(streams, loaded):
    body = json.dumps([look(1), look(2)])
    first, second = post(door_of(streams, loaded, max_length=2), body, body)
    assert (first.status_code, second.status_code) == (202, 429)
    assert int(second.headers["retry-after"]) > 0
    assert streams.lengths()[0] == 2


def test_without_redis_the_door_asks_to_come_again(loaded, queue):
    redis = type(queue[0])(port=1, socket_connect_timeout=0.2, retry=None)
    (answer,) = post(door_of(Streams(redis, queue[1], PARTITIONS), loaded), json.dumps(look(1)))
    assert answer.status_code == 503


def test_the_client_sends_objects_and_text_to_the_stream(streams):
    with Client(redis_url=redis_url(), namespace=streams.namespace) as client:
        assert client.send(look(1), json.dumps(look(2)), b"garbage") == Sent(events=3)
    entries = streams.redis.xrange(streams.door)
    assert [json.loads(fields[b"event"]) for _, fields in entries[:2]] == [look(1), look(2)]


def test_the_client_waits_while_the_queue_is_full(streams):
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        streams.redis.delete(streams.door)

    client = Client(redis_url=redis_url(), namespace=streams.namespace, max_length=2, sleep=sleep)
    with client:
        client.send(look(1), look(2))
        client.send(look(3))
    assert waits == [client_module.WAIT]


def test_the_client_gives_up_after_some_tries_and_says_what_to_do():
    waits = []
    with (
        Client(redis_url="redis://127.0.0.1:1", sleep=waits.append) as client,
        pytest.raises(NotSent, match="1 events are not known to be taken"),
    ):
        client.send(look(1))
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0]


class Shop(httpx.BaseTransport):
    """An HTTP door that gives these answers, one after the other."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.bodies = []

    def handle_request(self, request):
        self.bodies.append(request.read())
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def http(monkeypatch):
    """A client of an HTTP door that gives these answers."""
    plain = httpx.Client

    def make(*answers):
        shop, waits = Shop(*answers), []
        monkeypatch.setattr(httpx, "Client", lambda **options: plain(transport=shop, **options))
        return Client(url="http://shop", api_key="key", sleep=waits.append), shop, waits

    return make


def taken(dead_letters=0):
    return httpx.Response(202, json={"dead_letter": dead_letters})


def test_the_client_tries_again_when_it_is_asked_to_or_the_line_breaks(http):
    client, shop, waits = http(
        httpx.Response(429, headers={"retry-after": "7"}), httpx.ConnectError("no"), taken(1)
    )
    with client:
        assert client.send(look(1), "{\n}") == Sent(events=2, refused=1)
    assert waits == [7.0, 0.5]
    assert len(set(shop.bodies)) == 1
    assert len(shop.bodies[0].splitlines()) == 2


def test_a_batch_stays_below_what_the_http_door_takes(http):
    client, shop, _ = http(*(taken() for _ in range(4)))
    with client:
        client.send(*(look(number) for number in range(client_module.BATCH + 1)))
        client.send(*["x" * 2_500_000] * 2)
    assert [body.count(b"\n") for body in shop.bodies] == [499, 0, 0, 0]


def test_a_wrong_key_is_told_at_once(http):
    client, _, waits = http(httpx.Response(401, text="show the API key"))
    with client, pytest.raises(NotSent, match="401: show the API key"):
        client.send(look(1))
    assert waits == []


def test_a_client_needs_one_way(queue):
    del queue
    with pytest.raises(SettingsError, match="either redis_url or url"):
        Client()
    with pytest.raises(SettingsError, match="redis_url"):
        Client(redis_url="mailto:me")


def test_the_client_loads_nothing_heavy():
    code = (
        "import sys, shopflow.client; heavy = {'sqlalchemy', 'rq', 'redis', 'httpx', 'celpy'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
