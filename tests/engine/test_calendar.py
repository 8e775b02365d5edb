"""What starts by the calendar."""

from dataclasses import replace
from datetime import UTC, datetime, time

import pytest
from support.engine import DAY, HOUR, T0, Life, a_customer, a_send, a_workflow, cel, on

from shopflow.domain.event import Facts, Tick
from shopflow.domain.journal import JournalEntry, Kind, Queue
from shopflow.domain.trait import Aggregate, Segment, Trait, TraitType
from shopflow.domain.trigger import DateTrigger, ScheduleTrigger, SegmentTrigger
from shopflow.domain.workflow import Reentry
from shopflow.engine.calendar import is_concerned, next_sweep


class Daily:
    """Every day at an hour of UTC."""

    source = "daily"

    def __init__(self, hour):
        self.hour = hour

    def next_after(self, moment):
        today = moment.astimezone(UTC).replace(hour=self.hour, minute=0, second=0, microsecond=0)
        return today if today > moment else today + DAY


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def birthday(**more):
    defaults = {"date": cel("customer.birthday"), "at": time(9), "yearly": True}
    trigger = DateTrigger(**{**defaults, **more})
    return a_workflow("birthday", trigger=trigger, exits=(), steps=[a_send()])


def sends(life):
    return [q.message.decided_at for q in life.of(Queue)]


@pytest.mark.parametrize(
    ("birth", "offset", "expected"),
    [
        ("1990-05-17", 0, ["2026-05-17T07:00", "2027-05-17T07:00"]),
        ("1990-05-17", -7, ["2026-05-10T07:00", "2027-05-10T07:00"]),
        ("1990-01-03", -7, ["2026-12-27T08:00", "2027-12-27T08:00"]),
        ("1992-02-29", 0, ["2027-02-28T08:00", "2028-02-29T08:00"]),
        ("1990-03-03", 0, ["2027-03-03T08:00", "2028-03-03T08:00"]),
        ("no date", 0, []),
    ],
)
def test_a_birthday_comes_every_year_at_the_local_time(birth, offset, expected):
    life = Life(birthday(offset=offset * DAY))
    life.event("customer.updated", birthday=birth)
    life.tick(utc("2028-03-04T00:00"))
    assert sends(life) == [utc(moment) for moment in expected]


def test_a_date_that_comes_once_comes_once():
    life = Life(birthday(yearly=False))
    life.event("customer.updated", birthday="2026-05-17")
    life.tick(utc("2030-01-01T00:00"))
    assert sends(life) == [utc("2026-05-17T07:00")]


def test_each_child_has_a_date_of_its_own():
    children = [{"month": 6, "day": 1}, {"month": 4, "day": 1}, {"month": 13, "day": 1}]
    customer = a_customer()
    life = Life(
        birthday(each=cel("customer.children"), date=cel("item")),
        customer=type(customer)(id="anna", attributes={"children": children}),
    )
    life.tick(0 * HOUR)
    life.tick(utc("2027-01-01T00:00"))
    assert sends(life) == [utc("2026-04-01T07:00"), utc("2026-06-01T07:00")]


def scheduled(**more):
    trigger = ScheduleTrigger(recurrence=Daily(12), **more)
    return a_workflow("news", trigger=trigger, exits=(), steps=[a_send()])


def test_a_schedule_starts_for_everyone_in_the_audience_once_an_occurrence():
    life = Life(scheduled(audience=cel("customer.country == 'FR'")))
    life.event("customer.updated", country="BE")
    life.event("customer.updated", 30 * HOUR, country="FR")
    life.tick(3 * DAY + 2 * HOUR)
    assert sends(life) == [utc("2026-03-05T12:00"), utc("2026-03-06T12:00")]


def test_any_input_after_an_occurrence_first_asks_about_the_audience_as_it_was():
    life = Life(scheduled(audience=cel("customer.country == 'FR'")))
    life.event("customer.updated", country="FR")
    life.event("customer.updated", 5 * HOUR, country="BE")
    assert sends(life) == [utc("2026-03-03T12:00")]


