"""A workflow's own tests, lived through the whole program by customers of both languages.

Everything is real but the channels, which record: events are checked and taken in, customers
decided, messages put into the outbox, leased, written and handed over, receipts heard.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from pathlib import Path

from shopflow.channel import OnUncertain, Receipt
from shopflow.domain.journal import Kind
from shopflow.domain.step import Split
from shopflow.domain.trigger import EventTrigger
from shopflow.domain.workflow import Status
from shopflow.engine import Rulebook
from shopflow.errors import FailureReason
from shopflow.gitops.mocked_shelves import mocked_rankings
from shopflow.gitops.people import make_customer
from shopflow.gitops.pools import with_exhausted
from shopflow.gitops.scenario import read_scenarios
from shopflow.lang.project import Delivery, DeliveryMode
from shopflow.runtime.app import open_app
from shopflow.runtime.carrier import Carrier
from shopflow.runtime.embedded import Embedded
from shopflow.runtime.simulate import Until
from shopflow.runtime.sources import open_sources
from shopflow.store.opening import open_store
from shopflow.store.records import DeliveryState
from shopflow.testing.recording import RecordingChannel

LOCALES = ("fr", "en")
#: Where chance chooses the way, so many customers live each scenario.
TWINS = 12


@dataclass
class Evidence:
    """What was seen of one workflow."""

    #: Step -> locales in which a channel accepted its message.
    accepted: dict = field(default_factory=lambda: defaultdict(set))
    exits: set = field(default_factory=set)
    #: How enrolments ended by themselves.
    outcomes: set = field(default_factory=set)
    #: Reason of the engine -> how often nothing was sent, or nobody entered, because of it.
    refusals: Counter = field(default_factory=Counter)
    #: Inputs that were set aside, and conditions that failed.
    mishaps: list = field(default_factory=list)


class Scripted(RecordingChannel):
    """Accepts everything but what a test wants refused."""

    def __init__(self, channel, lives):
        super().__init__()
        self._left = {
            life.prefix: [life.scenario.channel_mocks[channel], 0]
            for life in lives
            if channel in life.scenario.channel_mocks
        }

    async def send(self, messages):
        for message in messages:
            prefix = f"{message.customer_id.split('/')[0]}/"
            mock, failed = self._left.get(prefix, (None, 0))
            if mock is not None and (mock.times is None or failed < mock.times):
                self._left[prefix][1] += 1
                self.answer_with(
                    [Receipt.failed(FailureReason(mock.reason), retryable=False)],
                )
            async for answer in super().send([message]):
                yield answer


@dataclass(frozen=True)
class Life:
    """A scenario, lived by customers of its own who read one language."""

    scenario: object
    locale: str
    prefix: str

    def events(self):
        """What happens, as the shop would send it."""
        scenario = self.scenario
        past = sorted(scenario.past_events, key=lambda each: each.at)
        for number, one in enumerate([*past, *scenario.events], 1):
            customer, visitor = one.customer, one.anonymous
            if one.type == "customer.identified":
                visitor = visitor or one.data.get("anonymous_id")
                customer = customer or one.data.get("customer_id")
            if customer is None and (visitor is None or one.type == "customer.identified"):
                customer = scenario.customer
            event = {
                "id": f"{self.prefix}{one.id or number}",
                "type": one.type,
                "occurred_at": one.at.isoformat(),
                "data": self._ours(one.data),
            }
            if customer is not None:
                event["customer_id"] = self.prefix + customer
            if visitor is not None:
                event["anonymous_id"] = self.prefix + visitor
            yield event

    def people(self):
        """Everybody whom something happens to."""
        named = {self.prefix + name for name in self.scenario.customers}
        told = {
            event[key]
            for event in self.events()
            for key in ("customer_id", "anonymous_id")
            if key in event
        }
        return named | told

    def customers(self, rulebook):
        """Who takes part, as they are when it begins."""
        scenario = self.scenario
        begin = min([scenario.start, *(each.at for each in scenario.past_events)])
        for name, told in scenario.customers.items():
            sends = scenario.past_sends if name == scenario.customer else ()
            ours = {**self._ours(told), "locale": self.locale}
            customer = make_customer(rulebook, self.prefix + name, ours, begin, sends)
            yield replace(customer, calendar_at=begin, next_due_at=begin)

    def _ours(self, data):
        """The data with this life's customers and language in it."""
        match data:
            case dict():
                return {
                    key: self.locale if key == "locale" else self._ours(value)
                    for key, value in data.items()
                }
            case list():
                return [self._ours(value) for value in data]
            case str() if data in self.scenario.customers:
                return self.prefix + data
            case _:
                return data


