"""A shop whose pages are up: `shopflow run`, or `serve` beside a worker, with mails in a sink."""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import uuid4

import httpx
import orjson
from support.production import redis_namespace, scratch_database, wait_for
from support.running import MailSink, a_project, start
from support.servers import redis_url

from shopflow.runtime.answers import Taken
from shopflow.runtime.app import open_app
from shopflow.runtime.door import Door
from shopflow.runtime.links import For, Keyring, Links
from shopflow.runtime.process import Entry
from shopflow.runtime.queue.streams import Streams
from shopflow.runtime.stream import Stream
from shopflow.store.opening import open_store
from shopflow.web.app import create_app
from shopflow.web.customers import customer_pages

API_KEY = "a key of these tests"
SECRET = "a secret of tests that is long enough"
#: Where links lead in the tests: the door of the very process is put in for it.
PUBLIC = "https://shop.example"
LINKS = Links(keyring=Keyring(secrets=[SECRET.encode()]), base_url=PUBLIC)
_LISTENS = re.compile(r"POST (http://[\d.:]+)/v1/events")

CONSENT = """
apiVersion: shopflow/v1
kind: ConsentPolicy
purposes:
  service: {class: service}
  review: {class: relationship, title: {en: Questions, fr: Questions}}
  marketing:
    class: marketing
    channels: {email: {double_opt_in: true}}
    title: {en: Our offers, fr: Nos offres}
    text: {en: One letter a week., fr: Une lettre par semaine.}
  cart_recovery:
    class: marketing
    parent: marketing
    inherit: true
    title: {en: Cart reminders, fr: Rappels de panier}
  tracking: {class: tracking}
"""
NEWSLETTER = """
apiVersion: shopflow/v1
kind: Workflow
id: news
version: 1
title: News
owner: team
status: live
purpose: marketing
max_per_hour: 1000000
trigger: {event: product.viewed}
steps:
  - {id: send, send: email, template: news, with: {sku: trigger.sku}}
"""
NEWS = """---
subject: "News"
purposes: [marketing]
variables: {sku: string}
---
News of {{ sku }}.
"""
FILES = {
    "rules/policies/consent.yaml": CONSENT,
    "rules/workflows/news.yaml": NEWSLETTER,
    "rules/templates/news/email.en.txt": NEWS,
}


class Shop:
    """Where events go in, where pages are, and what the database says."""

    def __init__(self, url, store, send):
        self.client = httpx.Client(base_url=url, timeout=30)
        self.url = url
        self.store = store
        self.send = send

    def token(self, purpose, *says):
        timed = purpose is not For.UNSUBSCRIBE
        return LINKS.token(purpose, *says, now=datetime.now(UTC) if timed else None)

    def messages(self, customer_id):
        """The state of each message of the customer, but for service."""
        found = self.store.views.timeline(customer_id).messages
        return {one.message.id: one.state for one in found if one.message.purpose != "service"}


@contextmanager
def a_shop_with_pages(
    folder, *, production=False, sink=None, files=None, settings=None, connections=2
):
    """A `Shop` with its sink, on SQLite alone or on PostgreSQL, Redis and a worker.

    With `settings`, which name other rules, mails go to the sink all the same.
    """
    with ExitStack() as stack:
        sink = stack.enter_context((sink or MailSink()).listening())
        folder.mkdir(exist_ok=True)
        if settings is None:
            a_project(folder, sink.port, connections=connections, **{**FILES, **(files or {})})
        else:
            sending = "delivery: {mode: allowlist, allowlist: ['*@*']}"
            text = settings.replace("delivery: {mode: sink}", sending)
            text = text.replace("port: 1025", f"port: {sink.port}\n    tls: none")
            (folder / "shopflow.yaml").write_text(text, encoding="utf-8")
        environment = {
            **os.environ,
            "SHOPFLOW_LINKS_URL": PUBLIC,
            "SHOPFLOW_LINKS_SECRET": SECRET,
        }
        database = f"sqlite:///{folder}/shopflow.db"
        if production:
            redis, namespace = stack.enter_context(redis_namespace())
            database = stack.enter_context(scratch_database())
            path = folder / "shopflow.yaml"
            text = path.read_text(encoding="utf-8").replace("sqlite:///shopflow.db", database)
            text += f"redis: {redis_url()}\nqueue: {{namespace: {namespace}}}\n"
            path.write_text(text, encoding="utf-8")
            open_store(database, partitions=4).close()
            stack.enter_context(_process(folder, "worker", env=environment))
            url = stack.enter_context(listening(folder, "serve", env=environment))
            streams = Streams(redis, namespace, 4)
            send = streams.add
        else:
            url = stack.enter_context(listening(folder, "run", env=environment))

            def send(lines):
                answer = httpx.post(f"{url}/v1/events", content=b"\n".join(lines), timeout=30)
                assert answer.status_code == 202, answer.text

        store = open_store(database, create=False)
        stack.callback(store.close)
        shop = Shop(url, store, send)
        stack.callback(shop.client.close)
        yield shop, sink


