"""Word from the deliverer, fallbacks, and messages that are handed back."""

from datetime import UTC, datetime, time, timedelta

import pytest
from support.engine import DAY, HOUR, T0, Life, a_customer, a_send, a_wait, a_workflow

from shopflow.domain.customer import SlotState
from shopflow.domain.event import DeliveryReport, Outcome
from shopflow.domain.journal import Cancel, JournalEntry, Kind, Queue, Requeue
from shopflow.domain.policy import FrequencyCap, QuietWindow
from shopflow.domain.workflow import Reentry

EMAIL, SMS = ("email", "marketing"), ("sms", "marketing")
MINUTE = timedelta(minutes=1)
WEEK = FrequencyCap(id="week", limit=1, window=7 * DAY)
NIGHT = QuietWindow(id="night", start=time(20), end=time(8), timezone="UTC")


def living(**more):
    send = a_send(channels=("sms", "email"), purpose="marketing")
    workflow = a_workflow(
        purpose="marketing", steps=[send, *more.pop("then", [])], reentry=Reentry.PARALLEL
    )
    return Life(workflow, customer=a_customer(consent=[EMAIL, SMS]), event_clock=False, **more)


def told(life, outcome, at, reason="", message=None):
    message = message or life.of(Queue)[-1].message
    report = DeliveryReport(message=message, outcome=outcome, at=T0 + at, reason=reason)
    life.effects.clear()
    return life.give(report)


def reasons(life, kind=Kind.DROPPED):
    return [e.reason for e in life.of(JournalEntry) if e.kind is kind]


def test_a_receipt_moves_the_slot_to_the_acceptance_time():
    life = living(caps=(WEEK,))
    life.event()
    assert life.customer.sent[0].state is SlotState.RESERVED
    told(life, Outcome.ACCEPTED, HOUR)
    assert life.customer.sent[0].accepted_at == T0 + HOUR
    life.event(at=7 * DAY + MINUTE)
    assert life.of(Queue) == []
    life.event(at=7 * DAY + HOUR)
    assert len(life.of(Queue)) == 1


def test_without_a_cap_nothing_is_remembered_once_it_is_accepted():
    life = living()
    life.event()
    told(life, Outcome.ACCEPTED, HOUR)
    assert life.customer.sent == ()


def test_a_failure_for_good_frees_the_slot_and_tries_the_next_channel():
    life = living(caps=(WEEK,))
    life.event()
    told(life, Outcome.FAILED, MINUTE, "rejected")
    [queued] = life.of(Queue)
    assert (queued.message.channel, queued.message.address) == ("email", "anna@shop.example")
    assert [record.channel for record in life.customer.sent] == ["email"]
    told(life, Outcome.FAILED, 2 * MINUTE, "rejected", queued.message)
    assert life.of(Queue) == []
    assert reasons(life) == ["failed"]
    assert life.customer.sent == ()


def test_a_bad_address_is_suppressed():
    life = living()
    life.event()
    told(life, Outcome.FAILED, MINUTE, "bad_address")
    life.event(at=HOUR)
    assert [q.message.channel for q in life.of(Queue)] == ["email", "email"]


def test_a_fallback_passes_its_own_gates():
    life = living()
    life.event()
    life.event("consent.withdrawn", MINUTE, channel="email")
    told(life, Outcome.FAILED, 2 * MINUTE, "rejected", life.of(Queue)[-1].message)
    assert life.of(Queue) == []
    assert reasons(life) == ["no_consent"]


def test_a_fallback_comes_within_the_lateness_limit_or_not_at_all():
    life = living()
    life.event()
    told(life, Outcome.FAILED, DAY + MINUTE, "rejected")
    assert life.of(Queue) == []
    assert reasons(life) == ["stale"]


@pytest.mark.parametrize("outcome", [Outcome.DROPPED, Outcome.FAILED])
def test_what_an_exit_calls_back_keeps_its_slot_until_it_is_known_to_be_stopped(outcome):
    wait = a_wait("cool", "23h", None)
    send = a_send(channels=("sms", "email"), purpose="marketing", next_step="cool")
    life = Life(
        a_workflow(purpose="marketing", steps=[send, wait]),
        customer=a_customer(consent=[EMAIL, SMS]),
        event_clock=False,
        caps=(WEEK,),
    )
    life.event()
    message = life.of(Queue)[0].message
    life.event("order.placed", MINUTE)
    [cancel] = life.of(Cancel)
    assert (cancel.message_id, cancel.reason, cancel.tell) == (message.id, "exited", True)
    assert [one.state for one in life.customer.sent] == [SlotState.CALLED]
    told(life, outcome, 2 * MINUTE, "rejected", message)
    assert life.effects == []
    assert life.customer.sent == ()


def test_reaching_the_end_calls_nothing_back():
    life = living()
    life.event()
    life.event("order.placed", MINUTE)
    assert life.of(Cancel) == []


@pytest.mark.parametrize("outcome", [Outcome.UNCERTAIN, Outcome.ACCEPTED])
def test_what_may_have_arrived_counts(outcome):
    life = living(caps=(WEEK,))
    life.event()
    told(life, outcome, MINUTE)
    assert life.customer.sent[0].accepted_at == T0 + MINUTE


def test_what_the_deliverer_withheld_frees_its_slot_and_is_told():
    life = living(caps=(WEEK,))
    life.event()
    told(life, Outcome.DROPPED, MINUTE, "not_allowed_here")
    assert life.customer.sent == ()
    assert reasons(life) == ["not_allowed_here"]


def test_a_message_that_is_handed_back_at_night_goes_in_the_morning():
    life = living(quiet_windows=(NIGHT,))
    life.event(at=9 * HOUR)
    [queued] = life.of(Queue)
    assert queued.message.send_by == datetime(2026, 3, 3, 20, tzinfo=UTC)
    told(life, Outcome.RETURNED, 10 * HOUR, message=queued.message)
    morning = datetime(2026, 3, 4, 8, tzinfo=UTC)
    assert life.customer.next_due_at == morning
    life.tick(morning)
    [again] = life.of(Requeue)
    assert again.message.id == queued.message.id
    assert again.message.send_by == datetime(2026, 3, 4, 20, tzinfo=UTC)


def test_a_message_that_is_handed_back_too_late_is_dropped():
    life = living()
    life.event()
    told(life, Outcome.RETURNED, 2 * DAY)
    assert reasons(life) == ["stale"]
    assert [c.reason for c in life.of(Cancel)] == ["stale"]


def test_a_held_message_takes_no_slot():
    life = living(quiet_windows=(NIGHT,), caps=(WEEK,))
    life.event(at=9 * HOUR)
    told(life, Outcome.RETURNED, 10 * HOUR)
    [record] = life.customer.sent
    assert record.state is SlotState.HELD
