"""Merging a visitor into a customer: nothing is re-pointed, doubled, forgotten or left behind."""

from datetime import timedelta

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

from shopflow.domain.customer import Consent, ConsentState
from shopflow.domain.event import Merge
from shopflow.domain.journal import Cancel, JournalEntry, Kind, Queue, Tell
from shopflow.domain.policy import FrequencyCap
from shopflow.domain.trait import Aggregate, Segment, Trait, TraitType
from shopflow.domain.trigger import SegmentTrigger
from shopflow.domain.workflow import Exit, Goal, Reentry, Since

MINUTE = timedelta(minutes=1)
EMAIL = ("email", "marketing")


def identified(visitor, customer, at):
    return an_event(
        "customer.identified",
        at,
        customer=customer,
        event_id=f"{visitor}-is-{customer}",
        customer_id=customer,
        anonymous_id=visitor,
    )


def ended(life):
    return [e.reason for e in life.of(JournalEntry) if e.kind is Kind.EXITED]


def a_family(*workflows, ids=("visitor", "anna", "bob"), **ruleset):
    """Several rows, and a hand that carries what one tells to the next."""
    lives = {name: Life(*workflows, customer=a_customer(name), **ruleset) for name in ids}

    def give(name, given):
        told = [(name, given)]
        for _ in range(50):
            if not told:
                return
            to, what = told.pop(0)
            told += [(e.to, e.input) for e in lives[to].give(what) if isinstance(e, Tell)]
        raise AssertionError("what one row tells another goes round in a circle")

    return lives, give


def test_an_alias_is_never_pointed_at_somebody_else():
    lives, give = a_family(a_workflow())
    give("visitor", identified("visitor", "anna", HOUR))
    give("visitor", identified("visitor", "bob", 2 * HOUR))
    assert lives["visitor"].customer.alias_of == "anna"
    assert lives["anna"].customer.alias_of is None


def test_identifications_in_a_ring_leave_one_row_that_is_real():
    lives, give = a_family(a_workflow(), ids=("anna", "bob", "carl"))
    give("anna", identified("anna", "bob", HOUR))
    give("bob", identified("bob", "carl", 2 * HOUR))
    give("carl", identified("carl", "anna", 3 * HOUR))
    give("anna", an_event("cart.updated", 4 * HOUR))
    real = [life for life in lives.values() if life.customer.alias_of is None]
    assert [len(life.customer.enrolments) for life in real] == [1]


def test_of_two_enrolments_with_one_key_the_loser_calls_its_messages_back():
    send = a_send(channels=("email",), next_step="cool")
    steps = [send, a_wait("cool", "24h", "second"), a_send("second")]
    flow = a_workflow(
        steps=steps,
        goal=Goal(pattern=on("order.placed"), when=None, within=DAY, since=Since.ENTRY, value=None),
    )
    anna = Life(flow, event_clock=False)
    anna.event()
    [queued] = anna.of(Queue)
    visitor = Life(flow, customer=a_customer("visitor"), event_clock=False)
    visitor.event(at=HOUR)
    anna.give(Merge(customer=visitor.customer, at=T0 + 2 * HOUR))
    assert [c.message_id for c in anna.of(Cancel)] == [queued.message.id]
    assert [e.entered_at for e in anna.customer.enrolments] == [T0 + HOUR]
    assert ended(anna) == ["merged"]


def test_an_order_of_the_visitor_ends_what_the_customer_had_begun_before():
    anna = Life(a_workflow())
    anna.event()
    visitor = Life(a_workflow(), customer=a_customer("visitor"))
    visitor.event("order.placed", 10 * MINUTE)
    anna.give(Merge(customer=visitor.customer, at=T0 + 20 * MINUTE))
    assert ended(anna) == ["converted"]
    assert anna.customer.enrolments == ()


def test_an_order_of_the_customer_ends_what_the_visitor_had_begun_before_it():
    anna = Life(a_workflow())
    anna.event("order.placed", 10 * MINUTE)
    visitor = Life(a_workflow(), customer=a_customer("visitor"))
    visitor.event()
    visitor.event("order.shipped", 5 * MINUTE)
    anna.give(Merge(customer=visitor.customer, at=T0 + 20 * MINUTE))
    assert anna.customer.enrolments == ()


def test_what_the_visitor_was_in_already_is_not_entered_again():
    views = Trait(
        name="views",
        type=TraitType.INTEGER,
        pattern=on("product.viewed"),
        aggregate=Aggregate.COUNT,
    )
    keen = Segment(name="keen", when=cel("customer.views >= 2"))
    flow = a_workflow(
        "keen",
        trigger=SegmentTrigger(segment="keen"),
        reentry=Reentry.IGNORE,
        exits=(),
        steps=[a_send()],
    )
    lives, give = a_family(flow, traits={"views": views}, segments={"keen": keen})
    give("visitor", an_event("product.viewed", MINUTE, customer="visitor"))
    give("visitor", an_event("product.viewed", 2 * MINUTE, customer="visitor"))
    give("visitor", identified("visitor", "anna", HOUR))
    give("anna", an_event("product.viewed", 2 * HOUR))
    assert [len(life.of(Queue)) for life in lives.values()] == [1, 0, 0]


def test_slots_of_both_count_after_the_merge():
    cap = FrequencyCap(id="two", limit=2, window=7 * DAY)
    flow = a_workflow(
        steps=[a_send(channels=("email",), purpose="marketing")], reentry=Reentry.PARALLEL
    )
    lives = {
        name: Life(flow, customer=a_customer(name, consent=[EMAIL]), caps=(cap,))
        for name in ("visitor", "anna")
    }
    for number, life in enumerate(lives.values()):
        life.event(at=number * HOUR)
    anna = lives["anna"]
    anna.give(Merge(customer=lives["visitor"].customer, at=T0 + 2 * HOUR))
    anna.event(at=3 * HOUR)
    assert len(anna.of(Queue)) == 1


def test_of_two_consents_the_newer_stands_and_a_withdrawal_wins_a_tie():
    def merged(ours, theirs):
        anna = a_customer()
        visitor = a_customer("visitor")
        for customer, (state, days) in ((anna, ours), (visitor, theirs)):
            customer.consents.update({EMAIL: Consent(state=state, at=T0 + days * DAY)})
        life = Life(a_workflow(), customer=anna)
        life.give(Merge(customer=visitor, at=T0 + 9 * DAY))
        return life.customer.consents[EMAIL].state

    granted, withdrawn = ConsentState.GRANTED, ConsentState.WITHDRAWN
    assert merged((granted, 1), (withdrawn, 2)) is withdrawn
    assert merged((withdrawn, 1), (granted, 2)) is granted
    assert merged((withdrawn, 1), (granted, 1)) is withdrawn
    assert merged((granted, 1), (withdrawn, 1)) is withdrawn


def test_a_condition_exit_is_the_exit_rule_of_both():
    rule = Exit(id="bought", pattern=on("order.placed"), when=cel("event.total > 5"), outcome="won")
    anna = Life(a_workflow(exits=(rule,)))
    anna.event()
    visitor = Life(a_workflow(exits=(rule,)), customer=a_customer("visitor"))
    visitor.event("order.placed", 10 * MINUTE, total=1)
    anna.give(Merge(customer=visitor.customer, at=T0 + 20 * MINUTE))
    assert len(anna.customer.enrolments) == 1
