"""The gates of a send, channel lists, caps, and what is queued."""

from datetime import UTC, datetime, time, timedelta

import pytest
from support.engine import DAY, HOUR, T0, Life, a_customer, a_send, a_workflow, cel, on

from shopflow.domain.customer import SuppressionScope
from shopflow.domain.journal import JournalEntry, Kind, Queue
from shopflow.domain.policy import CalendarWindow, FrequencyCap, IfCapped, MessageClass, QuietWindow
from shopflow.domain.step import SendMode
from shopflow.domain.workflow import Exit, Reentry, Status

MINUTE = timedelta(minutes=1)
EMAIL = ("email", "marketing")
SMS = ("sms", "marketing")


def dropped(life):
    return [(e.channel, e.reason) for e in life.of(JournalEntry) if e.kind is Kind.DROPPED]


def channels(life):
    return [q.message.channel for q in life.of(Queue)]


def marketing(*wanted, **more):
    send = a_send(channels=wanted or ("email",), purpose="marketing", **more)
    return a_workflow(purpose="marketing", steps=[send], exits=(), reentry=Reentry.PARALLEL)


def test_marketing_needs_consent_for_this_channel_and_purpose():
    life = Life(
        marketing(), customer=a_customer(consent=[("sms", "marketing"), ("email", "review")])
    )
    life.event()
    assert dropped(life) == [("email", "no_consent")]


def test_with_consent_it_goes_to_the_address_on_file():
    life = Life(marketing(), customer=a_customer(consent=[EMAIL]))
    life.event()
    [queued] = life.of(Queue)
    assert (queued.message.address, queued.message.message_class) == (
        "anna@shop.example",
        MessageClass.MARKETING,
    )


def test_the_first_channel_that_may_be_used_is_used():
    life = Life(marketing("sms", "email"), customer=a_customer(consent=[EMAIL]))
    life.event()
    assert channels(life) == ["email"]
    assert life.of(Queue)[0].message.fallbacks == ()


def test_the_channels_after_the_one_that_is_used_are_its_fallbacks():
    life = Life(marketing("sms", "email"), customer=a_customer(consent=[EMAIL, SMS]))
    life.event()
    assert life.of(Queue)[0].message.fallbacks == ("email",)


def test_when_no_channel_may_be_used_the_reason_of_each_is_told():
    life = Life(marketing("sms", "email"), customer=a_customer(consent=[SMS]))
    life.customer = a_customer(
        consent=[SMS], suppressions=frozenset({("sms", SuppressionScope.ADDRESS)})
    )
    life.event()
    [entry] = [e for e in life.of(JournalEntry) if e.kind is Kind.DROPPED]
    assert (entry.reason, entry.values["channels"]) == (
        "suppressed",
        {"sms": "suppressed", "email": "no_consent"},
    )


def test_each_of_sends_over_every_channel_that_may_be_used():
    workflow = marketing("sms", "email", mode=SendMode.EACH_OF)
    life = Life(workflow, customer=a_customer(consent=[EMAIL, SMS]))
    life.event()
    assert channels(life) == ["sms", "email"]


def test_each_of_lets_a_held_channel_follow_when_its_hold_ends():
    night = QuietWindow(
        id="sms", channels=frozenset({"sms"}), start=time(9), end=time(12), timezone="UTC"
    )
    workflow = marketing("sms", "email", mode=SendMode.EACH_OF)
    life = Life(workflow, customer=a_customer(consent=[EMAIL, SMS]), quiet_windows=(night,))
    life.event()
    assert channels(life) == ["email"]
    noon = datetime(2026, 3, 3, 12, tzinfo=UTC)
    assert life.customer.next_due_at == noon
    life.tick(noon)
    assert [(q.message.channel, q.message.decided_at) for q in life.of(Queue)[1:]] == [
        ("sms", noon)
    ]