@contextmanager
def _process(folder, *words, **options):
    process = start(folder, *words, **options)
    # What it says is read as it comes, so that it never waits for us.
    said = []
    reader = threading.Thread(target=lambda: said.extend(process.stderr), daemon=True)
    reader.start()
    try:
        yield process, said
    finally:
        process.terminate()
        with contextlib.suppress(Exception):
            process.wait(20)
        process.kill()
        process.wait(30)
        reader.join(10)
        process.stdout.close()
        process.stderr.close()


@contextmanager
def listening(folder, command, **options):
    with _process(folder, command, "--http", "127.0.0.1:0", **options) as (process, said):
        found = lambda: next((m for line in said if (m := _LISTENS.search(line))), None)  # noqa: E731
        wait_for(lambda: found() or process.poll() is not None)
        assert found(), "".join(said)
        yield found()[1]


@contextmanager
def pages_in_process(folder, files=None):
    """The pages of a project over ASGI, decided by its rules and kept in SQLite: an `Inside`."""
    a_project(folder, 1, **{**FILES, **(files or {})})
    with open_app(folder) as app:
        parts = app.parts(deliver=False)
        links = replace(LINKS, keyring=replace(LINKS.keyring, read=app.store.keys.all))
        routes = customer_pages(
            app.project,
            app.loaded.ruleset,
            links,
            run=parts.write,
            wishes=lambda: parts.wishes,
            api_key=API_KEY,
        )
        try:
            yield Inside(app, parts, links, create_app(Door(), pages=routes))
        finally:
            parts.write.close()


class Inside:
    """A shop whose pages are asked without a network; `client` is made anew for each test."""

    def __init__(self, app, parts, links, asgi):
        self.app, self.parts, self.links, self.asgi = app, parts, links, asgi
        self.store = app.store

    def client(self, address="192.0.2.1"):
        transport = httpx.ASGITransport(app=self.asgi, client=(address, 1))
        return httpx.AsyncClient(transport=transport, base_url="https://shop.example")

    def tell(self, customer, event_type, **data):
        """The event is decided, as one that the shop sent."""
        event = {
            "id": uuid4().hex,
            "type": event_type,
            "occurred_at": datetime.now(UTC).isoformat(),
            "customer_id": customer,
            "data": data,
        }
        now = datetime.now(UTC)
        (answer,) = self.parts.processor.take(self._stream(), [Entry(orjson.dumps(event))], now=now)
        assert answer.taken is Taken.ACCEPTED, answer

    def consent(self, customer, channel="email", purpose="marketing"):
        """The word that stands; None where there is none."""
        entry = self.parts.wishes.customer(customer).consents.get((channel, purpose))
        return entry.state.value if entry else None

    def url(self, purpose, *says, now=None):
        timed = purpose is not For.UNSUBSCRIBE
        now = now or (datetime.now(UTC) if timed else None)
        return f"/{purpose}/{self.links.token(purpose, *says, now=now)}"

    def events(self, customer):
        """What was accepted of this person, each as it was sent."""
        found = self.store.views.timeline(customer).events
        return [SimpleNamespace(type=one.type, **json.loads(one.payload)["data"]) for one in found]

    def _stream(self):
        return Stream("test", self.store.take_over("test").epoch)
