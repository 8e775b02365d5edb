"""Consent in doubt: what is not plainly a yes is a no, and rest is rest for every class."""

from datetime import timedelta

import pytest
from support.engine import DAY, HOUR, T0, Life, a_customer, a_send, a_wait, a_workflow, cel

from shopflow.domain.customer import Consent, ConsentState
from shopflow.domain.journal import Cancel, JournalEntry, Kind, LedgerEntry, Queue
from shopflow.domain.step import ChangeConsent, ConsentChange
from shopflow.domain.workflow import Reentry

MINUTE = timedelta(minutes=1)
EMAIL = ("email", "marketing")


def state_after(**entry):
    life = Life(a_workflow())
    life.event("order.placed", consents=[{"channel": "email", "purpose": "marketing", **entry}])
    told = {(e.channel, e.purpose): e.consent for e in life.of(LedgerEntry)}
    assert told == life.customer.consents
    return told[EMAIL].state


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (None, ConsentState.GRANTED),
        ("granted", ConsentState.GRANTED),
        ("confirmed", ConsentState.GRANTED),
        ("denied", ConsentState.DENIED),
        ("withdrawn", ConsentState.WITHDRAWN),
        ("revoked", ConsentState.DENIED),
        ("unsubscribed", ConsentState.DENIED),
        (False, ConsentState.DENIED),
    ],
)
def test_a_word_that_nobody_knows_is_no_grant(word, expected):
    assert state_after(state=word) is expected


def test_an_entry_without_a_state_is_a_grant():
    assert state_after() is ConsentState.GRANTED


@pytest.mark.parametrize("named", [{"purpose": "review"}, {"channel": "email"}])
@pytest.mark.parametrize("state", [ConsentChange.PAUSED, ConsentChange.SUNSET])
def test_what_needs_no_opt_in_can_rest_and_end_too(named, state):
    rest = ChangeConsent(id="rest", next=None, state=state, length=cel('duration("48h")'), **named)
    resting = a_workflow("rest", steps=[rest], exits=(), priority=90)
    asking = a_workflow(
        "ask",
        steps=[a_send(channels=("email",), purpose="review")],
        exits=(),
        reentry=Reentry.PARALLEL,
    )
    life = Life(resting, asking)
    for days in (0, 1, 3):
        if days:
            life.rulebook = Life(asking).rulebook
        life.event(at=days * DAY)
    over = [q.message.decided_at - T0 for q in life.of(Queue)]
    assert over == ([3 * DAY] if state is ConsentChange.PAUSED else [])


def test_a_rest_never_makes_a_grant_of_nothing():
    rest = ChangeConsent(
        id="rest",
        next=None,
        state=ConsentChange.PAUSED,
        channel="email",
        length=cel('duration("1h")'),
    )
    life = Life(a_workflow(steps=[rest], exits=()))
    life.event()
    assert not [pair for pair in life.customer.consents if pair[1] != "review"]


def test_a_withdrawal_ends_those_who_can_send_nothing_more_and_calls_back_what_waits():
    steps = [
        a_send(channels=("email",), purpose="marketing", next_step="cool"),
        a_wait("cool", "24h", "second"),
        a_send("second", channels=("email",), purpose="marketing"),
    ]
    life = Life(
        a_workflow(steps=steps, purpose="marketing"),
        customer=a_customer(consent=[EMAIL]),
        event_clock=False,
    )
    life.event()
    life.event("consent.withdrawn", HOUR, channel="email")
    [ended] = [e for e in life.of(JournalEntry) if e.kind is Kind.EXITED]
    assert ended.reason == "consent_withdrawn"
    assert len(life.of(Cancel)) == 1


def test_a_pause_is_over_at_its_end_and_not_before():
    resting = Consent(state=ConsentState.PAUSED, at=T0, until=T0 + HOUR)
    customer = a_customer(consent=[EMAIL])
    customer.consents.update({EMAIL: resting})
    flow = a_workflow(
        steps=[a_send(channels=("email",), purpose="marketing")], reentry=Reentry.PARALLEL
    )
    life = Life(flow, customer=customer)
    life.event(at=HOUR - MINUTE)
    life.event(at=HOUR)
    assert [q.message.decided_at - T0 for q in life.of(Queue)] == [HOUR]
