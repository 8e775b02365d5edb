"""Time: late events, calendars, and that it does not matter how often the clock looks."""

from datetime import UTC, datetime, time, timedelta

import pytest
from support.engine import (
    DAY,
    HOUR,
    T0,
    Life,
    a_customer,
    a_send,
    a_wait,
    a_workflow,
    cel,
    on,
)

from shopflow.domain.event import Facts
from shopflow.domain.journal import JournalEntry, Kind, Queue
from shopflow.domain.trait import Aggregate, Segment, Trait, TraitType
from shopflow.domain.trigger import DateTrigger, EventTrigger, ScheduleTrigger, SegmentTrigger
from shopflow.domain.workflow import Exit, Reentry
from shopflow.lang.calendars import CronSchedule

MINUTE = timedelta(minutes=1)


def entries(life, kind):
    return [entry for entry in life.of(JournalEntry) if entry.kind is kind]


def sends(life):
    return [(q.message.decided_at - T0, q.message.step) for q in life.of(Queue)]


def on_birthday(**more):
    trigger = DateTrigger(
        date=cel("customer.birthday"), at=time(9), yearly=more.pop("yearly", True), **more
    )
    return a_workflow("birthday", trigger=trigger, exits=(), steps=[a_send()])


@pytest.mark.parametrize("ticked", [False, True])
def test_a_birthday_told_after_its_hour_is_over_for_this_year(ticked):
    """Nine o'clock in Paris is 8:00 UTC; the customer tells it at 10:30 UTC."""
    life = Life(on_birthday())
    life.event("site.visited", -3 * DAY)
    if ticked:
        life.tick(5 * MINUTE)
    life.event("customer.updated", 30 * MINUTE, birthday="1990-03-03")
    life.event("site.visited", HOUR)
    life.tick(2 * DAY)
    assert sends(life) == []


@pytest.mark.parametrize("ticked", [False, True])
def test_a_birthday_told_before_its_hour_is_kept_the_same_day(ticked):
    life = Life(on_birthday())
    life.event("site.visited", -3 * DAY)
    if ticked:
        life.tick(-4 * HOUR)
    life.event("customer.updated", -3 * HOUR, birthday="1990-03-03")
    life.tick(2 * DAY)
    assert sends(life) == [(-2 * HOUR, "reminder")]


def test_a_birthday_told_at_the_very_instant_counts():
    life = Life(on_birthday())
    life.event("customer.updated", -2 * HOUR, birthday="1990-03-03")
    life.tick(DAY)
    assert sends(life) == [(-2 * HOUR, "reminder")]


@pytest.mark.parametrize("offset", [DAY, -DAY])
@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "not a day", "2026-02-30", 7])
def test_a_date_at_the_ends_of_the_calendar_hurts_nobody(day, offset):
    life = Life(on_birthday(yearly=False, offset=offset))
    life.event("customer.updated", birthday=day)
    life.tick(DAY)
    assert sends(life) == []


def test_an_occurrence_of_before_the_deploy_does_not_count_however_its_starts_are_spread():
    trigger = ScheduleTrigger(
        recurrence=CronSchedule("0 9 * * *", "UTC"), spread=timedelta(hours=20)
    )
    flow = a_workflow("news", trigger=trigger, exits=(), steps=[a_send()])
    for name in ("a", "b", "c", "d", "e"):
        life = Life(flow, customer=a_customer(name))
        life.facts = Facts(event_clock=True, live_since={"news": T0})
        life.tick(T0 - 3 * DAY)
        life.tick(T0 + 3 * DAY)
        scheduled = [e.at for e in entries(life, Kind.ENTERED)]
        delay = min(scheduled) - datetime(2026, 3, 4, 9, tzinfo=UTC)
        assert timedelta() <= delay <= timedelta(hours=20)
        assert len(scheduled) == 3 - (delay > HOUR)


def test_timers_whose_time_a_late_trigger_finds_over_fire_before_anything_else_is_told():
    """The late trigger's hour was over long before the late order came."""
    for ticked in (False, True):
        life = Life(a_workflow())
        life.event("product.viewed", 2 * HOUR)
        life.event("cart.updated", 0 * HOUR)
        if ticked:
            life.tick(2 * HOUR)
        life.event("order.placed", 30 * MINUTE)
        assert sends(life) == [(HOUR, "reminder")]


