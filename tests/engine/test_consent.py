"""Consent: what is said, what it permits, and what it does to those on their way."""

from dataclasses import replace

import pytest
from support.engine import (
    DAY,
    HOUR,
    PURPOSES,
    T0,
    Life,
    a_customer,
    a_send,
    a_wait,
    a_workflow,
    cel,
    on,
)

from shopflow.domain.customer import ConsentState, LegalBasis, SuppressionScope
from shopflow.domain.journal import JournalEntry, Kind, LedgerEntry, Lift, Queue, Suppress
from shopflow.domain.policy import ChannelConsent, MessageClass, SoftOptIn
from shopflow.domain.trigger import EventTrigger
from shopflow.domain.workflow import Reentry

EMAIL = ("email", "marketing")


def newsletter(purpose="marketing", **more):
    return a_workflow(
        "news",
        trigger=EventTrigger(pattern=on("product.viewed")),
        exits=(),
        reentry=Reentry.PARALLEL,
        steps=[a_send(channels=("email",), purpose=purpose)],
        **more,
    )


def state(life, channel="email", purpose="marketing"):
    entry = life.customer.consents.get((channel, purpose))
    return entry.state if entry else None


def test_a_grant_lets_through_and_a_withdrawal_stops():
    life = Life(newsletter())
    life.event("product.viewed")
    life.event("consent.granted", HOUR, channel="email", purpose="marketing", text_version="v1")
    life.event("product.viewed", 2 * HOUR)
    life.event("consent.withdrawn", 3 * HOUR, channel="email", purpose="marketing")
    life.event("product.viewed", 4 * HOUR)
    assert len(life.of(Queue)) == 1
    ledger = life.of(LedgerEntry)
    states = [entry.consent.state for entry in ledger if entry.purpose == "marketing"]
    assert states == ["granted", "withdrawn"]
    assert ledger[0].text_version == "v1"


def test_granting_a_parent_grants_nothing_below_it():
    life = Life(newsletter("cart_recovery"))
    life.event("consent.granted", channel="email", purpose="marketing")
    life.event("product.viewed", HOUR)
    assert life.of(Queue) == []


def test_a_child_that_inherits_takes_its_parents_grant():
    child = replace(PURPOSES["cart_recovery"], inherit=True)
    life = Life(newsletter("cart_recovery"), purposes={**PURPOSES, "cart_recovery": child})
    life.event("consent.granted", channel="email", purpose="marketing")
    life.event("product.viewed", HOUR)
    assert len(life.of(Queue)) == 1


def test_withdrawing_a_parent_withdraws_its_children():
    life = Life(newsletter("cart_recovery"))
    life.event("consent.granted", channel="email", purpose="cart_recovery")
    life.event("consent.withdrawn", HOUR, channel="email", purpose="marketing")
    assert state(life, purpose="cart_recovery") is ConsentState.WITHDRAWN


def test_one_click_names_no_purpose_and_withdraws_marketing_and_relationship():
    life = Life(newsletter(), customer=a_customer(consent=[EMAIL, ("sms", "marketing")]))
    life.event("consent.withdrawn", channel="email")
    assert state(life) is ConsentState.WITHDRAWN
    assert state(life, purpose="review") is ConsentState.WITHDRAWN
    assert state(life, purpose="service") is None
    assert state(life, "sms") is ConsentState.GRANTED


def test_an_objection_stops_relationship_mail_and_never_service_mail():
    for purpose, count in [("review", 0), ("service", 1)]:
        life = Life(newsletter(purpose))
        life.event("consent.withdrawn", channel="email")
        life.event("product.viewed", HOUR)
        assert len(life.of(Queue)) == count, purpose


def double():
    purpose = replace(PURPOSES["marketing"], channels={"email": ChannelConsent(double_opt_in=True)})
    return {**PURPOSES, "marketing": purpose}


def test_double_opt_in_waits_for_the_confirmation():
    life = Life(newsletter(), purposes=double())
    life.event("consent.granted", channel="email", purpose="marketing")
    assert state(life) is ConsentState.PENDING
    life.event("product.viewed", HOUR)
    assert life.of(Queue) == []
    life.event("consent.confirmed", 2 * HOUR, channel="email", purpose="marketing")
    life.event("product.viewed", 3 * HOUR)
    assert len(life.of(Queue)) == 1


