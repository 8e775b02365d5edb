"""The HTTP door over ASGI: what is answered to what, with the runner played by the test."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from shopflow.errors import SettingsError
from shopflow.runtime.answers import Answer, Taken
from shopflow.runtime.door import Door, answer
from shopflow.web import app as web
from shopflow.web.server import listen

pytestmark = pytest.mark.anyio


class House:
    """A door with somebody behind it who answers; `open_for` says how many events it takes."""

    def __init__(self, *, capacity=5000, api_key="", answers=True):
        self.door = Door(capacity)
        self.app = web.create_app(self.door, api_key=api_key)
        self.answers = answers
        self.seen = []

    async def __aenter__(self):
        self.task = asyncio.create_task(self.serve()) if self.answers else None
        transport = httpx.ASGITransport(app=self.app)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://shop")
        return self

    async def __aexit__(self, *_):
        if self.task:
            self.task.cancel()
        await self.client.aclose()

    async def serve(self):
        while True:
            await self.door.knocked.wait()
            taken = self.door.take(500)
            raws = [raw for submission in taken for raw in submission.raws]
            self.seen += raws
            answer(taken, [said_to(raw) for raw in raws])

    async def post(self, content, **headers):
        return await self.client.post("/v1/events", content=content, headers=headers)


def said_to(raw):
    if b"bad" in raw:
        return Answer(taken=Taken.DEAD_LETTER, reason="payload", detail="data.total: is no number")
    return Answer(taken=Taken.ACCEPTED, event_id="e1")


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        (b'{"id": "e1"}', [b'{"id": "e1"}']),
        (b'{\n  "id": "e1"\n}\n', [b'{\n  "id": "e1"\n}']),
        (b'{"id": "e1"}\n{"id": "e2"}\n', [b'{"id": "e1"}', b'{"id": "e2"}']),
        (b'{"id": "e1"}\r\n\r\nno json\r\n', [b'{"id": "e1"}', b"no json"]),
        (b'[{"id": "e1"}, 7]', [b'{"id":"e1"}', b"7"]),
        (b"no json", [b"no json"]),
    ],
    ids=["object", "laid out", "lines", "a bad line", "array", "nonsense"],
)
async def test_one_event_an_array_or_lines(body, seen):
    async with House() as house:
        assert (await house.post(body)).status_code == 202
        assert house.seen == seen


async def test_each_event_has_its_own_answer():
    async with House() as house:
        answered = await house.post(b'[{"id": "e1"}, {"id": "bad"}]')
        assert answered.status_code == 202
        assert answered.json() == {
            "accepted": 1,
            "duplicate": 0,
            "dead_letter": 1,
            "events": [
                {"id": "e1", "result": "accepted"},
                {
                    "id": "",
                    "result": "dead_letter",
                    "reason": "payload",
                    "detail": "data.total: is no number",
                },
            ],
        }
        assert (await house.post(b'{"id": "bad"}')).status_code == 422


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b" \n ", 400),
        (b"[{", 400),
        (b'[{"a": NaN}]', 400),
        (json.dumps([1] * 1001).encode(), 413),
        (b"1\n" * 1001, 413),
        (b"x" * (web.MAX_BODY + 1), 413),
    ],
    ids=["nothing", "spaces", "half", "NaN", "long array", "many lines", "large"],
)
async def test_what_is_no_request_is_refused_whole(body, status):
    async with House() as house:
        answered = await house.post(body)
        assert answered.status_code == status
        assert answered.json()["error"]
        assert house.seen == []


async def test_an_empty_array_is_no_mistake():
    async with House() as house:
        assert (await house.post(b"[]")).json()["events"] == []


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer wrong", "Basic s3cret", "Bearer é"], ids=str
)
async def test_without_the_key_nothing_is_taken(given):
    async with House(api_key="s3cret") as house:
        answered = await house.post(b"{}", authorization=given.encode())
        assert answered.status_code == 401
        assert house.seen == []
        assert (await house.post(b"{}", authorization="Bearer s3cret")).status_code == 202


async def test_when_too_many_wait_the_shop_is_told_to_come_again():
    async with House(capacity=3, answers=False) as house:
        first = asyncio.create_task(house.post(b"[1, 2]"))
        await asyncio.sleep(0.01)
        answered = await house.post(b"[3, 4]")
        assert answered.status_code == 429
        assert answered.headers["retry-after"] == "1"
        house.door.turn_away()
        assert (await first).status_code == 503


async def test_one_request_larger_than_the_queue_is_taken_when_nothing_waits():
    async with House(capacity=3) as house:
        assert (await house.post(b"[1, 2, 3, 4, 5]")).status_code == 202


async def test_while_it_stops_nothing_new_is_taken():
    async with House() as house:
        assert (await house.client.get("/readyz")).status_code == 200
        house.door.shut()
        assert (await house.post(b"{}")).status_code == 503
        assert (await house.client.get("/readyz")).status_code == 503
        assert (await house.client.get("/healthz")).status_code == 200


def test_an_address_that_is_none_or_taken_is_told():
    with listen("127.0.0.1:0") as taken:
        port = taken.getsockname()[1]
        for address in (f"127.0.0.1:{port}", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:99999"):
            with pytest.raises(SettingsError):
                listen(address)
