"""Codes of coupons in decisions: drawn, promised, given back, used."""

from __future__ import annotations

import re

import pytest
from support.engine import DAY, HOUR, T0, Life, a_customer, a_send, a_wait, a_workflow, cel, on

from shopflow.domain.coupon import (
    ALPHABET,
    CodeInHand,
    CodeState,
    Coupon,
    CouponType,
    OutOfCodes,
    Redeem,
    Reserve,
    Settle,
    WhenExhausted,
    made_codes,
)
from shopflow.domain.event import DeliveryReport, Merge, Outcome
from shopflow.domain.journal import Cancel, JournalEntry, Kind, Queue
from shopflow.domain.step import DrawCode, End, Repeat, SendMode
from shopflow.domain.trigger import EventTrigger
from shopflow.domain.workflow import Exit, Reentry

CODES = ["AAA", "BBB", "CCC"]


def a_coupon(**more):
    given = {"id": "cart10", "type": CouponType.PERCENT, "value": 10.0, "imported_pool": "cart10"}
    return Coupon(**{**given, **more})


class Shop(Life):
    """A life in which a code that was drawn is no longer in hand."""

    def give(self, given, **more):
        effects = super().give(given, **more)
        drawn = {effect.drawn.code for effect in effects if isinstance(effect, Reserve)}
        for held in self.facts.codes.values():
            held[:] = [one for one in held if one.code not in drawn]
        return effects


def a_life(*workflows, coupon=None, codes=CODES, customer=None, **more):
    """A shop with one coupon, whose pool has these codes in hand."""
    coupon = coupon or a_coupon()
    in_hand = [each if isinstance(each, CodeInHand) else CodeInHand(code=each) for each in codes]
    return Shop(
        *workflows,
        customer=customer,
        coupons={coupon.id: coupon},
        facts={"codes": {"cart10": in_hand}},
        **more,
    )


def offering(**more):
    """A workflow that offers the coupon at once, as often as it is asked."""
    send = a_send("offer", coupon="cart10", **more)
    return a_workflow(steps=[send], exits=(), reentry=Reentry.PARALLEL)


def sent(life):
    return [queued.message for queued in life.of(Queue)]


def told(message, outcome, **more):
    return DeliveryReport(message=message, outcome=outcome, at=T0 + HOUR, **more)


def states(life):
    return [(one.draw, one.state) for one in life.of(Settle)]


def test_the_message_shows_the_first_code_in_hand_and_binds_it():
    life = a_life(offering(), coupon=a_coupon(valid_for=14 * DAY))
    life.event()
    [message], [reserved] = sent(life), life.of(Reserve)
    assert message.variables["coupon"] == {
        "id": "cart10",
        "type": "percent",
        "value": 10.0,
        "code": "AAA",
        "expires_at": "2026-03-17T10:00:00Z",
    }
    assert (reserved.drawn.code, reserved.customer_id) == ("AAA", "anna")
    assert message.codes == (reserved.drawn,)


def test_two_sends_of_one_decision_never_show_the_same_code():
    steps = [a_send("one", "two", coupon="cart10"), a_send("two", coupon="cart10")]
    life = a_life(a_workflow(steps=steps, exits=()))
    life.event()
    assert [message.variables["coupon"]["code"] for message in sent(life)] == ["AAA", "BBB"]


def test_a_code_that_the_shop_no_longer_takes_is_passed_over():
    over = CodeInHand(code="OLD", ends_at=T0)
    life = a_life(offering(), codes=[over, CodeInHand(code="NEW", ends_at=T0 + DAY)])
    life.event()
    [message] = sent(life)
    assert message.variables["coupon"]["code"] == "NEW"
    assert message.variables["coupon"]["expires_at"] == "2026-03-04T10:00:00Z"


def test_a_message_is_to_leave_before_its_code_ends():
    life = a_life(offering(), coupon=a_coupon(valid_for=2 * HOUR))
    life.event()
    assert sent(life)[0].send_by == T0 + 2 * HOUR


