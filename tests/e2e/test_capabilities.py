"""What the capabilities promise, each tied to the tests that show it; and those that none showed.

capabilities.yaml has the promises. What is shown elsewhere is named there; the rest is shown here.
"""

from __future__ import annotations

import ast
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest
import yaml
from shopflow_channels.email.channel import EmailChannel
from support.running import MailSink, a_project
from support.shipped import shipped
from support.shop import Shop

from shopflow.plugins import find_channels
from shopflow.rulebook import load_project
from shopflow.runtime.app import App
from shopflow.runtime.process import Entry
from shopflow.runtime.stream import Stream
from shopflow.store.memory import MemoryStore
from shopflow.store.opening import open_store

REPO = Path(__file__).parents[2]
PROMISES = yaml.safe_load(Path(__file__).with_name("capabilities.yaml").read_text(encoding="utf-8"))
#: What sends and rules need; others' promises (caps, consent, the web) have tests of their own.
CAPABILITIES = [f"C{number:02}" for number in (*range(1, 10), 15, 16, 17, 19, 28, 29)]
NOW = datetime(2026, 3, 3, 10, tzinfo=UTC)


def test_every_capability_has_its_promises():
    assert list(PROMISES) == CAPABILITIES
    assert all(PROMISES.values())


@pytest.mark.parametrize("capability", PROMISES)
def test_each_promise_is_shown_by_tests_that_there_are(capability):
    for promise, files in PROMISES[capability].items():
        assert files, promise
        for path, names in files.items():
            assert names, (promise, path)
            assert set(names) <= names_in(path), (promise, path)


@cache
def names_in(path):
    """The names of the tests of a file."""
    tree = ast.parse((REPO / path).read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {each.name for each in tree.body if isinstance(each, functions)}


def test_each_channel_reaches_its_own_contact_point(tmp_path, monkeypatch):
    """A channel of somebody's own is reached by what is called like it, such as a social id."""

    class Social(EmailChannel):
        name = "instagram"

    installed = {**find_channels(), "instagram": Social}
    monkeypatch.setattr("shopflow.rulebook.find_channels", lambda: installed)
    a_project(tmp_path, 1)
    with (tmp_path / "shopflow.yaml").open("a", encoding="utf-8") as settings:
        settings.write("  instagram: {host: localhost, from: hello@shop.example}\n")
        settings.write("  whatsapp: {url: https://wa.example/messages}\n")
    facts = {**shipped().ruleset.channels, **load_project(tmp_path).require().ruleset.channels}
    assert {name: each.address_attribute for name, each in facts.items()} == {
        "email": "email",
        "sms": "phone",
        "whatsapp": "phone",
        "webpush": "webpush",
        "instagram": "instagram",
        **dict.fromkeys(("onsite", "helpdesk", "social", "webhook", "log")),
    }


def live(*events):
    """The customer that the starter pack knows after these events."""
    store = MemoryStore(partitions=1)
    parts = App(loaded=shipped(), store=store).parts(deliver=False)
    stream = Stream("test", store.take_over("test").epoch)
    entries = [
        Entry(
            json.dumps(
                {
                    "id": f"e{number}",
                    "type": event_type,
                    "occurred_at": (NOW + timedelta(minutes=number)).isoformat(),
                    "customer_id": "anna",
                    "data": data,
                }
            ).encode()
        )
        for number, (event_type, data) in enumerate(events)
    ]
    answers = parts.processor.take(stream, entries, now=NOW + timedelta(hours=1))
    parts.write.close()
    assert {str(answer.taken) for answer in answers} == {"accepted"}, answers
    return store.views.customer("anna")


def test_the_pack_knows_purchases_interests_places_browsing_and_channel():
    item = {"sku": "LUM-101", "name": "Lamp", "price": 40.0, "quantity": 1}
    customer = live(
        ("customer.updated", {"city": "Lyon", "postcode": "69001", "interests": ["lamps"]}),
        ("preferences.changed", {"preferred_channel": "sms"}),
        ("product.viewed", {"sku": "LUM-101", "category": "lamps"}),
        ("order.placed", {"order_id": "o1", "total": 40.0, "currency": "EUR", "items": [item]}),
    )
    assert {"orders_count", "total_spent", "bought_skus", "shelf_views_14d", "looks"} <= {
        *customer.traits
    }
    told = customer.attributes
    assert (told["city"], told["postcode"], told["interests"]) == ("Lyon", "69001", ["lamps"])
    assert told["preferred_channel"] == "sms"


@pytest.mark.parametrize(
    ("gender", "said"),
    [
        ("female", "Chère Camille,"),
        ("male", "Cher Camille,"),
        ("other", "Bonjour Camille,"),
        ("", "Bonjour Camille,"),
    ],
)
def test_a_mail_addresses_somebody_as_they_said(gender, said):
    """Who does not say is not guessed at."""
    product = {"sku": "LUM-101", "name": "Lampe", "url": "https://b.example/l", "price": 40.0}
    values = {
        "first_name": "Camille",
        "gender": gender,
        "products": [{**product, "image_url": "https://b.example/l.jpg"}],
        "currency": "EUR",
        "shop": {},
        "unsubscribe_url": "https://b.example/u",
    }
    text = shipped().templates.render("browse/seen", "email", "fr", values)["text"]
    assert said in text


def test_an_invitation_names_the_store_that_is_near():
    values = {
        "first_name": "",
        "name": "Lyon Bellecour",
        "address": "2 place Bellecour",
        "hours": [],
        "store_url": "https://b.example/lyon",
        "shop": {},
        "unsubscribe_url": "https://b.example/u",
    }
    for locale in ("fr", "en"):
        text = shipped().templates.render("store/invitation", "email", locale, values)["text"]
        assert "Lyon Bellecour, 2 place Bellecour" in text


def test_the_help_bubble_leads_to_answers_and_to_a_person():
    for locale, answers in (("fr", "/aide"), ("en", "/help")):
        bubble = shipped().templates.render("cart/help", "onsite", locale, {})
        assert bubble["slot"] == "help"
        assert bubble["url"] == answers
        assert bubble["more_url"] == "/contact"
        assert bubble["button"]
        assert bubble["more_button"]


def test_that_there_is_no_chat_is_said():
    assert "no chat" in (REPO / "docs" / "channels.md").read_text(encoding="utf-8")


def test_what_messages_cost_is_told_by_workflow_and_channel(tmp_path):
    """What was accepted is paid for, and what was refused is not."""
    with MailSink().listening() as sink:
        sink.behave = lambda number: "550 no" if number == 3 else None
        shop = Shop(tmp_path, sink.port)
        with (tmp_path / "shopflow.yaml").open("a", encoding="utf-8") as settings:
            settings.write("    cost: 0.0004\n")
        shop.run(*shop.known("anna"), *shop.known("bert"), *shop.known("carl"))
        shop.run(*(shop.search(name) for name in ("anna", "bert", "carl")))
    store = open_store(f"sqlite:///{tmp_path}/shopflow.db", create=False)
    costs = {
        (row.key.workflow, row.key.channel, row.key.result): (row.count, row.cost)
        for row in store.views.sums()
        if row.key.result.startswith("delivery:")
    }
    store.close()
    assert costs["offer", "email", "delivery:accepted"] == (2, Decimal("0.0008"))
    assert {cost for (*_, result), (_, cost) in costs.items() if "accepted" not in result} == {0}
