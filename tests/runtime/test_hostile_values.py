"""Words of SQL, CEL, templates and Python as ids, names and keys: values, wherever they come to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from click.testing import CliRunner
from support.production import scratch_database
from support.running import a_project

from shopflow.cli.main import main
from shopflow.rulebook import load_project
from shopflow.runtime.answers import Taken
from shopflow.runtime.app import App
from shopflow.runtime.process import Entry
from shopflow.runtime.stream import Stream
from shopflow.store.opening import open_store

HOSTILE = [
    "'; DROP TABLE customers; --",
    "' OR '1'='1",
    "x' UNION SELECT state FROM customers --",
    '"; DELETE FROM messages; --',
    "$1",
    ":customer_id",
    "%(id)s",
    "%s",
    "%",
    "_",
    "\\",
    "\\'",
    "`",
    "{}",
    "{0.__class__}",
    "{{ 7 * 7 }}",
    '" || true || "',
    "' || true || '",
    "lamp' || event.sku != 'lamp",
    "event.sku",
    "customer.views",
    "__class__",
    "__import__('os').system('false')",
    "')] or __import__('os') #",
    "null",
    "true",
    "0",
    "NaN",
    "[]",
    '{"a": 1}',
    "customers",
    "\ud7ff\u2028",
    "é\u0301💡",
    "x" * 64,
]
FILES = {
    "rules/traits.yaml": """
apiVersion: shopflow/v1
kind: Traits
attributes: {email: {type: string}}
traits:
  seen: {event: product.clicked, count: true, by: event.sku}
  words: {event: product.clicked, collect: "[event.sku]", max: 100}
""",
    # Only an honest word starts this one.
    "rules/workflows/lamp.yaml": """
apiVersion: shopflow/v1
kind: Workflow
id: lamp
version: 1
title: Lamp
owner: team
status: live
purpose: service
trigger: {event: product.clicked, when: "event.sku == 'lamp'", key: event.sku}
steps:
  - {id: tell, send: email, template: hello, with: {sku: trigger.sku}}
""",
    # This one starts for every word, once, and looks itself up by it.
    "rules/workflows/any.yaml": """
apiVersion: shopflow/v1
kind: Workflow
id: any
version: 1
title: Any
owner: team
status: live
purpose: service
trigger: {event: product.clicked, key: event.sku, reentry: once}
steps:
  - id: tell
    send: email
    template: hello
    with: {sku: trigger.sku}
    only_if: customer.seen[trigger.sku] == 1 && trigger.sku in customer.words
""",
}
NOW = datetime(2026, 3, 3, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    a_project(folder, 1, **FILES)
    return load_project(folder).require()


@pytest.fixture(params=["sqlite", "postgres"])
def shop(request, loaded, tmp_path):
    """A store, and what decides on it."""
    if request.param == "sqlite":
        store = open_store(f"sqlite:///{tmp_path}/shop.db", partitions=4)
        yield from opened(loaded, store)
        return
    with scratch_database() as url:
        yield from opened(loaded, open_store(url, partitions=4))


def opened(loaded, store):
    parts = App(loaded=loaded, store=store).parts(deliver=False)
    try:
        yield store, parts.processor
    finally:
        parts.write.close()
        store.close()


def an_event(number, event_type, customer, **data):
    return {
        "id": f"e{number}",
        "type": event_type,
        "occurred_at": (NOW + timedelta(seconds=number)).isoformat(),
        "customer_id": customer,
        "data": data,
    }


def take(shop, events):
    store, processor = shop
    stream = Stream("test", store.take_over("test").epoch)
    entries = [Entry(orjson.dumps(event)) for event in events]
    answers = processor.take(stream, entries, now=NOW + timedelta(hours=1))
    return [answer.taken for answer in answers]


def test_ids_and_words_are_kept_as_they_are_and_mean_nothing_else(shop):
    store, _ = shop
    honest = an_event(1, "product.clicked", "anna", sku="lamp")
    events = [an_event(0, "customer.updated", "anna", email="anna@example.com"), honest]
    for number, text in enumerate(HOSTILE, 2):
        events += [
            an_event(10 * number, "customer.updated", text, email="b@example.com"),
            an_event(10 * number + 1, "product.clicked", text, sku=text),
            {**an_event(10 * number + 2, "product.viewed", text, sku=text), "id": text},
        ]
    assert take(shop, events) == [Taken.ACCEPTED] * len(events)
    assert take(shop, events) == [Taken.DUPLICATE] * len(events)
    assert store.views.status().customers == len(HOSTILE) + 1
    for text in HOSTILE:
        assert store.views.customer(text).id == text
        assert store.views.event(text).customer_id == text
        timeline = store.views.timeline(text)
        assert len(timeline.events) == 3
        # The word started what every word starts, and not what an honest one does.
        sent = [one.message for one in timeline.messages if one.message.workflow != "hello"]
        assert [one.workflow for one in sent] == ["any"]
        assert sent[0].variables["sku"] == text
    assert {one.message.workflow for one in store.views.timeline("anna").messages} >= {"lamp"}


def test_words_that_are_no_ids_are_refused_and_kept_as_dead_letters(shop):
    store, _ = shop
    bad = ["", "a\x00b", "a\nb", "\x7f", "x" * 2000, 7, ["a"], {"$gt": ""}, True]
    events = [an_event(number, "product.clicked", who, sku="x") for number, who in enumerate(bad)]
    assert take(shop, events) == [Taken.DEAD_LETTER] * len(bad)
    assert sum(store.views.status().dead_letters.values()) == len(bad)
    assert store.views.status().customers == 0


def test_data_that_is_not_what_it_should_be_is_refused_before_any_rule_sees_it(shop):
    store, _ = shop
    data = [{"sku": {"$ne": 1}}, {"sku": ["lamp"]}, {"sku": True}, {"sku": None}]
    events = [an_event(number, "product.clicked", "anna", **one) for number, one in enumerate(data)]
    assert take(shop, events) == [Taken.DEAD_LETTER] * len(data)
    assert store.views.status().messages == {}


def test_erasing_somebody_called_like_a_pattern_erases_nobody_else(loaded, tmp_path):
    a_project(tmp_path, 1, **FILES)
    store = open_store(f"sqlite:///{tmp_path}/shopflow.db", partitions=4)
    project = replace(loaded.project, root=tmp_path)
    parts = App(loaded=replace(loaded, project=project), store=store).parts(deliver=False)
    names = ["%", "_", "anna", "' OR '1'='1"]
    take(
        (store, parts.processor),
        [an_event(n, "product.clicked", who, sku="x") for n, who in enumerate(names)],
    )
    parts.write.close()
    store.close()
    for name in ("%", "' OR '1'='1"):
        words = ["customer", "erase", name, "--yes", "--project", str(tmp_path)]
        ran = CliRunner().invoke(main, words)
        assert ran.exit_code == 0, ran.output
    store = open_store(f"sqlite:///{tmp_path}/shopflow.db", partitions=4)
    left = [name for name in names if store.views.customer(name) is not None]
    store.close()
    assert left == ["_", "anna"]
