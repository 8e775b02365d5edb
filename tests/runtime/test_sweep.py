"""What starts for everybody: few are concerned, everybody is looked at, each decides once."""

from __future__ import annotations

import json
from datetime import UTC, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.engine import DAY, HOUR, T0, a_ruleset, a_send, a_wait, a_workflow, cel, on

from shopflow.domain.event import Facts
from shopflow.domain.trait import Segment
from shopflow.domain.trigger import DateTrigger, EventTrigger, ScheduleTrigger, SegmentTrigger
from shopflow.engine import Rulebook
from shopflow.runtime import sweep
from shopflow.runtime.ingest import Ingest
from shopflow.runtime.occasions import Occasions
from shopflow.runtime.process import Entry, Processor
from shopflow.runtime.simulate import Line, Until, simulate
from shopflow.runtime.stream import ALONE, Stream
from shopflow.runtime.sweep import Sweeps
from shopflow.runtime.timers import Timers
from shopflow.runtime.workset import Rules
from shopflow.store.memory import MemoryStore
from shopflow.store.opening import open_store

POOL = "coupon_pool.opened"
TYPES = ("customer.updated", "cart.updated", POOL)
FRENCH = "has(customer.country) && customer.country == 'FR'"


class Daily:
    """Every day at noon."""

    source = "daily"

    def next_after(self, moment):
        noon = moment.astimezone(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
        return noon if noon > moment else noon + DAY


def newsletter(audience=FRENCH, **more):
    trigger = ScheduleTrigger(recurrence=Daily(), audience=cel(audience), **more)
    return a_workflow("news", trigger=trigger, exits=(), steps=[a_send("tell")])


def announcement(audience=FRENCH):
    trigger = EventTrigger(pattern=on(POOL), audience=cel(audience))
    return a_workflow("pool", trigger=trigger, exits=(), steps=[a_wait("settle"), a_send()])


def a_rulebook(*workflows):
    return Rulebook(a_ruleset(*workflows, subject_events=frozenset({POOL})))


def an_event(number, event_type="customer.updated", at=0.0, customer=None, **data):
    return {
        "id": f"e{number}",
        "type": event_type,
        "occurred_at": (T0 + at * HOUR).isoformat(),
        "data": data,
        **({"customer_id": customer} if customer else {}),
    }


class Shop:
    """A store, decided on alone; by the wall clock, which the test sets, or by the events'."""

    def __init__(self, rulebook, store=None, *, event_clock=False):
        self.store = store or MemoryStore(partitions=4)
        self.ingest = Ingest({name: {"type": "object"} for name in TYPES}, event_clock=True)
        self.rulebook = rulebook
        self.event_clock = event_clock
        self.sent = 0
        self.start()

    def start(self):
        """As after a start of the program: nothing is known but what is kept."""
        rules = Rules(
            rulebook=self.rulebook,
            facts=Facts(event_clock=self.event_clock),
            secrets=self.ingest.secrets,
            occasions=Occasions(self.store, self.rulebook),
        )
        self.processor = Processor(self.store, rules, self.ingest)
        self.timers = Timers(self.store, rules)
        self.sweeps = Sweeps(self.store, rules)
        self.stream = Stream("test", self.store.take_over("test").epoch)

    def take(self, *events, now=0.0):
        entries = [Entry(json.dumps(event).encode(), event["id"]) for event in events]
        return self.processor.take(self.stream, entries, now=T0 + now * HOUR)

    def people(self, *countries, at=0.0):
        for number, country in enumerate(countries):
            self.take(an_event(f"p{number}", at=at, customer=f"c{number:02}", country=country))

    def tick(self, at):
        """Time has come to this hour, and sweeps are begun."""
        now = T0 + at * HOUR
        self.timers.tick(now)
        for partition in range(self.store.partitions):
            self.sweeps.notice(partition, now, ALONE)

    def pages(self, at):
        """One page of a sweep after the other."""
        for partition in self.sweeps.pending():
            for _ in self.sweeps.work(partition, lambda: T0 + at * HOUR):
                yield

    def sweep(self, at):
        """Everything that starts by this hour has started."""
        self.tick(at)
        for _ in self.pages(at):
            continue
        self.processor.hear(T0 + at * HOUR)
        self.timers.tick(T0 + at * HOUR)

    @property
    def told(self):
        return sorted(
            (one.message.cursor_at - T0, one.message.customer_id)
            for one in self.store.views.messages(limit=10_000)
        )

    @property
    def untouched(self):
        """Those who were looked at and not written."""
        found = [
            one for p in range(4) for one in self.store.views.customers_after(p, "", limit=10_000)
        ]
        return sorted(one.id for one in found if one.calendar_at < T0 + HOUR)


@pytest.fixture(params=["memory", "sqlite"])
def a_shop(request, tmp_path):
    opened = []

    def make(*workflows):
        store = None
        if request.param == "sqlite":
            store = open_store(f"sqlite:///{tmp_path}/shop.db", partitions=4)
            opened.append(store)
        return Shop(a_rulebook(*workflows), store)

    yield make
    for store in opened:
        store.close()


def test_a_schedule_starts_for_everyone_in_its_audience_and_touches_nobody_else(a_shop):
    shop = a_shop(newsletter())
    shop.tick(0)
    shop.people("FR", "BE", "FR", "DE")
    shop.sweep(1)
    assert shop.told == []
    shop.sweep(2.5)
    assert shop.told == [(2 * HOUR, "c00"), (2 * HOUR, "c02")]
    assert shop.untouched == ["c01", "c03"]
    shop.sweep(3)
    shop.sweep(26.5)
    assert [at for at, _ in shop.told] == [2 * HOUR, 2 * HOUR, 26 * HOUR, 26 * HOUR]


def test_a_shop_begins_with_the_next_occurrence_not_with_the_last(a_shop):
    shop = a_shop(newsletter())
    shop.people("FR")
    shop.sweep(3)
    assert shop.told == []


def test_who_has_an_input_before_the_sweep_comes_decides_as_of_the_occurrence_and_once(a_shop):
    shop = a_shop(newsletter())
    shop.tick(0)
    shop.people("FR", "BE", "FR")
    shop.tick(2.1)
    shop.take(
        an_event("x", at=2.2, customer="c00", country="BE"),
        an_event("y", at=2.2, customer="c01", country="FR"),
    )
    assert shop.told == [(2 * HOUR, "c00")], "c01 was not in the audience at noon"
    for _ in shop.pages(2.5):
        continue
    shop.processor.hear(T0 + 3 * HOUR)
    assert shop.told == [(2 * HOUR, "c00"), (2 * HOUR, "c02")]


def test_a_sweep_that_is_cut_off_goes_on_where_it_stood(a_shop, monkeypatch):
    monkeypatch.setattr(sweep, "PAGE", 3)
    shop = a_shop(newsletter())
    shop.tick(0)
    shop.people(*["FR"] * 40)
    shop.tick(2.1)
    pages = 0
    while shop.sweeps.pending():
        shop.start()
        next(shop.pages(2.5))
        pages += 1
    shop.processor.hear(T0 + 3 * HOUR)
    assert shop.told == [(2 * HOUR, f"c{number:02}") for number in range(40)]
    done = shop.store.views.sweeps()
    assert sum(one.looked for one in done) == sum(one.told for one in done) == 40
    assert 40 / 3 <= pages <= 40 / 3 + 4


def test_an_event_with_an_audience_reaches_everybody_in_it_once(a_shop):
    shop = a_shop(announcement())
    shop.tick(0)
    shop.people("FR", "BE", "FR")
    answers = shop.take(
        an_event("pool", POOL, at=1, pool="spring"),
        an_event("x", at=1.1, customer="c00", country="BE"),
        an_event("y", at=1.1, customer="c01", country="FR"),
        an_event("pool", POOL, at=1, pool="spring"),
    )
    assert [answer.taken for answer in answers] == ["accepted"] * 3 + ["duplicate"]
    shop.start()
    shop.sweep(1.5)
    shop.sweep(4)
    assert shop.told == [(2 * HOUR, "c00"), (2 * HOUR, "c02")]


def test_what_is_noticed_a_day_late_starts_for_nobody(a_shop):
    shop = a_shop(newsletter())
    shop.tick(0)
    shop.people("FR")
    shop.sweep(28)
    assert shop.told == [(26 * HOUR, "c00")], "noon of the first day was missed"


def test_new_rules_are_asked_what_they_want_of_everybody(a_shop):
    trigger = DateTrigger(date=cel("customer.birthday"), at=T0.time(), yearly=True)
    birthday = a_workflow("birthday", trigger=trigger, exits=(), steps=[a_send("wish")])
    shop = a_shop()
    shop.take(an_event("p", customer="anna", birthday="1990-03-10"))
    shop.rulebook = a_rulebook(birthday)
    shop.start()
    shop.tick(1)
    shop.store.deploy("new", {}, T0 + 2 * HOUR)
    shop.start()
    shop.sweep(3)
    assert shop.store.views.customer("anna").next_due_at.day == 10
    shop.sweep(24 * 7)
    assert [who for _, who in shop.told] == ["anna"]


def members(*, backfill):
    trigger = SegmentTrigger(segment="french", backfill=backfill)
    flow = a_workflow("members", trigger=trigger, exits=(), steps=[a_send()])
    french = Segment(name="french", when=cel(FRENCH))
    return Rulebook(a_ruleset(flow, segments={"french": french}))


def redeployed(shop, rulebook, at):
    shop.store.deploy("new", {}, T0 + at * HOUR)
    shop.rulebook = rulebook
    shop.start()


def test_a_deploy_enrols_the_members_that_its_rule_asks_for_page_by_page(a_shop, monkeypatch):
    monkeypatch.setattr(sweep, "PAGE", 3)
    shop = a_shop()
    shop.people(*["FR", "BE"] * 10)
    redeployed(shop, members(backfill=True), 1)
    shop.tick(1)
    shop.take(an_event("x", at=1.5, customer="c00"), an_event("y", at=1.5, customer="c01"))
    assert shop.told == [(1.5 * HOUR, "c00")], "an input comes before the sweep"
    while shop.sweeps.pending():
        shop.start()
        next(shop.pages(2))
    shop.processor.hear(T0 + 2 * HOUR)
    assert sorted(who for _, who in shop.told) == [f"c{number:02}" for number in range(0, 20, 2)]
    assert sum(one.told for one in shop.store.views.sweeps()) == 9
    shop.take(*(an_event(f"z{n}", at=3, customer=f"c{n:02}") for n in range(20)))
    shop.sweep(30)
    assert len(shop.told) == 10


def test_a_deploy_enrols_nobody_for_what_they_are_where_its_rule_does_not_ask(a_shop):
    shop = a_shop()
    shop.people("FR", "BE")
    redeployed(shop, members(backfill=False), 1)
    shop.sweep(1)
    shop.take(
        an_event("x", at=2, customer="c00"),
        an_event("y", at=2, customer="c01", country="FR"),
        an_event("z", at=2, customer="c02", country="FR"),
    )
    assert [who for _, who in shop.told] == ["c01", "c02"]


def test_a_customer_who_cannot_be_looked_at_keeps_nobody_else_from_it(a_shop, monkeypatch):
    real = sweep.is_concerned

    def failing(rulebook, customer, *args, **more):
        if customer.id == "c00":
            raise ZeroDivisionError
        return real(rulebook, customer, *args, **more)

    monkeypatch.setattr(sweep, "is_concerned", failing)
    shop = a_shop(newsletter())
    shop.tick(0)
    shop.people("FR", "FR")
    shop.sweep(2.5)
    assert shop.told == [(2 * HOUR, "c00"), (2 * HOUR, "c01")], "deciding was sound"


def streams():
    change = st.tuples(
        st.sampled_from(("FR", "BE", "pool")),
        st.sampled_from(("anna", "berta", "carla")),
        st.integers(1, 30),
    )
    return st.lists(change, max_size=25)


@settings(max_examples=50)
@given(streams(), st.integers(1, 5), st.integers(1, 3))
def test_simulate_and_the_store_agree_on_schedules_and_audiences(drawn, size, page):
    events, at = [], 0
    for number, (what, customer, pause) in enumerate(drawn):
        at += pause
        is_pool = what == "pool"
        kind, data = (POOL, {"pool": "p"}) if is_pool else ("customer.updated", {"country": what})
        about = None if is_pool else customer
        events.append(an_event(number, kind, at=at, customer=about, **data))
    rulebook = a_rulebook(newsletter(spread=timedelta(hours=2)), announcement())
    shop = Shop(rulebook, event_clock=True)
    before, sweep.PAGE = sweep.PAGE, page
    try:
        for start in range(0, len(events), size):
            shop.take(*events[start : start + size])
        if events:
            end = T0 + at * HOUR
            shop.timers.tick(end)
            list(shop.sweeps.all_at_once(end, ALONE, end))
            list(shop.timers.drain())
    finally:
        sweep.PAGE = before
    lines = [Line(json.dumps(event).encode(), "") for event in events]
    ingest = Ingest({name: {"type": "object"} for name in TYPES}, event_clock=True)
    told = simulate(rulebook, ingest, lines, until=Until.DRAIN).tally.messages
    assert shop.told == sorted((one.cursor_at - T0, one.customer_id) for one in told)
