"""A segment watched anew has a baseline: who is in it already enters only where a rule asks."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from support.engine import (
    DAY,
    HOUR,
    T0,
    Life,
    a_customer,
    a_ruleset,
    a_send,
    a_workflow,
    cel,
    on,
)

from shopflow.domain.codec import STATE_VERSION, customer_from_state, customer_to_state
from shopflow.domain.event import Merge
from shopflow.domain.journal import Kind, Queue
from shopflow.domain.trait import Aggregate, Segment, Trait, TraitType
from shopflow.domain.trigger import SegmentTrigger
from shopflow.domain.workflow import Exit, Reentry, Status
from shopflow.engine import Rulebook
from shopflow.engine.calendar import is_concerned

MINUTE = HOUR / 60
SPENT = Trait(
    name="spent",
    type=TraitType.NUMBER,
    pattern=on("order.placed"),
    aggregate=Aggregate.SUM,
    value=cel("event.total"),
)
LAST = Trait(
    name="last_order_at",
    type=TraitType.TIMESTAMP,
    pattern=on("order.placed"),
    aggregate=Aggregate.LAST,
    value=cel("event.occurred_at"),
)
VIP = Segment(name="vip", when=cel("customer.spent >= 100"))
ASLEEP = Segment(
    name="asleep", timed=True, when=cel("now - customer.last_order_at > duration('720h')")
)


def starting_on(segment, workflow_id="flow", *, exits=(), status=Status.LIVE, **trigger):
    return a_workflow(
        workflow_id,
        trigger=SegmentTrigger(segment=segment, **trigger),
        exits=exits,
        status=status,
        steps=[a_send()],
        reentry=Reentry.PARALLEL,
    )


def a_life(*workflows, vip=VIP, **more):
    segments = {"vip": vip, "asleep": ASLEEP}
    traits = {"spent": SPENT, "last_order_at": LAST}
    return Life(*workflows, traits=traits, segments=segments, **more)


def deployed(life, *workflows, vip=VIP):
    """The customer goes on under other rules, read from the store again."""
    customer = life.customer
    state = orjson.loads(orjson.dumps(customer_to_state(customer), option=orjson.OPT_UTC_Z))
    kept = customer_from_state(customer.id, state, STATE_VERSION, customer.next_due_at)
    return a_life(*workflows, vip=vip, customer=kept)


def spend(life, total, at):
    life.event("order.placed", at, total=total)


def started(life):
    return [
        (one.at - T0, str(one.workflow))
        for one in life.effects
        if getattr(one, "kind", None) is Kind.ENTERED
    ]


def asks(life, at):
    return is_concerned(life.rulebook, life.customer, T0 + at, clock=T0 + at, facts=life.facts)


@pytest.fixture
def known():
    """Somebody who was here before any segment was watched, with 150 spent."""
    life = a_life()
    spend(life, 150, 0 * HOUR)
    return life


@pytest.fixture
def stranger():
    """Somebody who was here before, with 50 spent."""
    life = a_life()
    spend(life, 50, 0 * HOUR)
    return life


def test_who_is_in_it_already_is_not_enrolled_by_the_next_event(known):
    life = deployed(known, starting_on("vip"))
    spend(life, 10, DAY)
    assert started(life) == []
    assert life.customer.segments == {"vip"}
    assert not asks(life, 2 * DAY), "there is nothing to tell them"


def test_the_very_next_event_may_enter_it(stranger):
    life = deployed(stranger, starting_on("vip"))
    spend(life, 60, DAY)
    assert started(life) == [(DAY, "flow")]


def test_somebody_new_enters_with_their_first_event():
    life = a_life(starting_on("vip"))
    spend(life, 100, 0 * HOUR)
    assert started(life) == [(0 * HOUR, "flow")]


def test_somebody_new_has_no_use_for_a_backfill():
    life = a_life(starting_on("vip", backfill=True))
    spend(life, 100, 0 * HOUR)
    spend(life, 100, HOUR)
    life.tick(DAY)
    assert started(life) == [(0 * HOUR, "flow")]


def test_who_was_never_in_it_by_the_new_rules_does_not_leave_it(stranger):
    life = deployed(stranger, starting_on("vip", enters=False))
    spend(life, 1, DAY)
    assert started(life) == []


def test_who_was_in_it_already_leaves_it_later(known):
    life = deployed(known, starting_on("vip", enters=False))
    spend(life, -100, DAY)
    assert started(life) == [(DAY, "flow")]


def test_a_rule_that_asks_gets_existing_members_by_the_sweep(known):
    life = deployed(known, starting_on("vip", backfill=True))
    assert asks(life, DAY)
    life.tick(DAY)
    assert started(life) == [(DAY, "flow")]
    assert len(life.of(Queue)) == 1
    assert not asks(life, 2 * DAY)
    life.tick(2 * DAY)
    spend(life, 1, 3 * DAY)
    assert started(life) == [(DAY, "flow")]


def test_a_rule_that_asks_gets_them_at_their_next_input_where_that_is_earlier(known):
    life = deployed(known, starting_on("vip", backfill=True))
    spend(life, 10, DAY)
    assert started(life) == [(DAY, "flow")]
    assert not asks(life, 2 * DAY)


def test_nobody_else_is_told_by_the_sweep(stranger):
    life = deployed(stranger, starting_on("vip", backfill=True))
    assert not asks(life, DAY)
    spend(life, 60, 2 * DAY)
    assert started(life) == [(2 * DAY, "flow")], "entered, and not asked for as well"


def test_what_comes_with_the_event_may_end_what_was_there_before_it(known):
    bought = Exit(id="bought", pattern=on("order.placed"), when=None, outcome="converted")
    life = deployed(known, starting_on("vip", backfill=True, exits=(bought,)))
    spend(life, 10, DAY)
    assert life.of(Queue) == []
    assert life.customer.enrolments == ()


def test_a_second_rule_that_asks_gets_the_members_of_a_segment_watched_before(known):
    life = deployed(known, starting_on("vip", "first"))
    spend(life, 10, DAY)
    life = deployed(life, starting_on("vip", "first"), starting_on("vip", "second", backfill=True))
    life.tick(2 * DAY)
    assert started(life) == [(2 * DAY, "second")]


def test_a_segment_defined_otherwise_begins_anew(stranger):
    life = deployed(stranger, starting_on("vip"))
    spend(life, 1, HOUR)
    wider = Segment(name="vip", when=cel("customer.spent >= 40"))
    life = deployed(life, starting_on("vip"), vip=wider)
    spend(life, 1, DAY)
    assert started(life) == []
    assert life.customer.segments == {"vip"}


def test_of_a_segment_defined_otherwise_a_rule_that_asks_gets_only_who_was_not_in_it(known):
    life = deployed(known, starting_on("vip", backfill=True))
    life.tick(HOUR)
    wider = Segment(name="vip", when=cel("customer.spent >= 40"))
    life = deployed(life, starting_on("vip", backfill=True), vip=wider)
    life.tick(DAY)
    assert started(life) == []


def test_a_pause_is_no_new_beginning(known):
    life = deployed(known, starting_on("vip", backfill=True))
    life.tick(HOUR)
    life = deployed(life, starting_on("vip", backfill=True, status=Status.PAUSED))
    spend(life, 1, DAY)
    life = deployed(life, starting_on("vip", backfill=True))
    spend(life, 1, 2 * DAY)
    life.tick(3 * DAY)
    assert started(life) == []


def test_a_timed_segment_begins_with_the_sweep_and_is_entered_by_time():
    known = a_life()
    spend(known, 50, 0 * HOUR)
    life = deployed(known, starting_on("asleep"))
    assert asks(life, 20 * DAY), "time alone may bring them into it"
    life.tick(20 * DAY)
    assert started(life) == []
    life.tick(40 * DAY)
    [(at, _)] = started(life)
    assert 30 * DAY < at <= 31 * DAY


@pytest.mark.parametrize(("backfill", "wanted"), [(False, 0), (True, 1)])
def test_who_is_in_a_timed_segment_already_starts_where_the_rule_asks(backfill, wanted):
    known = a_life()
    spend(known, 50, 0 * HOUR)
    life = deployed(known, starting_on("asleep", backfill=backfill))
    life.customer = replace(life.customer, calendar_at=T0 + 40 * DAY)
    assert asks(life, 40 * DAY + HOUR)
    life.tick(40 * DAY + HOUR)
    life.tick(45 * DAY)
    assert len(started(life)) == wanted
    assert life.customer.segments == {"asleep"}


def test_an_upgrade_of_the_program_enrols_nobody_again(known):
    flow = starting_on("vip")
    life = deployed(known, flow)
    life.customer = replace(life.customer, segments=frozenset({"vip"}))
    spend(life, 1, DAY)
    assert started(life) == []


def test_a_visitor_who_turns_out_to_be_new_keeps_what_had_begun():
    visitor = a_life(starting_on("vip"), customer=a_customer("visitor"))
    spend(visitor, 60, 0 * MINUTE)
    anna = a_life(starting_on("vip"))
    anna.give(Merge(customer=visitor.customer, at=T0 + MINUTE))
    spend(anna, 60, HOUR)
    assert started(anna) == [(HOUR, "flow")]


@pytest.mark.parametrize("ours_is_known_longer", [True, False])
def test_what_had_begun_for_one_of_two_begins_anew(known, ours_is_known_longer):
    flow = starting_on("vip")
    other = a_life(flow, customer=a_customer("visitor"))
    spend(other, 10, MINUTE)
    old = replace(known.customer, id="visitor")
    if ours_is_known_longer:
        life = deployed(known, flow)
        life.give(Merge(customer=other.customer, at=T0 + HOUR))
    else:
        life = deployed(other, flow)
        life.give(Merge(customer=old, at=T0 + HOUR))
    spend(life, 1, DAY)
    assert started(life) == []
    assert life.customer.segments == {"vip"}


def test_who_had_been_enrolled_is_not_asked_for_again_after_a_merge(known):
    flow = starting_on("vip", backfill=True)
    life = deployed(known, flow)
    life.tick(HOUR)
    old = a_life(customer=a_customer("visitor"))
    spend(old, 10, MINUTE)
    life.give(Merge(customer=old.customer, at=T0 + 2 * HOUR))
    spend(life, 1, DAY)
    life.tick(2 * DAY)
    assert started(life) == [(HOUR, "flow")]


def test_a_visitor_who_was_a_member_is_asked_for_once_merged(known):
    flow = starting_on("vip", backfill=True)
    life = a_life(flow)
    spend(life, 1, MINUTE)
    life.give(Merge(customer=replace(known.customer, id="visitor"), at=T0 + HOUR))
    assert asks(life, 2 * HOUR)
    life.tick(2 * HOUR)
    assert started(life) == [(2 * HOUR, "flow")]


def test_a_mark_is_the_segments_own_and_follows_what_it_hangs_on():
    def mark(vip=VIP, spent=SPENT):
        segments = {"vip": vip, "asleep": ASLEEP}
        ruleset = a_ruleset(starting_on("vip"), traits={"spent": spent}, segments=segments)
        return Rulebook(ruleset).beginnings.segments["vip"]

    assert mark() == mark()
    assert mark() != mark(vip=Segment(name="vip", when=cel("customer.spent >= 99")))
    assert mark() != mark(spent=replace(SPENT, value=cel("event.subtotal")))
