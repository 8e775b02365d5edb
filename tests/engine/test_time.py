"""Late and early events, cursors, lateness and holds."""

from datetime import UTC, datetime, time, timedelta
from itertools import permutations

from support.engine import (
    DAY,
    HOUR,
    T0,
    Life,
    a_customer,
    a_send,
    a_wait,
    a_workflow,
    an_event,
    cel,
    on,
)

from shopflow.domain.journal import JournalEntry, Kind, Queue, Tell
from shopflow.domain.policy import MessageClass, QuietWindow
from shopflow.domain.step import Wait
from shopflow.domain.trait import Aggregate, Trait, TraitType
from shopflow.domain.trigger import EventTrigger

MINUTE = timedelta(minutes=1)
NIGHT = QuietWindow(id="night", start=time(20), end=time(8), timezone="UTC")


def kinds(life, kind):
    return [entry for entry in life.of(JournalEntry) if entry.kind is kind]


def test_a_message_whose_time_is_long_past_is_dropped_as_stale():
    life = Life(a_workflow(), event_clock=False)
    life.event(clock=T0 + 30 * DAY)
    life.tick(HOUR, clock=T0 + 30 * DAY)
    [dropped] = kinds(life, Kind.DROPPED)
    assert dropped.reason == "stale"


def test_lateness_counts_from_the_due_time_to_the_clock():
    life = Life(a_workflow(), event_clock=False)
    life.event()
    life.tick(HOUR, clock=T0 + HOUR + DAY)
    assert len(life.of(Queue)) == 1
    life = Life(a_workflow(), event_clock=False)
    life.event()
    life.tick(HOUR, clock=T0 + HOUR + DAY + MINUTE)
    assert life.of(Queue) == []


def test_importing_history_sends_nothing_old_and_arms_what_is_still_to_come():
    steps = [a_wait(length="1440h"), a_send()]
    life = Life(
        a_workflow(trigger=EventTrigger(pattern=on("order.placed")), exits=(), steps=steps),
        event_clock=False,
    )
    now = T0 + 100 * DAY
    life.event("order.placed", clock=now)
    life.event("order.placed", 61 * DAY, clock=now)
    assert [entry.reason for entry in kinds(life, Kind.DROPPED)] == ["stale"]
    assert life.customer.next_due_at == T0 + 121 * DAY
    life.tick(121 * DAY, clock=T0 + 121 * DAY)
    assert len(life.of(Queue)) == 1


def test_waits_count_from_the_due_time_not_from_the_clock():
    steps = [a_wait(), a_send(next_step="cool"), a_wait("cool", "23h", "second"), a_send("second")]
    life = Life(a_workflow(steps=steps), event_clock=False)
    life.event()
    life.tick(HOUR, clock=T0 + 5 * HOUR)
    assert life.customer.next_due_at == T0 + 24 * HOUR


def test_quiet_hours_hold_and_the_next_wait_counts_from_the_end_of_the_hold():
    steps = [
        a_wait(length="11h"),
        a_send(purpose="review", next_step="cool"),
        a_wait("cool", "2h", "second"),
        a_send("second", purpose="review"),
    ]
    life = Life(a_workflow(steps=steps), quiet_windows=(NIGHT,))
    life.event()
    life.tick(11 * HOUR)
    [held] = kinds(life, Kind.HELD)
    assert held.reason == "quiet_hours"
    life.tick(2 * DAY)
    morning = datetime(2026, 3, 4, 8, tzinfo=UTC)
    assert [q.message.decided_at for q in life.of(Queue)] == [morning, morning + 2 * HOUR]


def test_an_exit_during_a_hold_ends_it():
    life = Life(
        a_workflow(steps=[a_wait(length="11h"), a_send(purpose="review")]), quiet_windows=(NIGHT,)
    )
    life.event()
    life.tick(11 * HOUR)
    life.event("order.placed", 12 * HOUR)
    life.tick(2 * DAY)
    assert life.of(Queue) == []


def test_service_mail_does_not_wait_for_the_morning_unless_a_window_says_so():
    life = Life(a_workflow(steps=[a_send()]), quiet_windows=(NIGHT,))
    life.event(at=11 * HOUR)
    assert len(life.of(Queue)) == 1
    strict = QuietWindow(
        id="all", start=time(20), end=time(8), timezone="UTC", classes=frozenset(MessageClass)
    )
    life = Life(a_workflow(steps=[a_send()]), quiet_windows=(strict,))
    life.event(at=11 * HOUR)
    assert life.of(Queue) == []


