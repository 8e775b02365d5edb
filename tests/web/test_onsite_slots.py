"""Places of the shop's pages: decided by rules, kept, asked for by browsers, and seen in one."""

from __future__ import annotations

import functools
import http.server
import os
import re
import subprocess
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from uuid import uuid4

import httpx
import orjson
import pytest
from support.pages import LINKS, SECRET, listening
from support.production import wait_for
from support.running import a_project
from support.servers import tool

from shopflow.runtime.links import For
from shopflow.store.opening import open_store

KEY = "a key of these tests"
FILES = {
    "shopflow.yaml": """
apiVersion: shopflow/v1
kind: Project
environment: test
delivery: {mode: allowlist, allowlist: ["*"]}
sender: {legal_name: Shop, address: Paris, contact: hello@shop.example}
timezone: UTC
locale: fr
database: sqlite:///shopflow.db
partitions: 4
channels:
  email: {host: 127.0.0.1, from: hello@shop.example}
  onsite: {slots: [home, cart]}
""",
    "rules/policies/consent.yaml": """
apiVersion: shopflow/v1
kind: ConsentPolicy
purposes:
  service: {class: service}
  marketing: {class: marketing, channels: {onsite: {}}}
""",
    "rules/workflows/guide.yaml": """
apiVersion: shopflow/v1
kind: Workflow
id: guide
version: 1
title: Guide
owner: team
status: live
purpose: marketing
trigger: {event: cart.viewed, when: has(event.cart_id)}
steps:
  - {id: show, send: onsite, template: guide, with: {cart: trigger.cart_id}}
""",
    "rules/templates/guide/onsite.fr.yaml": """---
purposes: [marketing]
variables: [cart]
---
slot: home
title: "Pour choisir sans vous tromper"
body: "Le guide <b>{{ cart }}</b> : matières, usage, entretien, et ce qui vieillit bien."
url: "/guides/luminaires"
button: "Lire le guide"
more_url: "/contact"
more_button: "Parler à nous"
""",
}


