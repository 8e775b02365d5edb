"""Rankings from stored events, the nightly run, and what a message gets of them when it leaves."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import orjson
import pytest
from support.engine import T0, a_customer, a_ruleset, cel, on
from support.production import scratch_database

from shopflow.domain.event import Event, Outcome
from shopflow.domain.message import Message
from shopflow.domain.policy import MessageClass
from shopflow.domain.product import IfSoldOut
from shopflow.domain.recommendation import Strategy
from shopflow.domain.trait import Aggregate, Trait, TraitType
from shopflow.engine.shopper import shopper_of
from shopflow.engine.traits import fold
from shopflow.lang.templates import load_templates
from shopflow.recommend import Recommender
from shopflow.runtime.carrier import Delivery
from shopflow.runtime.envelope import Envelopes, Mode, Withheld
from shopflow.runtime.links import Keyring, Links
from shopflow.runtime.nightly import Nightly, starter
from shopflow.runtime.recommendations import compute_all
from shopflow.runtime.shelves import StoreShelves
from shopflow.store.memory import MemoryStore
from shopflow.store.opening import open_store
from shopflow.store.records import Arrival, LeasedMessage

DAY = timedelta(days=1)
PARIS = ZoneInfo("Europe/Paris")
TEMPLATE = """---
subject: "{{ recommend('bought_together', items, limit=2) | length }} ideas"
variables: [items]
---
<html><body>{% for p in recommend("bought_together", items, limit=2, at_least=1) %}
{{ p.name }}{% endfor %}</body></html>
"""
PLAIN = """---
subject: Plain
---
Nothing to look up.
"""


def an_order(number, skus, at=T0, who="anna"):
    data = {"order_id": f"o{number}", "items": [{"sku": sku} for sku in skus.split()]}
    document = {"id": f"o{number}", "type": "order.placed", "customer_id": who,
                "occurred_at": at.isoformat(), "data": data}  # fmt: skip
    event = Event(id=f"o{number}", type="order.placed", occurred_at=at, data=data, customer_id=who)
    return Arrival(number % 4, event, orjson.dumps(document))


def fill(store):
    orders = ["lamp bulb", "lamp bulb", "lamp bulb", "lamp rug", "lamp rug", "vase lamp", "vase"]
    with store.transaction() as batch:
        batch.accept_events([an_order(n, skus, T0 + n * DAY) for n, skus in enumerate(orders)])
        batch.save_products({sku: {"name": sku.title()} for sku in ("bulb", "rug", "lamp")}, T0)
    return store


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request, tmp_path):
    """Orders and a catalogue, in each kind of store."""
    if request.param == "memory":
        yield fill(MemoryStore(4))
    elif request.param == "sqlite":
        opened = fill(open_store(f"sqlite:///{tmp_path / 'shop.db'}", partitions=4))
        yield opened
        opened.close()
    else:
        with scratch_database() as url:
            opened = fill(open_store(url, partitions=4))
            yield opened
            opened.close()


def test_rankings_follow_from_stored_orders(store):
    done = compute_all(store, T0)
    assert (done.orders, done.products, done.forgotten) == (7, 3, 0)
    answer = Recommender(StoreShelves(store))
    assert [one["name"] for one in answer("bought_together", "lamp")] == ["Bulb", "Rug"]
    assert [one["name"] for one in answer("best_sellers")] == ["Lamp", "Bulb", "Rug"]


def test_what_no_longer_follows_is_gone_after_the_next_run(store):
    compute_all(store, T0)
    assert store.recommendations.rankings(Strategy.BOUGHT_TOGETHER, ["vase"])
    store.forget_events(T0 + 400 * DAY)
    while store.forget_events(T0 + 400 * DAY):
        pass
    done = compute_all(store, T0 + DAY)
    assert done.orders == 0
    assert done.forgotten > 0
    assert not store.recommendations.rankings(Strategy.BOUGHT_TOGETHER, ["vase"])


def in_paris(text):
    return datetime.fromisoformat(text).replace(tzinfo=PARIS)


def test_each_night_is_taken_on_once_by_whoever_looks_first(store):
    started = []
    one, other = (Nightly(store, PARIS, lambda: started.append(1)) for _ in range(2))
    # The first night is the next one.
    assert not one.look(in_paris("2026-03-03T22:00"))
    assert not other.look(in_paris("2026-03-04T02:59"))
    assert one.look(in_paris("2026-03-04T03:00"))
    assert not one.look(in_paris("2026-03-04T03:00"))
    assert not other.look(in_paris("2026-03-04T23:00"))
    assert len(started) == 1


def test_missed_nights_are_made_up_for_once(store):
    started = []
    Nightly(store, PARIS, lambda: started.append(1)).look(in_paris("2026-03-03T22:00"))
    later = Nightly(store, PARIS, lambda: started.append(1))
    assert later.look(in_paris("2026-03-09T12:00"))
    assert not later.look(in_paris("2026-03-09T13:00"))
    assert len(started) == 1


def test_the_run_is_a_process_of_its_own(tmp_path):
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    store = fill(open_store(url, partitions=4))
    process = starter(url, 4)()
    process.join(60)
    assert process.exitcode == 0
    assert store.recommendations.counts()[Strategy.BOUGHT_TOGETHER] == 4
    store.close()


class Counting:
    """Recommendations of a store that count how often they are asked."""

    def __init__(self, store):
        self.recommendations = self
        self._kept = store.recommendations
        self.asked = []

    def products(self, skus):
        self.asked.append(sorted(skus))
        return self._kept.products(skus)

    def rankings(self, strategy, keys):
        return self._kept.rankings(strategy, keys)


def test_stock_is_looked_up_again_after_a_second_and_not_before():
    store, now = fill(MemoryStore()), [100.0]
    counting = Counting(store)
    shelves = StoreShelves(counting, lambda: now[0])
    assert set(shelves.products(["bulb", "vase"])) == {"bulb"}
    with store.transaction() as batch:
        batch.save_products({"bulb": {"name": "Bulb", "in_stock": False}}, T0 + DAY)
    now[0] += 0.5
    assert shelves.products(["bulb", "vase"])["bulb"] == {"name": "Bulb"}
    now[0] += 0.6
    assert shelves.products(["bulb"])["bulb"]["in_stock"] is False
    assert counting.asked == [["bulb", "vase"], ["bulb"]]


TRAITS = {
    "bought_skus": Trait(
        name="bought_skus",
        type=TraitType.LIST,
        pattern=on("order.placed"),
        aggregate=Aggregate.COLLECT,
        value=cel("event.items.map(i, i.sku)"),
        window=180 * DAY,
    ),
    "cart_skus": Trait(
        name="cart_skus",
        type=TraitType.LIST,
        pattern=on("cart.updated"),
        aggregate=Aggregate.LAST,
        value=cel("event.items.map(i, i.sku)"),
    ),
}


def a_shopper(*arrivals):
    """Anna, after these orders."""
    states = {}
    for event in (arrival.event for arrival in arrivals):
        states = fold(states, [TRAITS["bought_skus"]], event, event.data, "EUR", lambda *_: None)
    return a_customer(consent=[("email", "cart_recovery")], traits=states)


def test_what_was_bought_long_ago_may_be_recommended_again():
    ruleset = a_ruleset(traits=TRAITS)
    customer = a_shopper(an_order(1, "bulb"), an_order(2, "rug", T0 + 100 * DAY))
    assert shopper_of(ruleset, customer, T0 + 100 * DAY).bought == {"bulb", "rug"}
    assert shopper_of(ruleset, customer, T0 + 200 * DAY).bought == {"rug"}
    assert shopper_of(a_ruleset(), customer, T0).bought == frozenset()


class Desk:
    """Where messages with recommendations are filled in."""

    def __init__(self, folder, store):
        place = folder / "cart" / "reminder"
        place.mkdir(parents=True)
        (place / "email.fr.html").write_text(TEMPLATE, encoding="utf-8")
        (folder / "cart" / "plain").mkdir()
        (folder / "cart" / "plain" / "email.fr.txt").write_text(PLAIN, encoding="utf-8")
        templates, problems = load_templates(folder, locale="fr")
        assert problems == []
        self.envelopes = Envelopes(
            ruleset=a_ruleset(traits=TRAITS),
            templates=templates,
            links=Links(
                keyring=Keyring(secrets=[b"x"]),
                base_url="https://shop.example",
                contact="a@shop.example",
            ),
            mode=Mode.LIVE,
            shelves=StoreShelves(store, lambda: 0.0),
            recommending=templates.recommending(),
        )
        self.store = store

    def fill(self, customer):
        return self.envelopes.fill(a_lease(), customer, T0 + DAY / 2)

    async def filled(self, write, **changes):
        """As a deliverer has it filled in, with the store called by `write`."""
        delivery = Delivery(
            store=self.store,
            envelopes=self.envelopes,
            write=write,
            clock=lambda: T0 + DAY / 2,
            owner="test",
        )
        return await delivery.filled(a_lease(**changes), a_shopper())


def a_lease(**changes):
    return LeasedMessage(
        attempt=1,
        message=Message(
            **{
                "id": "m1",
                "customer_id": "anna",
                "enrolment_id": "n1",
                "workflow": "abandoned-cart",
                "version": 1,
                "digest": "d",
                "step": "reminder",
                "visit": 1,
                "channel": "email",
                "purpose": "cart_recovery",
                "message_class": MessageClass.MARKETING,
                "priority": 60,
                "template": "cart/reminder",
                "locale": "fr",
                "address": "anna@shop.example",
                "variables": {"items": [{"sku": "lamp"}]},
                "trigger_event_id": "e1",
                "decided_at": T0,
                "cursor_at": T0,
                "send_by": T0 + DAY,
                **changes,
            }
        ),
    )


def test_a_message_recommends_what_goes_with_its_items(store, tmp_path):
    compute_all(store, T0)
    filled = Desk(tmp_path / "t", store).fill(a_shopper())
    assert filled.content["subject"] == "2 ideas"
    assert filled.content["text"].split() == ["Bulb", "Rug"]


def test_a_message_leaves_out_what_its_customer_bought(store, tmp_path):
    compute_all(store, T0)
    filled = Desk(tmp_path / "t", store).fill(a_shopper(an_order(1, "bulb")))
    assert filled.content["text"].split() == ["Rug"]


def test_a_message_with_nothing_left_to_recommend_does_not_leave(store, tmp_path):
    compute_all(store, T0)
    customer = a_shopper(an_order(1, "bulb rug"))
    withheld = Desk(tmp_path / "t", store).fill(customer)
    assert withheld == Withheld(outcome=Outcome.DROPPED, reason="guard")


@pytest.mark.anyio
async def test_what_a_message_looks_up_is_not_waited_for_on_the_event_loop(store, tmp_path):
    compute_all(store, T0)
    desk = Desk(tmp_path / "t", store)
    called = []

    async def write(call):
        called.append(call)
        return await asyncio.to_thread(call)

    filled = await desk.filled(write)
    assert filled.content["subject"] == "2 ideas"
    assert len(called) == 1
    # So for one that promotes; one that looks up nothing costs no change of threads.
    plain = await desk.filled(write, template="cart/plain")
    assert plain.content["subject"] == "Plain"
    assert len(called) == 1
    items = {"items": IfSoldOut.DROP}
    await desk.filled(write, template="cart/plain", promotes=items)
    assert len(called) == 2