def evidence(loaded, workflow_id, folder):
    """What is seen of a workflow when all its tests are lived through in both languages."""
    documents = [one for one in loaded.tests if one.root["workflow"].text == workflow_id]
    groups = defaultdict(list)
    for number, scenario in enumerate(read_scenarios(documents, loaded.ruleset)):
        world = {key: value for key, value in scenario.mocks.items() if key != "channels"}
        groups[json.dumps(world, sort_keys=True)].append((number, scenario))
    workflow = loaded.ruleset.workflows[workflow_id]
    if isinstance(workflow.trigger, EventTrigger) and workflow.trigger.subject:
        return _evidence_of_rows(loaded, workflow_id, groups, folder)
    steps = workflow.steps.values()
    splits = any(isinstance(step, Split) for step in steps)
    found = Evidence()
    for number, (world, scenarios) in enumerate(groups.items()):
        lives = [
            Life(scenario, locale, f"{place}-{locale}-{twin}/")
            for place, scenario in scenarios
            for locale in LOCALES
            for twin in range(TWINS if splits else 1)
        ]
        _live(loaded, workflow_id, json.loads(world), lives, folder / f"{number}.jsonl", found)
    return found


def _evidence_of_rows(loaded, workflow_id, groups, folder):
    """What is seen of a workflow that enrols products, which read the shop's language.

    Two scenarios may be about one product, so each is a shop of its own.
    """
    found = Evidence()
    for world, scenarios in groups.items():
        for place, scenario in scenarios:
            for locale in LOCALES:
                project = replace(loaded.project, locale=locale)
                ruleset = replace(loaded.ruleset, locale=locale)
                shop = replace(loaded, project=project, ruleset=ruleset)
                life = Life(scenario, locale, f"{place}-{locale}/")
                path = folder / f"{place}-{locale}.jsonl"
                _live(shop, workflow_id, json.loads(world), [life], path, found)
    return found


@cache
def _empty_database(partitions):
    """A database file with tables and nothing in them, which each shop begins with."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "shop.db")
        open_store(f"sqlite:///{path}", partitions=partitions).close()
        return path.read_bytes()


def _live(loaded, workflow_id, world, lives, path, found):
    workflow = loaded.ruleset.workflows[workflow_id]
    # Those who live in one world have the same values.
    values = {**workflow.values, **lives[0].scenario.values}
    holdout = float(bool(world.get("holdout")))
    alone = replace(workflow, status=Status.LIVE, holdout=holdout, values=values)
    ruleset = replace(loaded.ruleset, workflows={workflow_id: alone})
    settings = {
        "database": f"sqlite:///{path.with_suffix('.db')}",
        "delivery": Delivery(mode=DeliveryMode.ALLOWLIST, allowlist=("*",)),
    }
    path.with_suffix(".db").write_bytes(_empty_database(loaded.project.partitions))
    _write(path, lives)
    ours = {key: one for key, one in loaded.sources.items() if one["id"] == workflow_id}
    only = replace(
        loaded,
        ruleset=with_exhausted(ruleset, world.get("coupons", {})),
        # Other workflows would be kept as older ones, and be compiled again each time.
        make_sources=lambda: ours,
    )
    with open_app(loaded.project.root, event_clock=True, project=settings, loaded=only) as app:
        _prepare(app, world, lives)
        asyncio.run(_run(app, lives, path))
        _look(app, alone, lives, found)


def _prepare(app, world, lives):
    rulebook = Rulebook(app.loaded.ruleset)
    with app.store.transaction() as batch:
        begin = min(life.scenario.start for life in lives)
        batch.save_products(world.get("products", {}), begin)
        for life in lives:
            batch.save(life.customers(rulebook))
    rankings = mocked_rankings(world.get("products", {}), world.get("recommendations", {}))
    app.store.recommendations.keep(list(rankings), begin)


def _write(path: Path, lives):
    events = [event for life in lives for event in life.events()]
    ends = [life.scenario.until for life in lives if life.scenario.until is not None]
    if ends:
        # Nothing happens, but the clock goes on to here.
        last = {"id": "end", "type": "customer.updated", "customer_id": "clock", "data": {}}
        events.append({**last, "occurred_at": max(ends).isoformat()})
    events.sort(key=lambda event: datetime.fromisoformat(event["occurred_at"]))
    path.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")


async def _run(app, lives, path):
    parts = app.parts(deliver=False)
    carriers = {
        name: Carrier(name=name, channel=Scripted(name, lives), on_uncertain=OnUncertain.RESEND)
        for name in app.project.channels
    }
    deliverer = app.deliverer(parts.write, carriers=carriers)
    runner = Embedded(
        replace(parts, deliverer=deliverer),
        sources=open_sources([str(path)]),
        until=Until.DRAIN,
    )
    await runner.run()


def _look(app, workflow, lives, found):
    views = app.store.views
    rules = {rule.id for rule in workflow.exits}
    found.mishaps += [letter.detail or letter.reason for letter in views.dead_letters()]
    for stored in views.messages(workflow=workflow.id, state=DeliveryState.SENT, limit=10**9):
        found.accepted[stored.message.step].add(stored.message.locale)
    sent_for = {
        one.message.customer_id for one in views.messages(workflow=workflow.id, limit=10**9)
    }
    for person in sorted({person for life in lives for person in life.people()} | sent_for):
        for entry in views.timeline(person).journal:
            match entry.kind:
                case Kind.EXITED if entry.values.get("by") in rules:
                    found.exits.add(entry.values["by"])
                case Kind.EXITED:
                    found.outcomes.add(str(entry.reason))
                case Kind.DROPPED | Kind.REFUSED:
                    found.refusals[str(entry.reason)] += 1
                case Kind.ERROR:
                    found.mishaps.append(entry.values)
                case _:
                    pass