def test_without_a_code_the_message_goes_without_its_block():
    life = a_life(offering(), codes=[])
    life.event()
    [message] = sent(life)
    assert "coupon" not in message.variables
    assert life.of(OutOfCodes) == [OutOfCodes(pool="cart10")]


def test_without_a_code_the_message_is_dropped_where_the_coupon_says_so():
    coupon = a_coupon(when_exhausted=WhenExhausted.DROP_MESSAGE)
    life = a_life(offering(), coupon=coupon, codes=[])
    life.event()
    assert sent(life) == []
    [dropped] = [e for e in life.of(JournalEntry) if e.kind is Kind.DROPPED]
    assert (dropped.reason, dropped.values["why"]) == ("no_coupon", "exhausted")


def test_a_coupon_that_is_not_there_drops_the_message():
    life = Life(offering())
    life.event()
    assert sent(life) == []


def test_one_per_customer_is_one_ever():
    coupon = a_coupon(per_customer=1, when_exhausted=WhenExhausted.DROP_MESSAGE)
    life = a_life(offering(), coupon=coupon)
    for day in (0, 1, 500):
        life.event(at=day * DAY, event_id=f"e{day}")
    assert len(sent(life)) == 1
    why = [e.values["why"] for e in life.of(JournalEntry) if e.kind is Kind.DROPPED]
    assert why == ["per_customer", "per_customer"]


def test_one_per_customer_counts_again_what_came_back():
    coupon = a_coupon(per_customer=1)
    life = a_life(offering(), coupon=coupon, event_clock=False)
    life.event(event_id="first")
    life.give(told(sent(life)[0], Outcome.FAILED, reason="rejected"))
    life.event(at=2 * HOUR, event_id="second")
    assert "coupon" in sent(life)[1].variables


def test_every_channel_of_a_step_shows_the_same_code():
    send = a_send("offer", coupon="cart10", channels=("log", "email"), mode=SendMode.EACH_OF)
    life = a_life(a_workflow(steps=[send], exits=()))
    life.event()
    assert [message.variables["coupon"]["code"] for message in sent(life)] == ["AAA", "AAA"]
    assert len(life.of(Reserve)) == 1


def test_the_code_is_issued_when_the_channel_accepts():
    life = a_life(offering(), event_clock=False)
    life.event()
    [message] = sent(life)
    assert life.of(Settle) == []
    life.give(told(message, Outcome.ACCEPTED))
    assert states(life) == [(message.codes[0].draw, CodeState.ISSUED)]
    assert life.customer.codes[0].issued


def test_a_code_is_issued_once_however_often_that_is_told():
    life = a_life(offering(), event_clock=False)
    life.event()
    [message] = sent(life)
    for _ in range(2):
        life.give(told(message, Outcome.ACCEPTED))
    assert len(life.of(Settle)) == 1


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.DROPPED])
def test_a_code_that_nobody_saw_goes_back(outcome):
    life = a_life(offering(), event_clock=False)
    life.event()
    [message] = sent(life)
    life.give(told(message, outcome, reason="rejected"))
    assert states(life) == [(message.codes[0].draw, CodeState.FREE)]
    assert life.customer.codes == ()


def test_the_next_channel_shows_the_code_that_the_first_could_not_bring():
    send = a_send("offer", coupon="cart10", channels=("email", "sms"))
    life = a_life(a_workflow(steps=[send], exits=()), event_clock=False)
    life.event()
    [first] = sent(life)
    life.give(told(first, Outcome.FAILED, reason="bad_address"))
    second = sent(life)[1]
    assert second.channel == "sms"
    assert second.codes == first.codes
    assert life.of(Settle) == []
    life.give(told(second, Outcome.FAILED, reason="rejected"))
    assert states(life) == [(first.codes[0].draw, CodeState.FREE)]


def test_a_channel_that_fails_does_not_take_the_code_from_the_other():
    send = a_send("offer", coupon="cart10", channels=("log", "email"), mode=SendMode.EACH_OF)
    life = a_life(a_workflow(steps=[send], exits=()), event_clock=False)
    life.event()
    one, other = sent(life)
    life.give(told(one, Outcome.FAILED, reason="rejected"))
    assert life.of(Settle) == []
    life.give(told(other, Outcome.ACCEPTED))
    assert [state for _, state in states(life)] == [CodeState.ISSUED]


