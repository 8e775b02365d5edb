"""Events about no customer reach everybody who waits for them, the same on every way of running."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.engine import HOUR, T0, a_ruleset, a_send, a_wait, a_workflow, cel, on

from shopflow.domain.event import Facts
from shopflow.domain.step import WaitFor
from shopflow.domain.trigger import EventTrigger
from shopflow.domain.workflow import Exit
from shopflow.engine import Rulebook
from shopflow.runtime import fanout, workset
from shopflow.runtime.answers import Taken
from shopflow.runtime.ingest import Ingest
from shopflow.runtime.process import Entry, Processor
from shopflow.runtime.simulate import Line, Until, simulate
from shopflow.runtime.stream import Stream
from shopflow.runtime.timers import Timers
from shopflow.runtime.workset import Rules
from shopflow.store.memory import MemoryStore
from shopflow.store.opening import open_store

MINUTE = timedelta(minutes=1)
ALERT, CANCELED = "stock_alert.requested", "stock_alert.canceled"
RESTOCKED, WITHDRAWN = "product.restocked", "product.withdrawn"
TYPES = (ALERT, CANCELED, RESTOCKED, WITHDRAWN)
BY_SKU = {"sku": cel("trigger.sku")}


def back_in_stock(**more):
    """Tells at once that a product is back, or after ten hours that it is not."""
    stock = WaitFor(
        id="stock",
        next=None,
        pattern=on(RESTOCKED),
        match=BY_SKU,
        timeout=cel('duration("10h")'),
        then="back",
        otherwise="sorry",
        **more,
    )
    return a_workflow(
        "back-in-stock",
        trigger=EventTrigger(pattern=on(ALERT)),
        key=cel("event.sku"),
        steps=[stock, a_send("back"), a_send("sorry")],
        exits=(
            Exit(id="enough", pattern=on(CANCELED), match=BY_SKU, when=None, outcome="canceled"),
            Exit(id="gone", pattern=on(WITHDRAWN), match=BY_SKU, when=None, outcome="gone"),
        ),
    )


def a_rulebook(*workflows):
    subjects = frozenset({RESTOCKED, WITHDRAWN})
    return Rulebook(a_ruleset(*workflows, subject_events=subjects))


def an_event(number, event_type, at=0, customer=None, **data):
    return {
        "id": f"e{number}",
        "type": event_type,
        "occurred_at": (T0 + at * HOUR).isoformat(),
        "data": {"sku": "A1", **data},
        **({"customer_id": customer} if customer else {}),
    }


class Shop:
    """A store that is decided on alone; the events are the clock."""

    def __init__(self, rulebook, store=None):
        self.store = store or MemoryStore(partitions=4)
        self.ingest = Ingest({name: {"type": "object"} for name in TYPES}, event_clock=True)
        rules = Rules(rulebook=rulebook, facts=Facts(event_clock=True), secrets=self.ingest.secrets)
        self.processor = Processor(self.store, rules, self.ingest)
        self.timers = Timers(self.store, rules)
        self.stream = Stream("test", self.store.take_over("test").epoch)

    def take(self, *events):
        entries = [Entry(json.dumps(event).encode(), event["id"]) for event in events]
        return self.processor.take(self.stream, entries, now=T0)

    @property
    def sends(self):
        found = self.store.views.messages(limit=1000)
        return sorted(
            (one.message.decided_at - T0, one.message.customer_id, one.message.step)
            for one in found
        )

    @property
    def waits(self):
        keys = ('{"sku":"A1"}', '{"sku":"B2"}')
        types = (RESTOCKED, WITHDRAWN)
        return sum(len(self.store.views.waiting(each, key)) for each in types for key in keys)


def simulated(rulebook, events, until=Until.DRAIN):
    ingest = Ingest({name: {"type": "object"} for name in TYPES}, event_clock=True)
    lines = [Line(json.dumps(event).encode(), "") for event in events]
    result = simulate(rulebook, ingest, lines, until=until)
    return sorted(
        (message.decided_at - T0, message.customer_id, message.step)
        for message in result.tally.messages
    )


@pytest.fixture(params=["memory", "sqlite"])
def shop(request, tmp_path):
    """A shop with the back-in-stock workflow."""
    if request.param == "memory":
        yield Shop(a_rulebook(back_in_stock()))
        return
    store = open_store(f"sqlite:///{tmp_path}/shop.db", partitions=4)
    yield Shop(a_rulebook(back_in_stock()), store)
    store.close()


def test_a_restock_reaches_whoever_waits_for_that_product_and_nobody_else(shop):
    shop.take(
        an_event(1, ALERT, customer="anna"),
        an_event(2, ALERT, customer="berta"),
        an_event(3, ALERT, customer="carla", sku="B2"),
    )
    assert shop.waits == 6, "each for the restock, and for the end of the product"
    answers = shop.take(an_event(4, RESTOCKED, at=1))
    assert [answer.taken for answer in answers] == [Taken.ACCEPTED]
    assert shop.sends == [(HOUR, "anna", "back"), (HOUR, "berta", "back")]
    assert shop.waits == 2, "only carla waits now"
    assert shop.store.views.event("e4").customer_id is None


def test_a_restock_in_the_batch_of_the_alert_is_not_missed(shop):
    shop.take(an_event(1, ALERT, customer="anna"), an_event(2, RESTOCKED, at=1))
    assert shop.sends == [(HOUR, "anna", "back")]
    assert shop.waits == 0


def test_who_no_longer_waits_hears_of_nothing(shop):
    shop.take(an_event(1, ALERT, customer="anna"), an_event(2, ALERT, customer="berta"))
    shop.take(an_event(3, CANCELED, at=1, customer="anna"), an_event(4, RESTOCKED, at=2))
    assert shop.sends == [(2 * HOUR, "berta", "back")]


def test_an_exit_on_an_event_about_the_product_ends_those_that_are_about_it(shop):
    shop.take(an_event(1, ALERT, customer="anna"), an_event(2, ALERT, customer="bo", sku="B2"))
    shop.take(an_event(3, WITHDRAWN, at=1))
    shop.take(an_event(4, RESTOCKED, at=2), an_event(5, RESTOCKED, at=2, sku="B2"))
    assert shop.sends == [(2 * HOUR, "bo", "back")]
    assert shop.store.views.customer("anna").enrolments == ()


def test_a_timer_that_was_due_before_the_restock_comes_first(shop):
    shop.take(an_event(1, ALERT, customer="anna"), an_event(2, RESTOCKED, at=11))
    assert shop.sends == [(10 * HOUR, "anna", "sorry")]


def test_a_duplicate_restock_is_told_to_nobody(shop):
    shop.take(an_event(1, RESTOCKED, at=5))
    shop.take(an_event(2, ALERT, at=1, customer="anna"))
    assert shop.take(an_event(1, RESTOCKED, at=5))[0].taken is Taken.DUPLICATE
    assert shop.sends == []


def test_a_restock_in_the_very_instant_of_the_alert_came_before_it(shop):
    shop.take(an_event(1, ALERT, customer="anna"), an_event(2, RESTOCKED))
    assert shop.sends == []


def test_a_customer_for_whom_it_cannot_be_decided_keeps_it_from_nobody_else(shop, monkeypatch):
    real = workset.decide

    def failing(rulebook, customer, given, **more):
        if customer.id == "anna" and not hasattr(given, "customer_id"):
            raise ZeroDivisionError
        return real(rulebook, customer, given, **more)

    monkeypatch.setattr(workset, "decide", failing)
    shop.take(an_event(1, ALERT, customer="anna"), an_event(2, ALERT, customer="berta"))
    assert shop.take(an_event(3, RESTOCKED, at=1))[0].taken is Taken.ACCEPTED
    assert shop.sends == [(HOUR, "berta", "back")]
    (entry,) = [e for e in shop.store.views.timeline("anna").journal if e.kind == "error"]
    assert entry.reason == "decide_failed"


def test_a_long_queue_hears_of_it_page_by_page(shop, monkeypatch):
    monkeypatch.setattr(fanout, "PAGE", 3)
    people = [f"c{number}" for number in range(10)]
    shop.take(*(an_event(n, ALERT, at=n / 100, customer=who) for n, who in enumerate(people)))
    after = an_event(101, ALERT, at=1, customer="late")
    answers = shop.take(an_event(100, RESTOCKED, at=1), after, an_event(102, RESTOCKED, at=2))
    assert [answer.taken for answer in answers] == [Taken.ACCEPTED] * 3
    assert [who for at, who, _ in shop.sends if at == HOUR] == people
    assert [who for at, who, _ in shop.sends if at == 2 * HOUR] == ["late"]
    assert shop.waits == 0


def test_a_fan_out_that_was_cut_off_goes_on_when_the_event_is_read_again(shop, monkeypatch):
    monkeypatch.setattr(fanout, "PAGE", 3)
    people = [f"c{number}" for number in range(10)]
    shop.take(*(an_event(n, ALERT, at=n / 100, customer=who) for n, who in enumerate(people)))
    pages = fanout.Fanout.pages

    def killed(self, event, partition):
        yield from islice(pages(self, event, partition), 2)
        raise KeyboardInterrupt

    monkeypatch.setattr(fanout.Fanout, "pages", killed)
    with pytest.raises(KeyboardInterrupt):
        shop.take(an_event(100, RESTOCKED, at=1))
    assert len(shop.sends) == 3
    monkeypatch.setattr(fanout.Fanout, "pages", pages)
    assert shop.take(an_event(100, RESTOCKED, at=1))[0].taken is Taken.ACCEPTED
    assert [who for _, who, _ in shop.sends] == people


def test_a_long_queue_hears_nothing_of_a_duplicate(shop, monkeypatch):
    monkeypatch.setattr(fanout, "PAGE", 3)
    shop.take(an_event(100, RESTOCKED, at=9))
    shop.take(*(an_event(n, ALERT, customer=f"c{n}") for n in range(10)))
    assert shop.take(an_event(100, RESTOCKED, at=9))[0].taken is Taken.DUPLICATE
    assert shop.sends == []


def streams():
    """Alerts, restocks and ends of two products for four customers, in order of time."""
    event = st.tuples(
        st.sampled_from((ALERT, ALERT, RESTOCKED, CANCELED, WITHDRAWN)),
        st.sampled_from(("A1", "B2")),
        st.sampled_from(("anna", "berta", "carla", "dora")),
        st.integers(0, 6),
    )
    return st.lists(event, max_size=30)


@settings(max_examples=60)
@given(streams(), st.integers(1, 7), st.integers(1, 3))
def test_simulate_and_the_store_agree_whatever_the_batches(drawn, size, page):
    events, at = [], 0
    for number, (kind, sku, customer, pause) in enumerate(drawn):
        at += pause
        about = None if kind in {RESTOCKED, WITHDRAWN} else customer
        events.append(an_event(number, kind, at=at, customer=about, sku=sku))
    rulebook = a_rulebook(back_in_stock())
    shop = Shop(rulebook)
    before, fanout.PAGE = fanout.PAGE, page
    try:
        for start in range(0, len(events), size):
            shop.take(*events[start : start + size])
        if events:
            shop.timers.tick(T0 + at * HOUR)
            list(shop.timers.drain())
    finally:
        fanout.PAGE = before
    assert shop.sends == simulated(rulebook, events)
    assert shop.waits == 0


def test_a_wait_that_begins_by_a_timer_is_met_by_the_next_restock_only():
    waits = [
        a_wait("settle", "2h", "stock"),
        *back_in_stock().steps.values(),
    ]
    rulebook = a_rulebook(
        a_workflow("patient", trigger=EventTrigger(pattern=on(ALERT)), steps=waits, exits=())
    )
    events = [
        an_event(1, ALERT, customer="anna"),
        an_event(2, RESTOCKED, at=2),
        an_event(3, RESTOCKED, at=3),
    ]
    assert simulated(rulebook, events) == [(3 * HOUR, "anna", "back")]
    shop = Shop(rulebook)
    shop.take(*events)
    assert shop.sends == [(3 * HOUR, "anna", "back")]


def test_an_event_that_nobody_awaits_is_told_to_nobody_who_awaits_another(shop):
    shop.take(an_event(1, ALERT, customer="anna"))
    shop.take(an_event(2, RESTOCKED, at=1, sku="B2"), an_event(3, RESTOCKED, at=2))
    shop.take(an_event(4, ALERT, at=3, customer="anna"))
    shop.take(an_event(3, RESTOCKED, at=2), an_event(5, RESTOCKED, at=4, sku="B2"))
    assert shop.sends == [(2 * HOUR, "anna", "back")]
