"""The bound on messages of one person and week: never passed, and reached where it can be."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.engine import DAY, HOUR, T0, Life, a_customer, a_ruleset, a_send, a_workflow, cel, on

from shopflow.domain.journal import Queue
from shopflow.domain.policy import CalendarWindow, FrequencyCap, IfCapped, MessageClass
from shopflow.domain.step import Branch, Choose, Repeat, SendMode
from shopflow.domain.trigger import EventTrigger
from shopflow.domain.workflow import Reentry
from shopflow.gitops.plan.worst_case import WEEK, WorstCase, most_sends, worst_case

MARKETING = frozenset({MessageClass.MARKETING})
YES = [(channel, "marketing") for channel in ("email", "sms")]


def a_cap(limit, window=WEEK, **more):
    return FrequencyCap(id=f"cap-{limit}-{window}", limit=limit, window=window, **more)


def marketing(name, *, event="cart.updated", channels=("email",), sends=1, **more):
    """A workflow of so many sends, one right after the other."""
    steps = [
        a_send(f"s{n}", f"s{n + 1}" if n + 1 < sends else None, purpose="marketing",
               channels=channels, mode=SendMode.EACH_OF)
        for n in range(sends)
    ]  # fmt: skip
    trigger = EventTrigger(pattern=on(event))
    return a_workflow(name, steps=steps, purpose="marketing", trigger=trigger, exits=(), **more)


def bound(*workflows, **more):
    return worst_case(a_ruleset(*workflows, **more))


def most_in_a_week(life):
    times = sorted(each.message.decided_at for each in life.of(Queue))
    return max((sum(at <= one < at + WEEK for one in times) for at in times), default=0)


def test_nothing_limits_what_no_cap_counts_and_no_cooldown_holds():
    assert bound(marketing("a")) == WorstCase(messages=None, unlimited=("a",))
    assert str(bound(marketing("a"))) == "no limit; nothing limits a"
    keyed = marketing("b", key=cel("event.cart_id"), cooldown=30 * DAY)
    assert bound(
        keyed, caps=[a_cap(3, classes=frozenset({MessageClass.RELATIONSHIP}))]
    ) == WorstCase(messages=None, unlimited=("b",))


@pytest.mark.parametrize(
    ("window", "most"),
    [(WEEK, 3), (30 * DAY, 3), (3 * DAY, 9), (CalendarWindow.DAY, 27), (CalendarWindow.MONTH, 6)],
)
def test_a_cap_counts_as_often_as_its_window_fits(window, most):
    assert bound(marketing("a"), caps=[a_cap(3, window)]).messages == most


def test_caps_that_overlap_limit_together():
    caps = [a_cap(4), a_cap(1, channels=frozenset({"sms"}))]
    assert bound(marketing("a", channels=("email", "sms")), caps=caps).messages == 4
    apart = [a_cap(2, channels=frozenset({"email"})), a_cap(1, channels=frozenset({"sms"}))]
    assert bound(marketing("a", channels=("email", "sms")), caps=apart).messages == 3


def test_reserved_slots_are_out_of_reach_of_a_low_priority():
    caps = [a_cap(4, reserved_slots=3, reserved_priority=80)]
    assert bound(marketing("a", priority=10), caps=caps).messages == 1
    assert bound(marketing("a", priority=90), caps=caps).messages == 4


@pytest.mark.parametrize(
    ("reentry", "cooldown", "most"),
    [
        (Reentry.ONCE, 0, 2),
        (Reentry.IGNORE, 7, 2),
        (Reentry.RESTART, 3, 6),
        (Reentry.IGNORE, 0, None),
    ],
)
def test_a_workflow_limits_itself(reentry, cooldown, most):
    workflow = marketing("a", sends=2, reentry=reentry, cooldown=cooldown * DAY)
    assert bound(workflow).messages == most


def test_of_several_ways_the_longest_counts_and_rounds_as_often_as_they_come():
    steps = [
        Choose(id="which", next="end", branches=(Branch(name="a", target="one", when=cel("true")),),
               otherwise="round"),
        a_send("one", None),
        Repeat(id="round", next="last", body="ask", every=cel('duration("1h")'), limit=3),
        a_send("ask", "more", channels=("email", "sms"), mode=SendMode.EACH_OF),
        a_send("more", "round"),
        a_send("last", None),
    ]  # fmt: skip
    assert most_sends(a_workflow(steps=steps)) == 3 * 3 + 1


def test_what_people_asked_for_is_not_counted():
    assert bound(a_workflow()).messages == 0


CAPS = st.builds(
    a_cap,
    st.integers(0, 4),
    st.sampled_from([DAY, 2 * DAY, WEEK, 10 * DAY, *CalendarWindow]),
    channels=st.sampled_from([frozenset(), frozenset({"email"}), frozenset({"sms"})]),
    if_capped=st.sampled_from(list(IfCapped)),
    reserved_slots=st.integers(0, 1),
    reserved_priority=st.just(60),
)
WORKFLOWS = st.tuples(
    st.sampled_from(["cart.updated", "product.viewed"]),
    st.sampled_from([("email",), ("sms",), ("email", "sms")]),
    st.integers(1, 3),
    st.sampled_from([Reentry.IGNORE, Reentry.RESTART, Reentry.ONCE]),
    st.sampled_from([0, 1, 3, 7, 30]),
    st.sampled_from([10, 90]),
)
EVENTS = st.lists(
    st.tuples(st.integers(0, 20 * 24), st.sampled_from(["cart.updated", "product.viewed"])),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(CAPS, max_size=3), st.lists(WORKFLOWS, min_size=1, max_size=3), EVENTS)
def test_no_life_passes_the_bound(caps, drawn, events):
    workflows = [
        marketing(f"w{n}", event=event, channels=channels, sends=sends, reentry=reentry,
                  cooldown=timedelta(days=cooldown), priority=priority)
        for n, (event, channels, sends, reentry, cooldown, priority) in enumerate(drawn)
    ]  # fmt: skip
    found = bound(*workflows, caps=tuple(caps))
    life = Life(*workflows, customer=a_customer(consent=YES), caps=tuple(caps))
    for hours, event in sorted(events):
        life.event(event, T0 + hours * HOUR)
    life.tick(T0 + 30 * DAY)
    assert found.messages is None or most_in_a_week(life) <= found.messages


def test_the_bound_is_reached():
    cap = a_cap(3, classes=MARKETING)
    workflow = marketing("a", sends=5)
    life = Life(workflow, customer=a_customer(consent=YES), caps=(cap,))
    life.event("cart.updated", T0)
    assert most_in_a_week(life) == bound(workflow, caps=(cap,)).messages == 3