@pytest.mark.parametrize(
    ("outcome", "state_after", "kept"),
    [
        (Outcome.ACCEPTED, CodeState.ISSUED, ["AAA"]),
        (Outcome.DROPPED, CodeState.FREE, []),
    ],
)
def test_what_an_exit_calls_back_gives_its_code_back_if_it_comes_in_time(
    outcome, state_after, kept
):
    bought = Exit(id="purchased", pattern=on("order.placed"), when=None, outcome="converted")
    steps = [a_send("offer", "rest", coupon="cart10"), a_wait("rest", "24h", None)]
    life = a_life(a_workflow(steps=steps, exits=(bought,)), event_clock=False)
    life.event()
    [message] = sent(life)
    life.event("order.placed", at=HOUR)
    # Whether it is in time only those know who hold the message.
    assert [cancel.tell for cancel in life.of(Cancel)] == [True]
    assert life.of(Settle) == []
    life.give(told(message, outcome))
    assert [state for _, state in states(life)] == [state_after]
    assert [one.code for one in life.customer.codes] == kept


def test_a_code_that_ended_on_hold_is_replaced_before_the_message_goes():
    coupon = a_coupon(valid_for=2 * HOUR)
    life = a_life(offering(), coupon=coupon, event_clock=False)
    life.event()
    [message] = sent(life)
    late = DeliveryReport(message=message, outcome=Outcome.RETURNED, at=T0 + 3 * HOUR)
    life.give(late)
    effects = [e for e in life.effects if isinstance(e, Reserve | Settle)]
    assert [type(e) for e in effects] == [Reserve, Settle, Reserve]
    [requeued] = [e.message for e in life.effects if type(e).__name__ == "Requeue"]
    assert requeued.codes[0].ends_at == T0 + 5 * HOUR
    assert requeued.variables["coupon"]["expires_at"] == "2026-03-03T15:00:00Z"


def drawing(*after, **more):
    step = DrawCode(id="gift", next=after[0].id if after else None, coupon="cart10", **more)
    return a_workflow(steps=[step, *after], exits=())


def test_a_step_draws_a_code_that_later_steps_read():
    show = a_send("show", variables={"code": cel("steps.gift.code")})
    life = a_life(drawing(show, otherwise=None), event_clock=False)
    life.event()
    [message] = sent(life)
    assert message.variables["code"] == "AAA"
    life.give(told(message, Outcome.ACCEPTED))
    assert [state for _, state in states(life)] == [CodeState.ISSUED]


def test_a_step_that_finds_no_code_takes_its_other_way():
    workflow = drawing(otherwise="none")
    none = End(id="none", next=None, outcome="no_code")
    life = a_life(a_workflow(steps=[*workflow.steps.values(), none], exits=()), codes=[])
    life.event()
    [ended] = [e for e in life.of(JournalEntry) if e.kind is Kind.EXITED]
    assert ended.reason == "no_code"


def test_a_code_that_was_drawn_and_never_shown_goes_back_when_the_enrolment_ends():
    rest = a_wait("rest", "24h", None)
    life = a_life(drawing(rest, otherwise=None))
    life.event()
    assert life.of(Settle) == []
    life.tick(2 * DAY)
    assert [state for _, state in states(life)] == [CodeState.FREE]
    assert life.customer.codes == ()


def test_a_message_does_not_show_a_code_that_has_ended():
    steps = (
        a_wait("rest", "72h", "show"),
        a_send("show", variables={"code": cel("steps.gift.code")}),
    )
    coupon = a_coupon(valid_for=2 * DAY)
    life = a_life(drawing(*steps, otherwise=None), coupon=coupon)
    life.event()
    life.tick(4 * DAY)
    assert sent(life) == []
    [dropped] = [e for e in life.of(JournalEntry) if e.kind is Kind.DROPPED]
    assert (dropped.reason, dropped.values["why"]) == ("no_coupon", "ended")


