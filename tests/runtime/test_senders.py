"""Several senders of one channel: each in its own lane, at its own rate, service before all."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, timedelta

import pytest
from support.engine import T0, a_customer, a_ruleset

from shopflow.channel import OnUncertain
from shopflow.domain.message import Message
from shopflow.domain.policy import MessageClass
from shopflow.runtime.carrier import Carrier, Delivery
from shopflow.runtime.deliver import Deliverer
from shopflow.runtime.envelope import Envelopes, Mode
from shopflow.runtime.hands import Hands
from shopflow.runtime.links import Keyring, Links
from shopflow.runtime.pacing import Rate, WarmUp, outlets_of
from shopflow.store.memory import MemoryStore
from shopflow.store.records import DeliveryState, Pause
from shopflow.testing.recording import RecordingChannel

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


class Templates:
    def render(self, name, _channel, _locale, _variables):
        return {"subject": name, "text": name}


class Timed(RecordingChannel):
    """Notes when each message came, by the clock of the test."""

    def __init__(self, clock, hold=0.0):
        super().__init__()
        self.clock, self.hold = clock, hold
        self.times = []

    async def send(self, messages):
        self.times.append((messages[0].id, self.clock()))
        if self.hold:
            await asyncio.sleep(self.hold)
        async for pair in super().send(messages):
            yield pair


class Office:
    """A memory store, an e-mail channel with senders, and a clock that runs as fast as told."""

    def __init__(self, *messages, speed=1.0, slots=2, hold=0.0, **senders):
        self.store = MemoryStore()
        self.speed = speed
        self.channel = Timed(self.clock, hold)
        self.begin = None
        with self.store.transaction() as batch:
            consent = [("email", "cart_recovery")]
            batch.save([a_customer(consent=consent)])
            batch.queue(messages)
        carrier = Carrier(
            name="email",
            channel=self.channel,
            slots=slots,
            on_uncertain=OnUncertain.RESEND,
            outlets=outlets_of({"senders": senders}),
        )
        envelopes = Envelopes(
            ruleset=a_ruleset(),
            templates=Templates(),
            links=Links(keyring=Keyring(secrets=[b"test"]), base_url="https://shop.example"),
            mode=Mode.LIVE,
        )
        delivery = Delivery(
            store=self.store,
            envelopes=envelopes,
            write=self.write,
            clock=self.clock,
            owner="test",
        )
        self.deliverer = Deliverer({"email": carrier}, delivery)

    def clock(self):
        now = asyncio.get_running_loop().time()
        self.begin = self.begin or now
        return T0 + timedelta(seconds=(now - self.begin) * self.speed)

    async def write(self, call):
        await asyncio.sleep(0)
        return call()

    async def until(self, condition):
        running = asyncio.create_task(self.deliverer.run())
        for _ in range(2000):
            await asyncio.sleep(0.005)
            if condition() or running.done():
                break
        self.deliverer.stop()
        await asyncio.wait_for(running, 5)
        assert condition()

    @property
    def order(self):
        return [message_id for message_id, _ in self.channel.times]


def a_message(message_id, message_class=MessageClass.MARKETING, **more):
    return Message(
        **{
            "id": message_id,
            "customer_id": "anna",
            "enrolment_id": "n1",
            "workflow": "abandoned-cart",
            "version": 1,
            "digest": "d",
            "step": "reminder",
            "visit": 1,
            "channel": "email",
            "purpose": "service" if message_class is MessageClass.SERVICE else "cart_recovery",
            "message_class": message_class,
            "priority": 50,
            "template": "cart/reminder",
            "locale": "fr",
            "address": "anna@shop.example",
            "trigger_event_id": "e1",
            "decided_at": T0,
            "cursor_at": T0,
            "send_by": T0 + 9 * DAY,
            **more,
        }
    )


def many(count, **more):
    return [a_message(f"m{number:03}", **more) for number in range(count)]


async def seen(condition):
    """Returns once the condition holds."""
    for _ in range(5000):
        if condition():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("it never came")


async def test_a_rate_spaces_its_senders_messages_and_leaves_service_alone():
    service = [a_message(f"s{number}", MessageClass.SERVICE) for number in range(5)]
    office = Office(*many(12), *service, marketing={"rate": "20/s"})
    await office.until(lambda: len(office.order) == 17)
    times = [at for message_id, at in office.channel.times if message_id[0] == "m"]
    # Evenly spaced by turn, the first of which is not before T0; one may be late, none is early.
    assert not [n for n, at in enumerate(times) if at < T0 + n * SECOND / 20]
    assert office.order[-1][0] == "m", "service did not wait for the last turn"


async def test_service_is_not_held_up_by_marketing_that_fills_every_hand():
    office = Office(*many(40), slots=2, hold=0.02)
    done = asyncio.create_task(office.until(lambda: len(office.order) == 41))
    await seen(lambda: len(office.order) >= 4)
    with office.store.transaction() as batch:
        batch.queue([a_message("reset", MessageClass.SERVICE)])
    before = len(office.order)
    office.deliverer.wake()
    await done
    # Those in hand at that moment, and one more round while the outbox is looked at.
    assert office.order.index("reset") - before <= 4


async def test_a_domain_has_its_own_rate_and_the_others_go_past_it():
    slow = many(6, address="anna@slow.example")
    fast = [a_message(f"f{number}") for number in range(6)]
    office = Office(*slow, *fast, speed=60, marketing={"domains": {"Slow.example": "20/min"}})
    await office.until(lambda: len(office.order) == 12)
    assert set(office.order[:8]) >= {f"f{number}" for number in range(6)}
    times = [at for message_id, at in office.channel.times if message_id[0] == "m"]
    assert times[-1] - times[0] >= 14 * SECOND
    attempts = {one.attempts for one in office.store.views.messages()}
    assert attempts == {1}, "waiting for a turn is no attempt"


async def test_in_a_sink_no_rate_is_kept():
    office = Office(*many(50), marketing={"rate": "1/h"})
    lanes = office.deliverer._lanes
    for lane in lanes:
        lane._delivery = replace(
            lane._delivery, envelopes=replace(lane._delivery.envelopes, mode=Mode.SINK)
        )
    sent = lambda: {one.state for one in office.store.views.messages()} == {DeliveryState.SENT}  # noqa: E731
    await office.until(sent)


async def test_a_pause_reaches_what_is_leased_already():
    office = Office(*many(30), slots=1, hold=0.1)
    running = asyncio.create_task(office.deliverer.run())
    await seen(lambda: office.order)
    office.store.pause(Pause(scope="marketing", reason="wrong price", at=T0))
    states = lambda: [one.state for one in office.store.views.messages()]  # noqa: E731
    await seen(lambda: not {DeliveryState.LEASED, DeliveryState.ATTEMPTED} & set(states()))
    left = len(office.order)
    assert states().count(DeliveryState.QUEUED) == 30 - left > 0
    office.deliverer.stop()
    await running
    assert len(office.order) == left


async def test_urgent_ones_take_the_next_free_hand():
    hands, order = Hands(1), []

    async def work(name, *, urgent):
        async with hands.one(urgent=urgent):
            order.append(name)
            await asyncio.sleep(0)

    async with hands.one(urgent=False):
        tasks = [asyncio.create_task(work(f"m{n}", urgent=False)) for n in range(3)]
        await asyncio.sleep(0)
        tasks += [asyncio.create_task(work(f"s{n}", urgent=True)) for n in range(2)]
        await asyncio.sleep(0)
        assert hands.are_full
        tasks[0].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == ["s0", "s1", "m1", "m2"]
    assert not hands.are_full


async def test_a_hand_given_to_one_who_was_cancelled_is_passed_on():
    hands = Hands(1)
    async with hands.one(urgent=False):
        gone = asyncio.create_task(hands.one(urgent=False).__aenter__())
        await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    assert not hands.are_full


def test_a_young_sender_sends_twice_as_much_each_day_until_its_rate():
    rate = Rate.parse("20/s", WarmUp(since=date(2026, 3, 1), first_day=500))
    first = T0.replace(year=2026, month=3, day=1)
    per_day = [DAY // rate.distance_at(first + day * DAY) for day in (0, 1, 2, 30)]
    assert per_day == [500, 1000, 2000, 20 * 86_400]
    assert rate.distance_at(first - DAY) == rate.distance_at(first)


def test_classes_without_a_sender_share_one():
    outlets = outlets_of({"senders": {"service": {}, "marketing": {"rate": "300/min"}}})
    shared = {one.name: {str(each) for each in one.classes} for one in outlets}
    assert shared == {
        "service": {"service", "internal", "tracking"},
        "marketing": {"marketing", "relationship"},
    }
    assert [one.rate for one in outlets_of({})] == [None, None]
