"""`shopflow serve` answers by what was deployed last, without a restart and without a gap."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx
import pytest
from support.production import a_shop, wait_for
from support.prometheus import value

from shopflow.store.deployments import Deployment, Move

SCHEMA = "rules/events/store.visited.schema.json"
VISITED = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Store visited",
    "type": "object",
    "required": ["store"],
    "properties": {"store": {"type": "string", "maxLength": 60}},
}
KEY = "key-of-sixteen-signs"


@pytest.fixture
def shop(tmp_path):
    with a_shop(tmp_path) as shop:
        shop.run("db", "upgrade")
        yield shop


@contextmanager
def serving(shop):
    """A client of a door of this shop; the process is the shop's to end."""
    environment = {**os.environ, "SHOPFLOW_API_KEY": KEY}
    process = shop.start_command("serve", "--http", "127.0.0.1:0", env=environment)
    url = process.stderr.readline().rpartition(" ")[2].strip().removesuffix("/v1/events")
    with httpx.Client(base_url=url, timeout=30) as client:
        client.headers["authorization"] = f"Bearer {KEY}"
        yield client


def put_to_work(shop, *words):
    return json.loads(shop.run("deploy", *words, "--format", "json").stdout)["digest"]


def visit(client):
    """What the door says to an event of a type of the shop's own."""
    event = {
        "id": f"visit-{datetime.now(UTC).isoformat()}",
        "type": "store.visited",
        "occurred_at": datetime.now(UTC).isoformat(),
        "customer_id": "anna",
        "data": {"store": "Lyon"},
    }
    answered = client.post("/v1/events", json=event)
    (said,) = answered.json()["events"]
    assert answered.status_code == (202 if said["result"] == "accepted" else 422)
    return said.get("reason", said["result"])


@pytest.mark.slow
def test_the_door_takes_up_what_is_deployed_and_stays_with_it_when_it_cannot(shop):
    with serving(shop) as client:
        assert visit(client) == "unknown_type"
        (shop.folder / "rules/events").mkdir()
        (shop.folder / SCHEMA).write_text(json.dumps(VISITED), encoding="utf-8")
        # The folder is nobody's word, only a deploy is.
        assert visit(client) == "unknown_type"
        first = put_to_work(shop)
        # Every answer in between is one of the two, and none is missing.
        said = set()
        wait_for(lambda: said.add(visit(client)) or "accepted" in said)
        assert said == {"unknown_type", "accepted"}
        (shop.folder / SCHEMA).unlink()
        put_to_work(shop)
        wait_for(lambda: visit(client) == "unknown_type")
        shop.run("rollback", "--yes", "--reason", "the visits are wanted")
        wait_for(lambda: visit(client) == "accepted")
        with shop.store() as store:
            broken = Deployment(
                number=store.deployments.newest_number() + 1,
                move=Move.DEPLOY,
                digest="sha256:" + "0" * 64,
                revision="",
                ruleset="",
                at=datetime.now(UTC),
                by="anna",
            )
            store.deployments.swap(broken)

        def told(name):
            return value(client.get("/metrics").text, name)

        wait_for(lambda: told("last_activation_successful") == 0)
        assert visit(client) == "accepted"
        again = put_to_work(shop, first)
        assert again == first
        wait_for(lambda: told("last_activation_successful") == 1)
        assert visit(client) == "accepted"