def test_every_round_of_a_repetition_draws_a_code_of_its_own():
    again = Repeat(id="again", next=None, body="offer", every=cel('duration("24h")'), limit=2)
    steps = [again, a_send("offer", "again", coupon="cart10")]
    life = a_life(a_workflow(steps=steps, exits=()))
    life.event()
    life.tick(2 * DAY)
    assert [message.variables["coupon"]["code"] for message in sent(life)] == ["AAA", "BBB"]


def test_a_code_that_has_left_is_an_event_that_workflows_start_on():
    reminding = a_workflow(
        "reminding",
        trigger=EventTrigger(pattern=on("coupon.issued")),
        steps=[a_send("remind", variables={"code": cel("trigger.code")})],
        exits=(),
    )
    life = a_life(offering(), reminding, event_clock=False)
    life.event()
    [offer] = sent(life)
    life.give(told(offer, Outcome.ACCEPTED))
    assert sent(life)[1].variables["code"] == "AAA"


@pytest.mark.parametrize(
    ("event_type", "data", "pool"),
    [
        ("coupon.used", {"code": "AAA", "coupon_id": "cart10"}, "cart10"),
        ("coupon.used", {"code": "AAA"}, ""),
        ("order.placed", {"coupon_codes": ["AAA"]}, ""),
    ],
)
def test_a_code_that_was_used_is_known_as_used(event_type, data, pool):
    life = a_life(offering())
    life.event()
    life.event(event_type, at=DAY, **data)
    assert life.of(Redeem) == [Redeem(code="AAA", pool=pool, at=T0 + DAY)]
    assert life.customer.codes[0].used_at == T0 + DAY


def test_codes_are_forgotten_when_nothing_can_ask_about_them():
    life = a_life(offering())
    life.event()
    life.tick(401 * DAY)
    assert life.customer.codes == ()


def pattern_of(life):
    return sent(life)[0].variables["coupon"]["code"]


def test_a_pattern_makes_the_same_code_again_for_the_same_enrolment():
    coupon = a_coupon(imported_pool=None, pattern="CART-{random:8}")
    lives = [a_life(offering(), coupon=coupon) for _ in range(2)]
    for life in lives:
        life.event()
    assert pattern_of(lives[0]) == pattern_of(lives[1])
    assert re.fullmatch(f"CART-[{ALPHABET}]{{8}}", pattern_of(lives[0]))
    assert lives[0].of(Reserve)[0].drawn.pool == "pattern:cart10"


def test_who_knows_the_rules_and_not_the_salt_cannot_tell_the_code():
    coupon = a_coupon(imported_pool=None, pattern="CART-{random:8}")
    codes = set()
    for salt in ("ours", "theirs"):
        life = Life(offering(), coupons={"cart10": coupon}, facts={"salt": salt})
        life.event()
        codes.add(pattern_of(life))
    assert len(codes) == 2


def test_a_pattern_makes_another_code_where_somebody_has_the_first():
    coupon = a_coupon(imported_pool=None, pattern="CART-{random:8}")
    life = a_life(offering(), coupon=coupon)
    life.event()
    first = pattern_of(life)
    known = frozenset({("pattern:cart10", first)})
    again = Life(offering(), coupons={"cart10": coupon}, facts={"known_codes": known})
    again.event()
    assert pattern_of(again) not in {first, ""}


def test_signs_that_look_alike_are_in_no_code():
    assert not set("0O1I") & set(ALPHABET)
    text = "".join(
        code for number in range(50) for code in [*made_codes("{random:24}", "", f"{number}")][:1]
    )
    assert set(text) == set(ALPHABET)


def test_the_customer_has_the_codes_of_the_visitor_that_they_were():
    life = a_life(offering(), customer=a_customer("visitor"))
    life.event(customer="visitor")
    visitor = life.customer
    assert [one.code for one in visitor.codes] == ["AAA"]
    known = a_life(offering())
    known.give(Merge(customer=visitor, at=T0 + HOUR))
    assert [one.code for one in known.customer.codes] == ["AAA"]
