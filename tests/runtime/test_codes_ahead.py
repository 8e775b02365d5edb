"""Codes taken ahead by processes that decide: enough for each batch, and never one for two."""

from __future__ import annotations

import json

from support.engine import DAY, T0, a_ruleset, a_send, a_wait, a_workflow

from shopflow.domain.coupon import (
    CodeState,
    Coupon,
    CouponType,
    DrawnCode,
    Reserve,
    WhenExhausted,
)
from shopflow.domain.event import DeliveryReport, Facts, Outcome
from shopflow.engine import Rulebook
from shopflow.runtime.answers import Taken
from shopflow.runtime.codes import DRY, FEWEST, HELD, CodesAhead
from shopflow.runtime.ingest import Ingest
from shopflow.runtime.process import Entry, Processor, Stream
from shopflow.runtime.workset import Rules
from shopflow.store.codes import NewCode
from shopflow.store.memory import MemoryStore
from shopflow.store.memory_batch import MemoryBatch
from shopflow.store.records import Begun, Settled

POOL = Coupon(id="cart10", type=CouponType.PERCENT, value=10.0, imported_pool="cart10")
SCHEMAS = {"cart.updated": {"type": "object"}, "order.placed": {"type": "object"}}


class Clock:
    """The time on the wall, moved by hand."""

    def __init__(self):
        self.now = T0

    def __call__(self):
        return self.now


class Shop:
    """A process that decides; several may share a store."""

    def __init__(self, store=None, coupon=POOL, name="test", clock=None, steps=None):
        self.store = store or MemoryStore()
        self.clock = clock or Clock()
        ingest = Ingest(SCHEMAS)
        self.codes = CodesAhead(self.store.codes, self.clock)
        offer = a_workflow(steps=steps or [a_send("offer", coupon=coupon.id)])
        rules = Rules(
            rulebook=Rulebook(a_ruleset(offer, coupons={coupon.id: coupon})),
            facts=Facts(),
            secrets=ingest.secrets,
            codes=self.codes,
        )
        self.processor = Processor(self.store, rules, ingest)
        self.stream = Stream(name, self.store.take_over(name).epoch)
        self.read = 0

    def take(self, *customers, event="cart.updated", event_id="e"):
        at = self.clock.now.isoformat()
        raws = [
            json.dumps(
                {
                    "id": f"{event_id}-{customer}",
                    "type": event,
                    "occurred_at": at,
                    "customer_id": customer,
                    "data": {},
                }
            )
            for customer in customers
        ]
        entries = [Entry(raw.encode(), str(self.read + n)) for n, raw in enumerate(raws, 1)]
        self.read += len(entries)
        answers = self.processor.take(self.stream, entries, now=self.clock.now)
        return [answer.taken for answer in answers]

    def fill(self, count, prefix="C"):
        codes = (NewCode(f"{prefix}{number:05}") for number in range(count))
        self.store.codes.add("cart10", codes, now=self.clock.now)

    @property
    def shown(self):
        """Customer -> the code that the message shows."""
        messages = [stored.message for stored in self.store.views.messages(limit=100_000)]
        return {
            one.customer_id: one.variables["coupon"]["code"] if "coupon" in one.variables else None
            for one in messages
        }

    def states(self):
        [status] = self.store.codes.pools(now=self.clock.now)
        return dict(status.counts)


def people(count, prefix="p"):
    return [f"{prefix}{number:05}" for number in range(count)]


def test_a_batch_that_needs_more_codes_than_are_in_hand_gets_them():
    shop = Shop()
    shop.fill(1_000)
    assert set(shop.take(*people(400))) == {Taken.ACCEPTED}
    assert len(set(shop.shown.values()) - {None}) == 400
    assert shop.states()[CodeState.RESERVED] == 400


def test_the_last_codes_go_out_and_the_rest_goes_without():
    shop = Shop()
    shop.fill(10)
    shop.take(*people(25))
    shown = list(shop.shown.values())
    assert shown.count(None) == 15
    assert len(set(shown)) == 11


def test_a_pool_that_was_filled_again_is_asked_again():
    shop = Shop()
    shop.take("anna")
    shop.fill(5)
    shop.clock.now += DRY
    shop.take("ben")
    assert (shop.shown["anna"], shop.shown["ben"]) == (None, "C00000")