def test_granting_again_does_not_take_a_confirmed_consent_back_to_pending():
    life = Life(newsletter(), purposes=double(), customer=a_customer(consent=[EMAIL]))
    life.event("consent.granted", channel="email", purpose="marketing")
    assert state(life) is ConsentState.GRANTED


def test_consents_may_come_inside_an_order():
    life = Life(newsletter())
    told = [
        {"channel": "email", "purpose": "marketing", "source": "checkout", "text_version": "v3"}
    ]
    life.event("order.placed", order_id="o1", consents=told)
    assert state(life) is ConsentState.GRANTED
    assert life.of(LedgerEntry)[0].source == "checkout"


def soft():
    rule = ChannelConsent(soft_opt_in=SoftOptIn(event_type="order.placed"))
    return {**PURPOSES, "marketing": replace(PURPOSES["marketing"], channels={"email": rule})}


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ({"marketing_notice": {"text_version": "v1", "refused": False}}, ConsentState.GRANTED),
        ({"marketing_notice": {"text_version": "v1", "refused": True}}, ConsentState.DENIED),
        ({}, None),
        ({"marketing_notice": {}}, None),
    ],
)
def test_soft_opt_in_exists_only_where_the_notice_was_not_refused(order, expected):
    life = Life(newsletter(), purposes=soft())
    life.event("order.placed", **order)
    assert state(life) is expected
    if expected is ConsentState.GRANTED:
        assert life.customer.consents[EMAIL].basis is LegalBasis.SOFT_OPT_IN


def test_soft_opt_in_does_not_bring_back_who_withdrew():
    life = Life(newsletter(), purposes=soft())
    life.event("consent.withdrawn", channel="email", purpose="marketing")
    life.event("order.placed", HOUR, marketing_notice={"text_version": "v1", "refused": False})
    assert state(life) is ConsentState.WITHDRAWN


def test_a_late_grant_does_not_undo_a_newer_withdrawal():
    life = Life(newsletter())
    life.event("consent.withdrawn", HOUR, channel="email", purpose="marketing")
    life.event("consent.granted", channel="email", purpose="marketing")
    assert state(life) is ConsentState.WITHDRAWN


def test_at_equal_times_the_withdrawal_wins_in_either_order():
    for order in (
        ["consent.granted", "consent.withdrawn"],
        ["consent.withdrawn", "consent.granted"],
    ):
        life = Life(newsletter())
        for event_type in order:
            life.event(event_type, channel="email", purpose="marketing")
        assert state(life) is ConsentState.WITHDRAWN


def test_an_enrolment_ends_when_all_it_could_still_send_is_withdrawn():
    steps = [a_wait(), a_send(channels=("email", "sms"), purpose="marketing")]
    both = a_customer(consent=[EMAIL, ("sms", "marketing")])
    life = Life(a_workflow(steps=steps), customer=both)
    life.event()
    life.event("consent.withdrawn", HOUR / 4, channel="email")
    assert len(life.customer.enrolments) == 1
    life.event("consent.withdrawn", HOUR / 2, channel="sms")
    assert life.customer.enrolments == ()
    ends = [e.reason for e in life.of(JournalEntry) if e.kind is Kind.EXITED]
    assert ends == ["consent_withdrawn"]


def test_an_unknown_purpose_permits_nothing():
    life = Life(newsletter("nobody-knows"))
    life.event("product.viewed")
    assert life.of(Queue) == []


def test_a_channel_that_the_purpose_does_not_cover_is_refused():
    push = a_send(channels=("log",), purpose="marketing")
    customer = a_customer(consent=[("log", "marketing")])
    life = Life(a_workflow(steps=[push]), customer=customer)
    life.event()
    assert life.of(Queue) == []


def test_reachable_is_address_consent_and_no_suppression():
    choose = a_send(variables={"mail": cel("reachable.email"), "sms": cel("reachable.sms")})
    workflow = a_workflow(purpose="marketing", steps=[choose], exits=())
    life = Life(workflow, customer=a_customer(consent=[EMAIL]))
    life.event()
    variables = life.of(Queue)[0].message.variables
    assert (variables["mail"], variables["sms"]) == (True, False)


