"""What customers wish: a rest until a date, a channel that comes first, a cap of their own."""

from datetime import timedelta

import pytest
from support.engine import DAY, HOUR, T0, Life, a_customer, a_send, a_workflow, on

from shopflow.domain.customer import ConsentState, LegalBasis
from shopflow.domain.journal import JournalEntry, Kind, LedgerEntry, Queue
from shopflow.domain.trigger import EventTrigger
from shopflow.domain.workflow import Reentry

EMAIL, SMS = ("email", "marketing"), ("sms", "marketing")


def a_life(*channels, purpose="marketing", **more):
    news = a_workflow(
        "news",
        trigger=EventTrigger(pattern=on("product.viewed")),
        exits=(),
        reentry=Reentry.PARALLEL,
        steps=[a_send(channels=channels or ("email",), purpose=purpose)],
    )
    return Life(news, customer=a_customer(consent=[EMAIL, SMS]), **more)


def sent(life):
    return [(q.message.channel, q.message.decided_at - T0) for q in life.of(Queue)]


def wish(life, at=timedelta(), **data):
    life.event("preferences.changed", at, **data)


def test_a_rest_holds_until_its_date_on_every_channel_and_ends_by_itself():
    for purpose in ("marketing", "review"):
        life = a_life(purpose=purpose)
        wish(life, paused_until=(T0 + 2 * DAY).isoformat())
        for day in (1, 2, 3):
            life.event("product.viewed", day * DAY)
        assert sent(life) == [("email", 2 * DAY), ("email", 3 * DAY)], purpose


def test_a_rest_is_in_the_ledger_with_its_end():
    life = a_life()
    wish(life, paused_until=(T0 + DAY).isoformat(), channel="sms", source="preferences")
    told = {(e.channel, e.purpose): e for e in life.of(LedgerEntry)}
    assert set(told) == {SMS, ("sms", "review")}
    assert told[SMS].consent.until == T0 + DAY
    assert told[SMS].source == "preferences"
    assert told["sms", "review"].consent.basis is LegalBasis.LEGITIMATE_INTEREST


@pytest.mark.parametrize("until", [None, (T0 - DAY).isoformat(), "tomorrow"])
def test_a_rest_can_be_ended_early(until):
    life = a_life()
    wish(life, paused_until=(T0 + 9 * DAY).isoformat())
    wish(life, HOUR, paused_until=until)
    life.event("product.viewed", 2 * HOUR)
    assert sent(life) == [("email", 2 * HOUR)]


def test_a_rest_grants_nothing_to_who_refused():
    life = a_life()
    life.event("consent.withdrawn", channel="email")
    wish(life, HOUR, paused_until=(T0 + DAY).isoformat())
    wish(life, 2 * HOUR, paused_until=None)
    assert life.customer.consents[EMAIL].state is ConsentState.WITHDRAWN


def test_the_preferred_channel_is_tried_first_where_several_would_do():
    life = a_life("email", "sms")
    wish(life, preferred_channel="sms")
    life.event("product.viewed", HOUR)
    [message] = [q.message for q in life.of(Queue)]
    assert (message.channel, message.fallbacks) == ("sms", ("email",))


def test_a_preference_for_a_channel_that_the_step_has_not_changes_nothing():
    life = a_life("email")
    wish(life, preferred_channel="sms")
    life.event("product.viewed", HOUR)
    assert sent(life) == [("email", HOUR)]


def test_nobody_gets_more_in_seven_days_than_they_chose():
    life = a_life()
    wish(life, max_per_week=2)
    for day in range(1, 10):
        life.event("product.viewed", day * DAY)
    assert [at // DAY for _, at in sent(life)] == [1, 2, 8, 9]
    capped = [e.values for e in life.of(JournalEntry) if e.kind is Kind.DROPPED]
    assert {values["cap"] for values in capped} == {"personal"}


def test_a_personal_cap_of_none_stops_all_but_service():
    for purpose, count in (("marketing", 0), ("review", 0), ("service", 1)):
        life = a_life(purpose=purpose)
        wish(life, max_per_week=0)
        life.event("product.viewed", HOUR)
        assert len(sent(life)) == count, purpose


def test_null_takes_a_wish_back_and_what_is_not_given_stays():
    life = a_life("email", "sms")
    wish(life, preferred_channel="sms", max_per_week=1)
    wish(life, HOUR, max_per_week=None)
    life.event("product.viewed", 2 * HOUR)
    life.event("product.viewed", 3 * HOUR)
    assert sent(life) == [("sms", 2 * HOUR), ("sms", 3 * HOUR)]


def test_a_late_wish_does_not_undo_a_newer_one():
    life = a_life()
    wish(life, 2 * HOUR, max_per_week=1)
    wish(life, HOUR, max_per_week=5)
    assert life.customer.attributes["max_per_week"] == 1