class Shop:
    def __init__(self, url, store):
        self.url, self.store = url, store

    def tell(self, customer, event_type, named="customer_id", /, **data):
        event = {
            "id": uuid4().hex,
            "type": event_type,
            "occurred_at": datetime.now(UTC).isoformat(),
            named: customer,
            "data": data,
        }
        answer = self.ask("/v1/events", method="POST", content=orjson.dumps(event), key=KEY)
        assert answer.status_code == 202, answer.text

    def ask(self, path, *, key="", method="GET", **more):
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.request(method, self.url + path, headers=headers, timeout=30, **more)

    def visitor(self, customer):
        return self.ask(f"/v1/onsite-visitor?customer_id={customer}", key=KEY).json()["visitor"]

    def content(self, token, slot="home"):
        return self.ask(f"/v1/onsite/{slot}?visitor={token}").json()["content"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """`shopflow run --http` with a place on the first page."""
    folder = a_project(tmp_path_factory.mktemp("onsite"), 1, **FILES)
    environment = {**os.environ, "SHOPFLOW_LINKS_SECRET": SECRET, "SHOPFLOW_API_KEY": KEY}
    with listening(folder, "run", env=environment) as url:
        store = open_store(f"sqlite:///{folder}/shopflow.db", partitions=4, create=False)
        yield Shop(url, store)
        store.close()


@pytest.fixture
def anna(shop):
    """Somebody who agreed, and for whom the rule has decided."""
    name = f"anna-{uuid4().hex[:8]}"
    shop.tell(name, "consent.granted", channel="onsite", purpose="marketing")
    shop.tell(name, "cart.viewed", cart_id="k1")
    token = shop.visitor(name)
    wait_for(lambda: shop.content(token))
    return name


def test_a_page_shows_what_the_rule_decided(shop, anna):
    content = shop.content(shop.visitor(anna))
    assert content["title"] == "Pour choisir sans vous tromper"
    assert content["url"] == "/guides/luminaires"
    assert datetime.fromisoformat(content["until"]) > datetime.now(UTC) + timedelta(days=13)
    assert not {"slot", "cart"} & set(content)


def test_another_place_and_another_person_have_nothing(shop, anna):
    assert shop.content(shop.visitor(anna), "cart") is None
    assert shop.content(shop.visitor("nobody")) is None


def test_the_server_of_the_shop_may_ask_by_name_and_a_browser_may_not(shop, anna):
    path = f"/v1/onsite/home?customer_id={anna}"
    assert shop.ask(path, key=KEY).json()["content"]["button"] == "Lire le guide"
    for asked in (path, f"/v1/onsite-visitor?customer_id={anna}"):
        assert shop.ask(asked).status_code == 401
        assert shop.ask(asked, key="another").status_code == 401


def test_tokens_are_of_this_purpose_and_end(shop, anna):
    old = LINKS.token(For.SLOTS, anna, now=datetime.now(UTC) - timedelta(days=31))
    other = LINKS.token(For.PREFERENCES, anna, now=datetime.now(UTC))
    answers = {
        name: shop.ask(f"/v1/onsite/home?visitor={quote(token)}")
        for name, token in {"old": old, "other": other, "forged": "0.AAAA", "": ""}.items()
    }
    assert {name: answer.status_code for name, answer in answers.items()} == {
        "old": 410,
        "other": 404,
        "forged": 404,
        "": 404,
    }
    assert all(
        answer.headers["cache-control"] == "private, no-store" for answer in answers.values()
    )


def test_who_withdraws_is_shown_nothing_from_then_on(shop, anna):
    token = shop.visitor(anna)
    shop.tell(anna, "consent.withdrawn", channel="onsite", purpose="marketing")
    wait_for(lambda: shop.content(token) is None)


def test_what_a_visitor_was_told_stays_theirs_when_they_are_known(shop):
    visitor, known = f"visitor-{uuid4().hex}", f"known-{uuid4().hex}"
    shop.tell(visitor, "consent.granted", "anonymous_id", channel="onsite", purpose="marketing")
    shop.tell(visitor, "cart.viewed", "anonymous_id", cart_id="k2")
    token = shop.visitor(visitor)
    wait_for(lambda: shop.content(token))
    shop.tell(known, "customer.identified", anonymous_id=visitor)
    wait_for(lambda: shop.store.views.customer(visitor).alias_of == known)
    assert shop.content(token)
    shop.tell(known, "consent.withdrawn", channel="onsite", purpose="marketing")
    wait_for(lambda: shop.content(token) is None)


def test_a_person_is_not_in_the_token(shop, anna):
    assert anna not in shop.visitor(anna)


@contextmanager
def a_page(folder):
    """The folder over HTTP, at an origin of its own."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=folder)
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_browser_shows_the_banner_on_the_shops_page(shop, anna, repo, tmp_path):
    with a_page(repo / "deploy/onsite") as origin:
        query = f"?door={quote(shop.url)}&visitor={quote(shop.visitor(anna))}"
        seen = subprocess.run(
            [
                tool("chromium", "chromium"),
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                f"--user-data-dir={tmp_path}",
                "--virtual-time-budget=10000",
                "--dump-dom",
                f"{origin}/index.html{query}",
            ],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
    (place,) = re.findall(r"<div data-shopflow-slot=\"home\">(.*?)</div>", seen, re.DOTALL)
    assert "Pour choisir sans vous tromper" in place
    assert re.findall(r'href="([^"]*)"', place) == ["/guides/luminaires", "/contact"]
    # What a template says is text, whatever is in it.
    assert "&lt;b&gt;k1&lt;/b&gt;" in place
    assert 'aria-label="Fermer"' in place


def test_the_script_is_small(shop):
    answer = shop.ask("/onsite.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert len(answer.content) <= 2048
