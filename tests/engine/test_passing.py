"""Events that only count are decided by a short way; it must lead where the long one does."""

from dataclasses import fields, replace
from datetime import UTC, datetime, time, timedelta
from random import Random

import pytest
from support.engine import DAY, HOUR, T0, Life, a_workflow, an_event, cel, on

from shopflow.bench.run_events import Shop
from shopflow.bench.run_people import NOW, pace, people
from shopflow.bench.run_rules import with_rules
from shopflow.domain.codec import STATE_VERSION, customer_from_state, customer_to_state
from shopflow.domain.customer import Customer
from shopflow.domain.event import Event, Facts, Tick
from shopflow.domain.trait import Aggregate, Trait, TraitType
from shopflow.domain.trigger import DateTrigger
from shopflow.domain.workflow import Exit
from shopflow.engine import Rulebook, decide, passing
from shopflow.store.sql import rows

CUSTOMERS = 60
EVENTS = 4_000
#: What an event that only counts leaves for later to tidy up.
UNTIDY = {"sent", "codes", "marks", "goals", "trials"}
VIEWS = Trait(
    name="views", pattern=on("product.viewed"), aggregate=Aggregate.COUNT, type=TraitType.INTEGER
)


@pytest.fixture(scope="module")
def rulebook():
    return Rulebook(with_rules(30).ruleset)


def stored(customer):
    """The customer as it comes from the database, where nothing is read before it is asked for."""
    state = rows.from_json(rows.to_json(customer_to_state(customer), "customer"))
    return customer_from_state(customer.id, state, STATE_VERSION, customer.next_due_at)


def the_long_way(monkeypatch, rulebook, customer, told, facts):
    with monkeypatch.context() as patched:
        patched.setattr(passing, "counted", lambda *_: None)
        at = told.occurred_at if isinstance(told, Event) else told.at
        return decide(rulebook, customer, told, at=at, clock=at, facts=facts)


def test_the_short_way_leads_where_the_long_one_does(monkeypatch, rulebook):
    chance = Random(3)
    facts = Facts(live_since=dict.fromkeys(rulebook.ruleset.workflows, NOW - 90 * DAY))
    kept = {one.id: one for one in people(rulebook, chance, CUSTOMERS)}
    shop = Shop(chance, CUSTOMERS, NOW, pace=pace(CUSTOMERS) * 2, visits=8)
    short = 0
    for number, sent in enumerate(shop.events(EVENTS)):
        event, customer = sent.event, stored(kept[sent.event.customer_id])
        if chance.random() < 0.02:
            event = replace(event, occurred_at=event.occurred_at - timedelta(hours=30))
        after = passing.counted(rulebook, customer, event, facts)
        long = the_long_way(monkeypatch, rulebook, customer, event, facts)
        if after is not None:
            short += 1
            assert long.effects == ()
            for name in {field.name for field in fields(Customer)} - UNTIDY:
                assert getattr(after, name) == getattr(long.customer, name), name
        kept[event.customer_id] = long.customer if after is None else after
        if number % 50 == 0:
            due = [one for one in kept.values() if one.next_due_at and one.next_due_at <= shop.now]
            for one in due:
                told = Tick(at=shop.now)
                kept[one.id] = decide(
                    rulebook, stored(one), told, at=told.at, clock=told.at, facts=facts
                ).customer
    assert EVENTS / 2 < short < EVENTS


def known(life):
    """The life of a customer who has been seen before."""
    life.event("product.viewed", at=T0 - HOUR)
    return life


def is_short(life, event):
    return passing.counted(life.rulebook, life.customer, event, life.facts) is not None


def test_a_look_that_nothing_waits_for_takes_the_short_way():
    life = known(Life(a_workflow(), traits={"views": VIEWS}))
    assert is_short(life, an_event("product.viewed"))
    life.event("product.viewed")
    assert life.customer.traits == {"views": 2}
    assert life.customer.watermark == T0


@pytest.mark.parametrize(
    "event",
    [
        an_event("product.viewed", consents=[{"channel": "email", "purpose": "marketing"}]),
        an_event("product.viewed", T0 - 2 * HOUR),
        an_event("order.placed"),
        an_event("cart.updated"),
        an_event("customer.updated"),
        an_event("consent.withdrawn"),
        replace(an_event("product.viewed"), hops=1),
    ],
    ids=["consent", "late", "contact", "trigger", "profile", "withdrawal", "emitted"],
)
def test_what_may_be_more_than_a_number_takes_the_long_way(event):
    assert not is_short(known(Life(a_workflow())), event)


def test_somebody_new_takes_the_long_way():
    assert not is_short(Life(a_workflow()), an_event("product.viewed"))


def test_an_event_that_ends_an_enrolment_takes_the_long_way():
    leaving = Exit(id="seen", pattern=on("product.viewed"), when=None, outcome="seen")
    life = known(Life(a_workflow(exits=(leaving,))))
    life.event("cart.updated", at=T0)
    assert not is_short(life, an_event("product.viewed", T0 + HOUR))


def test_an_exit_by_condition_is_asked_at_every_event():
    leaving = Exit(id="seen", pattern=None, when=cel("customer.views >= 2"), outcome="seen")
    life = Life(a_workflow(exits=(leaving,)), traits={"views": VIEWS})
    life.event("cart.updated", at=T0)
    for minutes in (1, 2):
        life.event("product.viewed", at=T0 + timedelta(minutes=minutes))
    assert life.customer.enrolments == ()


SEEN = Trait(
    name="seen_at",
    pattern=on("product.viewed"),
    aggregate=Aggregate.LAST,
    type=TraitType.TIMESTAMP,
    value=cel("event.occurred_at"),
)


@pytest.mark.parametrize("date", ["customer.seen_at", "customer[customer.country]"])
def test_an_event_that_moves_a_date_takes_the_long_way(date):
    trigger = DateTrigger(date=cel(date), at=time(9), offset=10 * DAY)
    gone = a_workflow("gone", trigger=trigger, exits=())
    life = Life(gone, traits={"seen_at": SEEN, "views": VIEWS})
    life.event("customer.updated", at=T0 - HOUR, country="seen_at")
    life.event("product.viewed", at=T0)
    assert life.customer.next_due_at == datetime(2026, 3, 13, 8, tzinfo=UTC)


def test_a_date_that_the_event_does_not_move_leaves_it_the_short_way():
    trigger = DateTrigger(date=cel("customer.birthday"), at=time(9), yearly=True)
    life = known(Life(a_workflow("birthday", trigger=trigger, exits=()), traits={"views": VIEWS}))
    assert is_short(life, an_event("product.viewed"))
