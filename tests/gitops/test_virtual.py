"""Customers in virtual time: timers, word to others, and rules that run in circles."""

from __future__ import annotations

import pytest
from support.engine import DAY, HOUR, T0, a_ruleset, a_send, a_wait, a_workflow, an_event, cel, on

from shopflow.domain.event import Facts
from shopflow.domain.journal import DeadLetter, JournalEntry, Kind, Queue
from shopflow.domain.step import Emit, Repeat
from shopflow.domain.trigger import EventTrigger
from shopflow.engine import Rulebook
from shopflow.gitops.outcome import Tally
from shopflow.gitops.virtual import VirtualShop


@pytest.fixture
def shop():
    """A shop with these workflows, and what came of it."""

    def build(*workflows):
        effects = []
        rulebook = Rulebook(a_ruleset(*workflows))
        return VirtualShop(rulebook, Facts(event_clock=True), effects.append), effects

    return build


def sends(effects):
    found = [effect.message for effect in effects if isinstance(effect, Queue)]
    return [(message.customer_id, message.decided_at - T0) for message in found]


def test_a_tick_fires_what_is_due_and_no_more(shop):
    virtual, effects = shop(a_workflow())
    for name, later in (("anna", 0), ("ben", 1)):
        virtual.give(name, an_event(at=later * HOUR, customer=name))
    assert virtual.next_due() == T0 + HOUR
    virtual.tick(T0 + HOUR)
    assert sends(effects) == [("anna", HOUR)]
    assert virtual.next_due() == T0 + 2 * HOUR


def test_a_drain_fires_each_timer_at_its_own_time(shop):
    again = Repeat(id="again", next=None, body="reminder", every=cel('duration("24h")'), limit=3)
    workflow = a_workflow(steps=[again, a_send(next_step="again")], start="again")
    virtual, effects = shop(workflow)
    for name in ("ben", "anna"):
        virtual.give(name, an_event(customer=name))
    virtual.drain()
    assert sorted(sends(effects)) == [
        (name, days * DAY) for name in ("anna", "ben") for days in range(3)
    ]
    assert virtual.next_due() is None


def test_word_to_another_customer_is_decided_at_once(shop):
    tell = Emit(id="tell", next=None, event_type="cart.updated", to=cel("trigger.friend"))
    telling = a_workflow(
        "telling", steps=[tell], trigger=EventTrigger(pattern=on("order.placed")), exits=()
    )
    virtual, effects = shop(telling, a_workflow())
    virtual.give("anna", an_event("order.placed", friend="ben"))
    entered = [e for e in effects if isinstance(e, JournalEntry) and e.kind is Kind.ENTERED]
    assert [(e.workflow, e.customer_id) for e in entered] == [
        ("telling", "anna"),
        ("abandoned-cart", "ben"),
    ]
    virtual.drain()
    assert sends(effects) == [("ben", HOUR)]


def test_customers_who_tell_each_other_for_ever_are_stopped(shop):
    other = cel('customer.id == "anna" ? "ben" : "anna"')
    tell = Emit(id="tell", next=None, event_type="order.placed", to=other)
    telling = a_workflow(
        "telling", steps=[tell], trigger=EventTrigger(pattern=on("order.placed")), exits=()
    )
    virtual, effects = shop(telling)
    virtual.give("anna", an_event("order.placed"))
    assert [effect.reason for effect in effects if isinstance(effect, DeadLetter)] == ["emit_loop"]


def test_an_input_that_cannot_be_decided_changes_nothing(shop, monkeypatch):
    virtual, effects = shop(a_workflow())
    monkeypatch.setattr("shopflow.gitops.virtual.MAX_TOLD", 0)
    with pytest.raises(RuntimeError, match="led to more than 0 others"):
        virtual.give("anna", an_event())
    assert (virtual.customers, effects) == ({}, [])


def test_a_tally_counts_by_workflow_and_a_restart_is_an_entry_and_an_end():
    tally = Tally({"abandoned-cart": None, "idle": None})
    virtual = VirtualShop(Rulebook(a_ruleset(a_workflow())), Facts(event_clock=True), tally.take)
    virtual.give("anna", an_event())
    virtual.give("anna", an_event(at=HOUR / 2))
    virtual.drain()
    nothing = {"entered": 0, "ended": {}, "sends": {}, "drops": {}, "holds": {}, "errors": 0}
    assert {name: one.as_json() for name, one in tally.workflows.items()} == {
        "abandoned-cart": {
            **nothing,
            "entered": 2,
            "ended": {"completed": 1, "restarted": 1},
            "sends": {"log": 1},
        },
        "idle": nothing,
    }


def test_conditions_that_fail_are_counted():
    tally = Tally({})
    trigger = EventTrigger(pattern=on("cart.updated"), when=cel("event.total > 1"))
    workflow = a_workflow(trigger=trigger, steps=[a_wait(next_step=None)])
    virtual = VirtualShop(Rulebook(a_ruleset(workflow)), Facts(event_clock=True), tally.take)
    # The index knows of the total and asks nothing of events without a number there.
    virtual.give("anna", an_event(total=2))
    assert tally.errors == 0
    failing = a_workflow(
        trigger=EventTrigger(pattern=on("cart.updated"), when=cel("size(event.items) > 1"))
    )
    virtual = VirtualShop(Rulebook(a_ruleset(failing)), Facts(event_clock=True), tally.take)
    virtual.give("anna", an_event())
    assert tally.errors == 1