def test_quiet_hours_of_one_channel_may_give_way_to_the_next():
    night = QuietWindow(
        id="sms", channels=frozenset({"sms"}), start=time(9), end=time(12), timezone="UTC"
    )
    workflow = marketing("sms", "email", skip_held=True)
    life = Life(workflow, customer=a_customer(consent=[EMAIL, SMS]), quiet_windows=(night,))
    life.event()
    assert channels(life) == ["email"]


def test_a_complaint_stops_marketing_and_relationship_but_not_service():
    stop = frozenset({("email", SuppressionScope.MARKETING)})
    for purpose, count in [("marketing", 0), ("review", 0), ("service", 1)]:
        send = a_send(channels=("email",), purpose=purpose)
        customer = a_customer(consent=[EMAIL], suppressions=stop)
        life = Life(a_workflow(steps=[send]), customer=customer)
        life.event()
        assert len(channels(life)) == count, purpose


def test_a_hard_bounce_stops_everything_until_the_address_changes():
    life = Life(a_workflow(steps=[a_send(channels=("email",))], reentry=Reentry.PARALLEL))
    life.event("message.bounced", message_id="m", channel="email", bounce="hard")
    life.event("cart.updated", HOUR)
    assert dropped(life) == [("email", "suppressed")]
    life.event("customer.updated", 2 * HOUR, email="new@shop.example")
    life.event("cart.updated", 3 * HOUR)
    assert channels(life) == ["email"]


def test_a_guard_that_fails_means_do_not_send():
    life = Life(a_workflow(steps=[a_send(only_if=cel("trigger.gift == 'yes' && trigger.n > 3"))]))
    life.event(gift="yes")
    assert [reason for _, reason in dropped(life)] == ["guard"]


def test_an_exit_without_an_event_is_checked_right_before_the_send():
    rule = Exit(
        id="late",
        pattern=None,
        when=cel("now > trigger.occurred_at + duration('30m')"),
        outcome="too_late",
    )
    life = Life(a_workflow(exits=(rule,)))
    life.event()
    life.tick(HOUR)
    assert life.of(Queue) == []
    [ended] = [e for e in life.of(JournalEntry) if e.kind is Kind.EXITED]
    assert ended.reason == "too_late"


def test_a_paused_workflow_does_not_send_to_those_on_their_way():
    life = Life(a_workflow())
    life.event()
    paused = Life(a_workflow(status=Status.PAUSED), customer=life.customer)
    paused.tick(HOUR)
    assert [reason for _, reason in dropped(paused)] == ["paused"]


def test_a_shadow_decides_and_never_sends():
    life = Life(a_workflow(status=Status.SHADOW))
    life.event()
    life.tick(HOUR)
    assert [reason for _, reason in dropped(life)] == ["shadow"]


def test_a_value_that_cannot_be_worked_out_hurts_its_own_message_only():
    steps = [a_send("one", "two", variables={"x": cel("trigger.missing + 1")}), a_send("two")]
    life = Life(a_workflow(steps=steps))
    life.event()
    assert [reason for _, reason in dropped(life)] == ["template"]
    assert [q.message.step for q in life.of(Queue)] == ["two"]


def cap(**more):
    defaults = {"id": "week", "limit": 2, "window": 7 * DAY}
    return FrequencyCap(**{**defaults, **more})


def carts(life, *days):
    for day in days:
        life.event("cart.updated", day * DAY)


def test_a_rolling_cap_lets_its_number_through_and_frees_slots_by_acceptance_time():
    life = Life(marketing(), customer=a_customer(consent=[EMAIL]), caps=(cap(),))
    carts(life, 0, 1, 2, 6.9, 7, 7.5, 8, 9)
    assert [(q.message.decided_at - T0) / DAY for q in life.of(Queue)] == [0, 1, 7, 8]
    assert {reason for _, reason in dropped(life)} == {"capped"}


def test_without_a_receipt_a_slot_counts_in_every_window():
    life = Life(
        marketing(), customer=a_customer(consent=[EMAIL]), caps=(cap(limit=1),), event_clock=False
    )
    carts(life, 0, 30)
    assert len(life.of(Queue)) == 1