def test_a_late_event_does_not_turn_back_what_time_has_done_to_a_segment():
    viewed = Trait(
        name="views",
        type=TraitType.INTEGER,
        pattern=on("product.viewed"),
        aggregate=Aggregate.COUNT,
        window=DAY,
    )
    keen = Segment(name="keen", when=cel("customer.views >= 2"), timed=True)
    flow = a_workflow(
        "keen",
        trigger=SegmentTrigger(segment="keen"),
        exits=(),
        steps=[a_send()],
        reentry=Reentry.PARALLEL,
    )
    life = Life(flow, traits={"views": viewed}, segments={"keen": keen})
    life.event("product.viewed", 0 * HOUR)
    life.event("product.viewed", HOUR)
    life.event("site.visited", 5 * DAY)
    life.event("site.visited", 2 * HOUR)
    assert len(entries(life, Kind.ENTERED)) == 1


def test_exits_that_overtook_their_trigger_end_it_in_their_own_order():
    leave = (
        Exit(id="emptied", pattern=on("cart.emptied"), when=None, outcome="lost"),
        Exit(id="purchased", pattern=on("order.placed"), when=None, outcome="converted"),
    )
    life = Life(a_workflow(exits=leave))
    life.event("order.placed", 20 * MINUTE)
    life.event("cart.emptied", 10 * MINUTE)
    life.event("cart.updated", 0 * MINUTE)
    [ended] = entries(life, Kind.EXITED)
    assert ended.reason == "lost"


def test_of_exit_events_the_last_48_hours_are_kept_and_32_of_them():
    life = Life(a_workflow())
    for hours in range(40):
        life.event("order.placed", hours * HOUR)
    assert [r.occurred_at - T0 for r in life.customer.recent] == [h * HOUR for h in range(8, 40)]
    life.event("order.placed", 39 * HOUR + 47 * HOUR)
    assert len(life.customer.recent) == 3


def test_what_is_kept_of_an_exit_event_is_what_exits_read():
    rule = Exit(
        id="bought",
        pattern=on("order.placed"),
        when=cel("event.total > 5"),
        outcome="converted",
    )
    life = Life(a_workflow(exits=(rule,)))
    life.event("order.placed", total=7, items=[1] * 1000)
    assert life.customer.recent[0].data == {"total": 7}


@pytest.mark.parametrize("ticks", [False, True])
def test_ids_do_not_depend_on_what_else_the_clock_did(ticks):
    daily = a_workflow(
        "daily",
        trigger=ScheduleTrigger(recurrence=CronSchedule("0 12 * * *", "UTC")),
        exits=(),
        steps=[a_wait(length="90m", next_step=None)],
    )
    life = Life(daily, a_workflow())
    life.event("site.visited")
    if ticks:
        life.tick(3 * HOUR)
    life.event(at=4 * HOUR)
    ids = {e.workflow: e.id for e in life.customer.enrolments}
    alone = Life(a_workflow())
    alone.event(at=4 * HOUR)
    assert ids["abandoned-cart"] == alone.customer.enrolments[0].id


def test_marks_are_gone_after_400_days_whether_or_not_the_clock_looked():
    once = a_workflow(reentry=Reentry.ONCE)
    for ticked in (False, True):
        life = Life(once)
        life.event()
        if ticked:
            life.tick(401 * DAY)
        life.event(at=402 * DAY)
        assert len(entries(life, Kind.ENTERED)) == 2


def test_once_stays_once_for_those_who_come_back_again_and_again():
    life = Life(a_workflow(reentry=Reentry.ONCE))
    for months in range(30):
        life.event(at=months * 30 * DAY)
    assert len(entries(life, Kind.ENTERED)) == 1


def test_a_trigger_may_be_an_each_with_one_key_twice_and_still_be_told_apart():
    flow = a_workflow(
        trigger=EventTrigger(pattern=on("order.placed"), each=cel("event.items")),
        key=cel("item.sku"),
        reentry=Reentry.PARALLEL,
        exits=(),
    )
    life = Life(flow)
    life.event("order.placed", items=[{"sku": "A"}, {"sku": "A"}])
    assert len({e.id for e in life.customer.enrolments}) == 2