def test_what_is_in_hand_for_too_long_is_not_used():
    clock = Clock()
    ours = Shop(clock=clock)
    ours.fill(FEWEST)
    ours.take("anna")
    clock.now += HELD
    theirs = Shop(store=ours.store, name="other", clock=clock)
    theirs.take("ben")
    ours.take("carl")
    assert len(set(ours.shown.values())) == 3


def test_a_process_whose_codes_were_taken_over_decides_again_with_others():
    clock, late = Clock(), Clock()
    ours = Shop(clock=clock)
    ours.fill(3 * FEWEST)
    ours.take("anna")
    # The clock of the other machine is far ahead, so that it believes that our time is over.
    late.now += DAY
    theirs = Shop(store=ours.store, name="other", clock=late)
    theirs.take(*people(2 * FEWEST))
    assert ours.take(*people(5, "q")) == [Taken.ACCEPTED] * 5
    shown = [code for code in ours.shown.values() if code is not None]
    assert len(set(shown)) == len(shown)


def test_what_a_process_did_not_use_is_free_when_it_ends():
    shop = Shop()
    shop.fill(FEWEST)
    shop.take("anna")
    shop.codes.give_back()
    other = Shop(store=shop.store, name="other", clock=shop.clock)
    other.take(*people(FEWEST))
    assert list(other.shown.values()).count(None) == 1


def test_what_an_exit_stopped_in_time_is_free_again():
    rest = a_wait("rest", "24h", None)
    steps = [a_send("offer", "rest", coupon="cart10"), rest]
    shop = Shop(steps=steps)
    shop.fill(1)
    shop.take("anna")
    assert shop.states() == {CodeState.RESERVED: 1}
    shop.take("anna", event="order.placed", event_id="bought")
    assert shop.states() == {CodeState.FREE: 1}


def test_what_left_before_the_exit_stays_with_its_customer():
    rest = a_wait("rest", "24h", None)
    steps = [a_send("offer", "rest", coupon="cart10"), rest]
    shop = Shop(steps=steps)
    shop.fill(1)
    shop.take("anna")
    [leased] = shop.store.outbox.lease(
        "log", limit=1, now=shop.clock.now, owner="deliverer", lease_for=HELD
    )
    begun = Begun(leased.message.id, shop.clock.now)
    shop.store.outbox.record(owner="deliverer", begun=[begun])
    shop.take("anna", event="order.placed", event_id="bought")
    assert shop.states() == {CodeState.RESERVED: 1}
    report = DeliveryReport(message=leased.message, outcome=Outcome.ACCEPTED, at=shop.clock.now)
    shop.store.outbox.record(owner="deliverer", settled=[Settled(report=report)])
    shop.processor.hear(shop.clock.now, shop.stream)
    assert shop.states() == {CodeState.ISSUED: 1}


def test_a_pattern_whose_code_somebody_has_makes_another():
    coupon = Coupon(id="cart10", type=CouponType.GIFT, pattern="{random:6}")
    first = Shop(coupon=coupon)
    first.take("anna")
    code = first.shown["anna"]
    # The same customer in a shop where that code is somebody else's.
    second = Shop(coupon=coupon)
    taken = DrawnCode(
        draw="another",
        coupon="cart10",
        pool="pattern:cart10",
        code=code,
        enrolment_id="enrolment",
        at=T0,
    )
    with second.store.transaction() as batch:
        batch.change_codes([Reserve(drawn=taken, customer_id="zoe")], owner="")
    assert second.take("anna") == [Taken.ACCEPTED]
    assert second.shown["anna"] not in {None, code}


def test_a_message_that_must_not_go_without_a_code_does_not():
    coupon = Coupon(
        id="cart10",
        type=CouponType.GIFT,
        imported_pool="cart10",
        when_exhausted=WhenExhausted.DROP_MESSAGE,
    )
    shop = Shop(coupon=coupon)
    shop.fill(1)
    shop.take("anna", "ben")
    assert list(shop.shown) == ["anna"]


def test_codes_that_a_batch_could_not_keep_are_used_by_the_next(monkeypatch):
    shop = Shop()
    shop.fill(1)
    save, broken = MemoryBatch.save, []

    def save_once_broken(batch, customers):
        if not broken:
            broken.append(True)
            raise ValueError
        save(batch, customers)

    monkeypatch.setattr(MemoryBatch, "save", save_once_broken)
    shop.take("anna", "ben")
    assert [code for code in shop.shown.values() if code is not None] == ["C00000"]