def test_defer_waits_for_the_slot():
    life = Life(
        marketing(),
        customer=a_customer(consent=[EMAIL]),
        caps=(cap(limit=1, window=DAY, if_capped=IfCapped.DEFER),),
    )
    carts(life, 0, 0.5)
    life.tick(3 * DAY)
    assert [(q.message.decided_at - T0) / DAY for q in life.of(Queue)] == [0, 1]


def test_a_hold_lasts_three_days_at_most():
    life = Life(
        marketing(),
        customer=a_customer(consent=[EMAIL]),
        caps=(cap(limit=1, window=7 * DAY, if_capped=IfCapped.DEFER),),
    )
    carts(life, 0, 1)
    assert [reason for _, reason in dropped(life)] == ["stale"]


def test_end_ends_the_enrolment():
    life = Life(
        marketing(),
        customer=a_customer(consent=[EMAIL]),
        caps=(cap(limit=1, if_capped=IfCapped.END),),
    )
    carts(life, 0, 1)
    ends = [e.reason for e in life.of(JournalEntry) if e.kind is Kind.EXITED]
    assert ends == ["completed", "capped"]


def test_reserved_slots_are_for_high_priority_only():
    low = a_workflow(
        "low",
        priority=10,
        steps=[a_send(channels=("email",), purpose="marketing")],
        exits=(),
        reentry=Reentry.PARALLEL,
    )
    high = a_workflow(
        "high",
        priority=80,
        steps=[a_send(channels=("email",), purpose="marketing")],
        exits=(),
        reentry=Reentry.PARALLEL,
        trigger=type(low.trigger)(pattern=on("review.posted")),
    )
    life = Life(
        low,
        high,
        customer=a_customer(consent=[EMAIL]),
        caps=(cap(limit=3, reserved_slots=1, reserved_priority=80),),
    )
    carts(life, 0, 0.1, 0.2)
    life.event("review.posted", 0.3 * DAY)
    life.event("review.posted", 0.4 * DAY)
    assert [q.message.workflow for q in life.of(Queue)] == ["low", "low", "high"]


def test_service_messages_are_neither_capped_nor_counted():
    service = a_workflow(
        "s", steps=[a_send(channels=("email",))], exits=(), reentry=Reentry.PARALLEL
    )
    life = Life(service, customer=a_customer(consent=[EMAIL]), caps=(cap(limit=1),))
    carts(life, 0, 1, 2)
    assert len(life.of(Queue)) == 3
    assert life.customer.sent == ()


@pytest.mark.parametrize(
    ("window", "moments", "allowed"),
    [
        # 23:30 and 00:30 in Paris are two days; in UTC they are one.
        (CalendarWindow.DAY, ["2026-03-03T22:30", "2026-03-03T23:30"], 2),
        (CalendarWindow.DAY, ["2026-03-03T10:00", "2026-03-03T22:30"], 1),
        # Sunday 1 March and Monday 2 March 2026.
        (CalendarWindow.WEEK, ["2026-03-01T12:00", "2026-03-02T12:00"], 2),
        (CalendarWindow.WEEK, ["2026-03-02T12:00", "2026-03-08T12:00"], 1),
        (CalendarWindow.MONTH, ["2026-03-31T12:00", "2026-04-01T12:00"], 2),
        # The day of the spring change has 23 hours: 00:30 and 23:30 local are one day.
        (CalendarWindow.DAY, ["2026-03-28T23:30", "2026-03-29T21:30"], 1),
        (CalendarWindow.DAY, ["2026-03-29T21:30", "2026-03-29T22:30"], 2),
    ],
)
def test_calendar_caps_count_in_the_customers_zone(window, moments, allowed):
    life = Life(
        marketing(), customer=a_customer(consent=[EMAIL]), caps=(cap(limit=1, window=window),)
    )
    for moment in moments:
        life.event(at=datetime.fromisoformat(moment).replace(tzinfo=UTC))
    assert len(life.of(Queue)) == allowed