def test_starts_may_be_spread_and_each_customer_keeps_a_place():
    moments = set()
    for number in range(20):
        life = Life(scheduled(spread=4 * HOUR), customer=a_customer(f"c{number}"))
        life.tick(0 * HOUR)
        life.tick(10 * HOUR)
        [moment] = sends(life)
        assert utc("2026-03-03T12:00") <= moment < utc("2026-03-03T16:00")
        moments.add(moment)
    assert len(moments) == 20


def test_no_occurrence_from_before_the_workflow_went_live_counts():
    life = Life(scheduled())
    life.facts = Facts(event_clock=True, live_since={"news": utc("2026-03-04T18:00")})
    life.tick(0 * HOUR)
    life.tick(3 * DAY)
    assert sends(life) == [utc("2026-03-05T12:00")]


def test_an_occurrence_that_is_noticed_a_day_late_is_let_go():
    life = Life(scheduled(), event_clock=False)
    life.tick(0 * HOUR)
    life.tick(4 * HOUR, clock=T0 + 3 * DAY)
    assert sends(life) == []
    assert [e.reason for e in life.of(JournalEntry) if e.kind is Kind.REFUSED] == ["stale"]


def test_what_starts_for_everybody_makes_nobody_due_and_is_the_next_sweep():
    life = Life(scheduled())
    life.tick(0 * HOUR)
    assert life.customer.next_due_at is None
    assert next_sweep(life.rulebook, life.facts, T0) == utc("2026-03-03T12:00")
    assert next_sweep(life.rulebook, life.facts, T0 + DAY) == utc("2026-03-04T12:00")


@pytest.mark.parametrize(
    ("until", "late", "swept", "expected"),
    [
        (2 * HOUR, 0, None, True),
        (1 * HOUR, 0, None, False),
        (2 * HOUR, 30, None, False),
        (4 * HOUR, 0, 3 * HOUR, False),
    ],
    ids=["due", "not yet", "too late", "taken care of"],
)
def test_a_sweep_finds_whoever_has_something_to_start(until, late, swept, expected):
    life = Life(scheduled(audience=cel("customer.country == 'FR'")))
    life.event("customer.updated", country="FR")
    facts = Facts(swept_to=None if swept is None else T0 + swept)
    at = T0 + until
    clock = at + late * HOUR
    assert is_concerned(life.rulebook, life.customer, at, clock=clock, facts=facts) is expected
    elsewhere = replace(life.customer, attributes={"country": "BE"})
    assert not is_concerned(life.rulebook, elsewhere, at, clock=clock, facts=facts)


def test_a_drain_runs_timers_and_starts_nothing_new():
    life = Life(scheduled())
    life.tick(0 * HOUR)
    life.give(Tick(at=T0 + 30 * DAY, timers_only=True))
    assert sends(life) == []


def test_a_timed_segment_is_looked_at_every_day():
    last = Trait(
        name="last_order_at",
        type=TraitType.TIMESTAMP,
        pattern=on("order.placed"),
        aggregate=Aggregate.LAST,
        value=cel("event.occurred_at"),
    )
    asleep = Segment(
        name="asleep", timed=True, when=cel("now - customer.last_order_at > duration('720h')")
    )
    workflow = a_workflow(
        "wake",
        trigger=SegmentTrigger(segment="asleep"),
        exits=(),
        steps=[a_send()],
        reentry=Reentry.RESTART,
    )
    life = Life(workflow, traits={"last_order_at": last}, segments={"asleep": asleep})
    life.event("order.placed")
    life.tick(60 * DAY)
    # 30 days after 3 March 10:00 is 2 April 10:00; the sweep after that is 3 April, 03:00 in Paris.
    assert sends(life) == [utc("2026-04-03T01:00")]


def test_hours_that_do_not_exist_come_once():
    workflow = birthday(at=time(2, 30), yearly=False)
    life = Life(workflow)
    life.event("customer.updated", birthday="2026-03-29")
    life.tick(utc("2026-04-01T00:00"))
    assert sends(life) == [utc("2026-03-29T01:30")]