def test_classes_are_all_answered():
    assert {purpose.message_class for purpose in PURPOSES.values()} <= set(MessageClass)


def test_an_unsubscribe_is_no_suppression():
    life = Life(newsletter(), customer=a_customer(consent=[EMAIL]))
    life.event("consent.withdrawn", DAY, channel="email")
    assert life.customer.suppressions == frozenset()


def ledger_of(life):
    return [(e.channel, e.purpose, e.consent.state, e.consent.basis) for e in life.of(LedgerEntry)]


def test_each_class_has_its_own_legal_basis_in_the_ledger():
    life = Life(newsletter())
    life.event("consent.withdrawn", channel="email")
    bases = {purpose: basis for _, purpose, _, basis in ledger_of(life)}
    assert bases["review"] is LegalBasis.LEGITIMATE_INTEREST
    assert bases["marketing"] is LegalBasis.CONSENT


def complained(**more):
    life = Life(newsletter(), customer=a_customer(consent=[EMAIL]), **more)
    life.event("message.complained", channel="email")
    return life


def test_a_complaint_withdraws_and_suppresses_marketing_and_relationship_not_service():
    life = complained()
    assert state(life) is state(life, purpose="review") is ConsentState.WITHDRAWN
    assert life.customer.suppressions == {("email", SuppressionScope.MARKETING)}
    [stop] = life.of(Suppress)
    assert (stop.address, stop.reason) == ("anna@shop.example", "complaint")
    assert life.of(LedgerEntry)[0].source == "message.complained"


def test_a_plain_subscription_does_not_clear_a_complaint():
    life = complained()
    life.event("consent.granted", HOUR, channel="email", purpose="marketing")
    life.event("product.viewed", 2 * HOUR)
    assert state(life) is ConsentState.PENDING, "even where nothing has to be confirmed otherwise"
    assert not life.of(Queue)
    assert not life.of(Lift)


def test_a_confirmation_of_what_was_asked_after_the_complaint_clears_it():
    life = complained()
    life.event("consent.granted", HOUR, channel="email", purpose="marketing")
    life.event("consent.confirmed", 2 * HOUR, channel="email", purpose="marketing")
    life.event("product.viewed", 3 * HOUR)
    assert state(life) is ConsentState.GRANTED
    assert life.customer.suppressions == frozenset()
    assert [(lift.channel, lift.before) for lift in life.of(Lift)] == [("email", T0 + HOUR)]
    assert len(life.of(Queue)) == 1


def test_a_link_from_before_the_complaint_clears_nothing():
    life = Life(newsletter(), purposes=double())
    life.event("consent.granted", channel="email", purpose="marketing")
    life.event("message.complained", HOUR, channel="email")
    life.event("consent.confirmed", 2 * HOUR, channel="email", purpose="marketing")
    assert state(life) is ConsentState.PENDING
    assert life.customer.suppressions == {("email", SuppressionScope.MARKETING)}
    life.event("consent.confirmed", 3 * HOUR, channel="email", purpose="marketing")
    assert state(life) is ConsentState.GRANTED, "asked anew, and confirmed"


def test_a_soft_opt_in_does_not_clear_a_complaint():
    life = Life(newsletter(), purposes=soft())
    life.event("message.complained", channel="email")
    life.event("order.placed", HOUR, marketing_notice={"text_version": "v1", "refused": False})
    life.event("product.viewed", 2 * HOUR)
    assert not life.of(Queue)


def test_a_hard_bounce_stops_the_address_for_whoever_has_it():
    life = Life(newsletter(), customer=a_customer(consent=[EMAIL]))
    life.event("message.bounced", message_id="m", channel="email", bounce="hard")
    [stop] = life.of(Suppress)
    assert (stop.scope, stop.reason) == (SuppressionScope.ADDRESS, "hard_bounce")
    life.event("message.bounced", HOUR, message_id="n", channel="email", bounce="soft")
    assert len(life.of(Suppress)) == 1
