"""Entering, repeating, telling and counting: what one rule does must not touch another's."""

from datetime import timedelta

import pytest
from support.engine import (
    DAY,
    HOUR,
    T0,
    Life,
    a_send,
    a_wait,
    a_workflow,
    cel,
    on,
)

from shopflow.domain.journal import JournalEntry, Kind, Queue, Tell
from shopflow.domain.step import Emit, Repeat, Wait, WaitFor
from shopflow.domain.trait import Aggregate, Trait, TraitType
from shopflow.domain.trigger import EventTrigger
from shopflow.domain.workflow import Exit, Goal, InFlight, OnChange, Reentry, Since

MINUTE = timedelta(minutes=1)


def entries(life, kind):
    return [entry for entry in life.of(JournalEntry) if entry.kind is kind]


def a_goal(since):
    return Goal(pattern=on("order.placed"), when=None, within=30 * DAY, since=since, value=None)


def test_a_conversion_counts_once_however_often_the_trigger_began_anew():
    life = Life(a_workflow(goal=a_goal(Since.ENTRY)))
    for minutes in range(5):
        life.event(at=minutes * MINUTE)
    life.event("order.placed", 10 * MINUTE)
    assert len(entries(life, Kind.CONVERTED)) == 1


def test_a_goal_is_credited_after_a_deploy_too():
    life = Life(a_workflow(goal=a_goal(Since.LAST_SEND)))
    life.event()
    life.tick(2 * HOUR)
    life.rulebook = Life(a_workflow(goal=a_goal(Since.LAST_SEND), version=2, digest="new")).rulebook
    life.event("order.placed", DAY)
    [converted] = entries(life, Kind.CONVERTED)
    assert converted.version == 1


def test_each_round_emits_an_event_of_its_own():
    emit = Emit(id="tell", next="again", event_type="x.told", data={}, to=cel("'bob'"))
    again = Repeat(id="again", next=None, body="tell", every=cel('duration("1h")'), limit=3)
    life = Life(a_workflow(steps=[again, emit], exits=()))
    life.event()
    life.tick(DAY)
    told = [tell.input.id for tell in life.of(Tell)]
    assert len(told) == len(set(told)) == 3


def test_a_round_that_was_broken_off_begins_anew_in_the_next_round_around_it():
    """Two rounds outside; inside, as many as the customer allows: two, and then none."""
    outer = Repeat(id="outer", next=None, body="inner", every=cel('duration("10h")'), limit=2)
    inner = Repeat(
        id="inner",
        next="outer",
        body="ask",
        every=cel('duration("1h")'),
        limit=9,
        while_=cel(
            'now < timestamp("2026-03-03T11:30:00Z") || now > timestamp("2026-03-03T20:00:00Z")'
        ),
    )
    life = Life(a_workflow(steps=[outer, inner, a_send("ask", "inner")], exits=()))
    life.event()
    life.tick(DAY)
    assert [q.message.decided_at - T0 for q in life.of(Queue)] == [
        hours * HOUR for hours in (0, 1, 12, 13, 14, 15, 16, 17, 18, 19, 20)
    ]


def test_those_on_an_older_version_gather_by_their_own_step():
    wait = Wait(id="settle", next="reminder", length=cel('duration("1h")'), gather=2)
    send = a_send(variables={"skus": cel("gathered.map(g, g.sku)")})
    old = a_workflow(steps=[wait, send])
    new = a_workflow(steps=[a_wait(), a_send()], version=2, digest="new")
    life = Life(old)
    life.event(sku="A")
    life.rulebook = Life(new, retained={old.digest: old}).rulebook
    life.event(at=MINUTE, sku="B")
    life.tick(DAY)
    [queued] = life.of(Queue)
    assert queued.message.variables["skus"] == ["B"]


def test_a_renamed_step_keeps_its_past():
    old = a_workflow(
        steps=[a_send("first", "cool"), a_wait("cool", "1h", "second"), a_send("second")]
    )
    asks = a_send("second", variables={"at": cel("steps.hello.sent_at")})
    new = a_workflow(
        steps=[a_send("hello", "calm"), a_wait("calm", "1h", "second"), asks],
        version=2,
        digest="new",
        in_flight=InFlight(
            on_change=OnChange.UPGRADE,
            max_age=30 * DAY,
            renamed={"first": "hello", "cool": "calm"},
        ),
    )
    life = Life(old)
    life.event()
    life.rulebook = Life(new, retained={old.digest: old}).rulebook
    life.tick(HOUR)
    assert life.of(Queue)[-1].message.variables["at"] == "2026-03-03T10:00:00Z"


def test_a_match_that_fails_is_written_down():
    waiting = WaitFor(
        id="paid",
        next=None,
        pattern=on("payment.received"),
        match={"order_id": cel("trigger.order_id")},
        timeout=cel('duration("2h")'),
        then=None,
        otherwise=None,
    )
    life = Life(a_workflow(steps=[waiting], exits=()))
    life.event()
    life.event("payment.received", HOUR, order_id="o1")
    [error] = entries(life, Kind.ERROR)
    assert (error.workflow, error.values["source"]) == ("abandoned-cart", "trigger.order_id")


@pytest.mark.parametrize("aggregate", [Aggregate.MIN, Aggregate.MAX])
def test_a_trait_whose_event_changed_its_type_hurts_nothing_else(aggregate):
    trait = Trait(
        name="low",
        type=TraitType.NUMBER,
        pattern=on("cart.updated"),
        aggregate=aggregate,
        value=cel("event.total"),
    )
    life = Life(a_workflow(), traits={"low": trait})
    life.event(total=7)
    life.event(at=MINUTE, total="cheap")
    life.event(at=2 * MINUTE, total=7)
    assert life.customer.traits["low"] == 7
    assert len(entries(life, Kind.ERROR)) == 1
    assert len(life.customer.enrolments) == 1


def test_a_condition_that_fails_hurts_only_its_own_rule():
    """Each place where a rule may fail, next to a rule that must not notice."""
    bad = cel("event.nothing.at_all == 1")
    trigger = EventTrigger(pattern=on("cart.updated"), when=cel("event.a + event.b > 1"))
    broken = [
        a_workflow("when", trigger=trigger),
        a_workflow("key", key=cel("event.nothing")),
        a_workflow("each", trigger=EventTrigger(pattern=on("cart.updated"), each=cel("event.no"))),
        a_workflow("wait", steps=[Wait(id="w", next=None, length=cel("trigger.nothing"))]),
        a_workflow("guard", steps=[a_send(only_if=cel("trigger.nothing == 1"))]),
        a_workflow("value", steps=[a_send(variables={"x": cel("trigger.nothing")})]),
        a_workflow(
            "exit",
            exits=(Exit(id="x", pattern=on("order.placed"), when=bad, outcome="o"),),
        ),
    ]
    sound = a_workflow("sound", priority=1, steps=[a_wait(), a_send()])
    life = Life(*broken, sound)
    life.event()
    life.event("order.shipped", MINUTE)
    life.tick(2 * HOUR)
    assert "sound" in {q.message.workflow for q in life.of(Queue)}
    failed = {entry.workflow for entry in entries(life, Kind.ERROR)}
    assert failed == {"when", "key", "each", "wait", "guard", "value"}


def test_parallel_counts_by_key():
    life = Life(a_workflow(reentry=Reentry.PARALLEL, key=cel("event.cart_id")))
    for number in range(25):
        life.event(at=number * MINUTE, cart_id="k1")
        life.event(at=number * MINUTE, cart_id=f"other{number}")
    assert len(life.customer.enrolments) == 45