def test_a_message_must_go_before_the_next_quiet_time():
    life = Life(a_workflow(steps=[a_send(purpose="review")]), quiet_windows=(NIGHT,))
    life.event()
    [queued] = life.of(Queue)
    assert queued.message.send_by == datetime(2026, 3, 3, 20, tzinfo=UTC)


def test_a_late_exit_ends_the_enrolment_that_started_before_it():
    life = Life(a_workflow())
    life.event()
    life.event("product.viewed", 20 * MINUTE)
    life.event("order.placed", 10 * MINUTE)
    assert life.customer.enrolments == ()


def test_an_exit_that_overtook_its_trigger_is_remembered():
    life = Life(a_workflow())
    life.event("order.placed", 10 * MINUTE)
    life.event("cart.updated", 0 * MINUTE)
    assert life.customer.enrolments == ()
    assert [entry.kind for entry in life.of(JournalEntry)] == [Kind.ENTERED, Kind.EXITED]


def test_a_late_trigger_is_refused_when_a_newer_one_of_its_key_ran():
    life = Life(a_workflow())
    life.event(at=10 * MINUTE)
    life.event(at=5 * MINUTE)
    [refused] = kinds(life, Kind.REFUSED)
    assert refused.reason == "older"
    assert life.customer.next_due_at == T0 + 10 * MINUTE + HOUR


def test_any_order_of_arrival_gives_the_same_sends():
    happenings = [
        an_event("cart.updated", 0 * MINUTE, cart_id="k1"),
        an_event("cart.updated", 5 * MINUTE, cart_id="k2"),
        an_event("order.placed", 8 * MINUTE, cart_id="k1"),
        an_event("cart.updated", 12 * MINUTE, cart_id="k1"),
        an_event("cart.updated", 14 * MINUTE, cart_id="k2"),
    ]
    seen = set()
    for order in permutations(happenings):
        life = Life(a_workflow(key=cel("event.cart_id")))
        for event in order:
            life.give(event)
        life.tick(DAY)
        seen.add(
            frozenset((q.message.decided_at, q.message.trigger_event_id) for q in life.of(Queue))
        )
    assert len(seen) == 1


def test_traits_take_a_late_event_at_its_own_time():
    last = Trait(
        name="last_order_at",
        type=TraitType.TIMESTAMP,
        pattern=on("order.placed"),
        aggregate=Aggregate.LAST,
        value=cel("event.occurred_at"),
    )
    asks = a_workflow(
        "asks", steps=[a_send(variables={"at": cel("customer.last_order_at")})], exits=()
    )
    life = Life(asks, traits={"last_order_at": last})
    life.event("order.placed", 2 * HOUR)
    life.event("order.placed", 1 * HOUR)
    life.event("cart.updated", 3 * HOUR)
    [queued] = life.of(Queue)
    assert queued.message.variables["at"] == "2026-03-03T12:00:00Z"


def test_a_wait_for_the_past_is_over_at_once():
    steps = [
        Wait(id="until", next="reminder", until=cel("timestamp('2020-01-01T00:00:00Z')")),
        a_send(),
    ]
    life = Life(a_workflow(steps=steps))
    life.event()
    assert [q.message.decided_at for q in life.of(Queue)] == [T0]


def test_an_alias_hands_its_events_on():
    life = Life(a_workflow(), customer=a_customer("visitor"))
    life.event()
    life.give(
        an_event(
            "customer.identified",
            HOUR / 2,
            customer=None,
            customer_id="anna",
            anonymous_id="visitor",
        )
    )
    assert life.customer.alias_of == "anna"
    assert life.customer.enrolments == ()
    merge, identified = life.of(Tell)
    life.event("cart.updated", 2 * HOUR)
    assert life.of(Tell)[2].input.customer_id == "anna"
    anna = Life(a_workflow(), customer=a_customer("anna"))
    anna.give(merge.input)
    anna.give(identified.input)
    assert anna.customer.next_due_at == T0 + HOUR
    anna.tick(HOUR)
    assert [q.message.customer_id for q in anna.of(Queue)] == ["anna"]
