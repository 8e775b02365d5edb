"""From the outbox to a channel: attempts, receipts, retries, and what does not leave."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from datetime import timedelta

import pytest
from support.engine import DAY, HOUR, PURPOSES, T0, a_customer, a_ruleset

from shopflow.channel import FailureReason, OnUncertain, Receipt
from shopflow.domain.customer import Consent, ConsentState, SuppressionScope
from shopflow.domain.event import DeliveryReport, Outcome
from shopflow.domain.message import Message
from shopflow.domain.policy import MessageClass, Purpose
from shopflow.errors import ChannelError, StoreError, TemplateError
from shopflow.runtime.carrier import Carrier, Delivery
from shopflow.runtime.deliver import Deliverer
from shopflow.runtime.envelope import Envelopes, Mode
from shopflow.runtime.links import For, Keyring, Links, Subject
from shopflow.runtime.retry import RetryPolicy
from shopflow.store.memory import MemoryStore
from shopflow.store.records import Begun, DeliveryState, Pause
from shopflow.testing.recording import RecordingChannel

pytestmark = pytest.mark.anyio

LINKS = Links(
    keyring=Keyring(secrets=[b"test"]), base_url="https://shop.example", contact="stop@shop.example"
)
QUICK = RetryPolicy(first=timedelta(milliseconds=1), longest=timedelta(milliseconds=5))


class Templates:
    def render(self, name, _channel, locale, variables):
        if name == "broken":
            raise TemplateError("no variable 'x'")
        return {"subject": f"{name} {locale}", "text": str(variables.get("n", ""))}


class Post:
    """A memory store with messages in its outbox, and a recording channel for e-mail."""

    def __init__(self, *messages, customer=None, on_uncertain=OnUncertain.RESEND, **more):
        self.store = MemoryStore()
        self.channel = RecordingChannel()
        self.now = T0
        self.retry = more.pop("retry", QUICK)
        self.on_uncertain = on_uncertain
        self.slots = more.pop("slots", 2)
        self.envelopes = Envelopes(
            **{
                "ruleset": a_ruleset(),
                "templates": Templates(),
                "links": LINKS,
                "mode": Mode.LIVE,
                **more,
            }
        )
        with self.store.transaction() as batch:
            batch.save([customer or a_customer(consent=[("email", "cart_recovery")])])
            batch.queue(messages)

    def clock(self):
        # Time passes, so that a retry comes due.
        self.now += timedelta(milliseconds=1)
        return self.now

    def deliverer(self):
        carrier = Carrier(
            name="email",
            channel=self.channel,
            slots=self.slots,
            on_uncertain=self.on_uncertain,
        )
        delivery = Delivery(
            store=self.store,
            envelopes=self.envelopes,
            write=self.write,
            clock=self.clock,
            owner="test",
            retry=self.retry,
        )
        return Deliverer({"email": carrier}, delivery)

    async def write(self, call):
        await asyncio.sleep(0)
        return call()

    async def deliver(self):
        deliverer = self.deliverer()
        running = asyncio.create_task(deliverer.run())
        for _ in range(500):
            await asyncio.sleep(0.002)
            deliverer.wake()
            if not self.store.outbox.pending() or running.done():
                break
        deliverer.stop()
        await asyncio.wait_for(running, 5)

    @property
    def states(self):
        return {one.message.id: one.state for one in self.store.views.messages()}

    @property
    def sent(self):
        return [message.id for message in self.channel.messages]

    def reports(self):
        with self.store.transaction() as batch:
            return [given for _, given in batch.take_inbox(limit=100)]


def a_message(number=1, **more):
    defaults = {
        "id": f"m{number}",
        "customer_id": "anna",
        "enrolment_id": "n1",
        "workflow": "abandoned-cart",
        "version": 1,
        "digest": "d",
        "step": "reminder",
        "visit": 1,
        "channel": "email",
        "purpose": "cart_recovery",
        "message_class": MessageClass.MARKETING,
        "priority": 50,
        "template": "cart/reminder",
        "locale": "fr",
        "address": "anna@shop.example",
        "variables": {"n": number},
        "trigger_event_id": "e1",
        "decided_at": T0,
        "cursor_at": T0,
        "send_by": T0 + DAY,
    }
    return Message(**{**defaults, **more})


async def test_a_message_leaves_once_and_its_customer_is_told():
    post = Post(a_message())
    await post.deliver()
    (left,) = post.channel.messages
    assert left.content == {"subject": "cart/reminder fr", "text": "1"}
    assert (left.to, left.purpose, left.attempt) == ("anna@shop.example", "cart_recovery", 1)
    assert post.states == {"m1": DeliveryState.SENT}
    (report,) = post.reports()
    assert isinstance(report, DeliveryReport)
    assert report.outcome is Outcome.ACCEPTED
    assert not report.message.variables


async def test_many_messages_leave_each_once():
    post = Post(*(a_message(number) for number in range(100)), slots=7)
    await post.deliver()
    assert sorted(post.sent) == sorted(f"m{number}" for number in range(100))


async def test_marketing_carries_its_way_out_and_service_none():
    service = a_message(2, purpose="service", message_class=MessageClass.SERVICE)
    post = Post(a_message(1), service)
    await post.deliver()
    one, two = sorted(post.channel.messages, key=lambda message: message.id)
    token = one.unsubscribe_url.removeprefix("https://shop.example/u/")
    assert LINKS.verify(token) == Subject("anna", "email", "cart_recovery")
    assert one.unsubscribe_mailto.startswith("mailto:stop@shop.example?subject=")
    assert not two.unsubscribe_url + two.unsubscribe_mailto


def test_a_link_that_was_tampered_with_is_nobodys():
    token = LINKS.token(For.UNSUBSCRIBE, *Subject("anna", "email", "marketing"))
    payload, _, signature = token.partition(".")
    other = Links(keyring=Keyring(secrets=[b"other"])).token(
        For.UNSUBSCRIBE, *Subject("anna", "email", "marketing")
    )
    for wrong in (other, payload, "", "é.é", f"{payload[:-1]}A.{signature}", token + "x"):
        assert LINKS.verify(wrong) is None


async def test_a_failure_that_may_pass_is_tried_again_with_the_same_id():
    post = Post(a_message())
    down = Receipt.failed(FailureReason.CONNECTION, retryable=True)
    post.channel.answer_with([down, down, Receipt.failed(FailureReason.TIMEOUT, retryable=True)])
    await post.deliver()
    assert post.sent == ["m1"] * 4
    assert [message.attempt for message in post.channel.messages] == [1, 2, 3, 4]
    assert [report.outcome for report in post.reports()] == [Outcome.ACCEPTED]


async def test_a_failure_for_good_is_told_at_once_for_the_next_channel():
    post = Post(a_message())
    post.channel.answer_with([Receipt.failed(FailureReason.BAD_ADDRESS, retryable=False)])
    await post.deliver()
    (report,) = post.reports()
    assert (report.outcome, report.reason) == (Outcome.FAILED, "bad_address")
    assert report.message.variables == {"n": 1}
    assert post.states == {"m1": DeliveryState.FAILED}


async def test_attempts_come_to_an_end():
    post = Post(a_message(), retry=replace(QUICK, max_attempts=3))
    post.channel.answer_with([Receipt.failed(FailureReason.REJECTED, retryable=True)] * 9)
    await post.deliver()
    assert len(post.sent) == 3
    assert [report.outcome for report in post.reports()] == [Outcome.FAILED]


async def test_in_doubt_a_channel_that_recognises_repetitions_repeats():
    post = Post(a_message())
    post.channel.answer_with([Receipt.uncertain(FailureReason.TIMEOUT)])
    await post.deliver()
    assert post.sent == ["m1", "m1"]
    (stored,) = post.store.views.messages()
    assert (stored.state, stored.uncertain) == (DeliveryState.SENT, 1)


async def test_in_doubt_another_channel_holds():
    post = Post(a_message(), on_uncertain=OnUncertain.HOLD)
    post.channel.answer_with([Receipt.uncertain(FailureReason.TIMEOUT)])
    await post.deliver()
    assert post.sent == ["m1"]
    assert post.states == {"m1": DeliveryState.UNCERTAIN}
    assert [report.outcome for report in post.reports()] == [Outcome.UNCERTAIN]


async def test_a_plugin_that_raises_leaves_its_message_in_doubt_and_the_others_alone():
    class Broken(RecordingChannel):
        async def send(self, messages):
            if messages[0].id == "m1":
                raise ZeroDivisionError
            async for pair in super().send(messages):
                yield pair

    post = Post(a_message(1), a_message(2), on_uncertain=OnUncertain.HOLD)
    post.channel = Broken()
    await post.deliver()
    assert post.states == {"m1": DeliveryState.UNCERTAIN, "m2": DeliveryState.SENT}


async def test_a_channel_that_cannot_work_says_whether_it_will():
    class Shut(RecordingChannel):
        async def send(self, _messages):
            raise ChannelError(FailureReason.SETTINGS, retryable=False)
            yield

    post = Post(a_message())
    post.channel = Shut()
    await post.deliver()
    assert [report.reason for report in post.reports()] == ["settings"]


async def test_a_template_that_fails_hurts_its_own_message_only():
    post = Post(a_message(1, template="broken"), a_message(2))
    await post.deliver()
    assert post.sent == ["m2"]
    assert {r.message.id: (r.outcome, r.reason) for r in post.reports()} == {
        "m1": (Outcome.FAILED, "template"),
        "m2": (Outcome.ACCEPTED, ""),
    }


SERVICE = {"purpose": "service", "message_class": MessageClass.SERVICE}
GRANTED = [("email", "cart_recovery")]
NO_MARKETING = frozenset({("email", SuppressionScope.MARKETING)})
WITHDRAWN = {("email", "cart_recovery"): Consent(state=ConsentState.WITHDRAWN, at=T0)}


@pytest.mark.parametrize(
    ("customer", "message", "outcome", "reason"),
    [
        (a_customer(), {}, Outcome.DROPPED, "no_consent"),
        (replace(a_customer(), consents=WITHDRAWN), {}, Outcome.DROPPED, "no_consent"),
        (a_customer(), SERVICE, Outcome.ACCEPTED, ""),
        (
            replace(a_customer(consent=GRANTED), suppressions=NO_MARKETING),
            {},
            Outcome.DROPPED,
            "suppressed",
        ),
        (
            replace(a_customer(), suppressions=NO_MARKETING),
            SERVICE,
            Outcome.ACCEPTED,
            "",
        ),
        (
            replace(a_customer(), suppressions=frozenset({("", SuppressionScope.PERSON)})),
            SERVICE,
            Outcome.DROPPED,
            "suppressed",
        ),
        (a_customer("berta"), SERVICE, Outcome.DROPPED, "suppressed"),
        (a_customer(consent=GRANTED), {"send_by": T0 - HOUR}, Outcome.RETURNED, "stale"),
    ],
    ids=[
        "no consent", "withdrawn", "service needs none", "no marketing", "service passes",
        "erased", "gone", "too late",
    ],
)  # fmt: skip
async def test_the_last_check_before_a_message_leaves(customer, message, outcome, reason):
    post = Post(a_message(**message), customer=customer)
    await post.deliver()
    (report,) = post.reports()
    assert (report.outcome, report.reason) == (outcome, reason)
    assert bool(post.sent) == (outcome is Outcome.ACCEPTED)


async def test_in_a_sink_everything_is_rendered_and_nothing_leaves():
    post = Post(a_message(1), a_message(2, template="broken"), mode=Mode.SINK)
    await post.deliver()
    assert post.sent == []
    assert post.states == {"m1": DeliveryState.SENT, "m2": DeliveryState.FAILED}


async def test_an_allowlist_drops_every_other_address():
    post = Post(
        a_message(1), a_message(2, address="eve@elsewhere.example"), a_message(3, address=""),
        mode=Mode.ALLOWLIST, allowlist=["*@SHOP.example"],
    )  # fmt: skip
    await post.deliver()
    assert post.sent == ["m1"]
    assert {r.message.id: r.reason for r in post.reports() if r.reason} == {
        "m2": "not_allowed_here",
        "m3": "not_allowed_here",
    }


async def test_a_pause_keeps_messages_in_the_outbox():
    post = Post(a_message())
    post.store.pause(Pause(scope="channel:email", reason="storm", at=T0))
    deliverer = post.deliverer()
    running = asyncio.create_task(deliverer.run())
    await asyncio.sleep(0.02)
    deliverer.stop()
    await running
    assert post.states == {"m1": DeliveryState.QUEUED}


async def test_what_a_killed_deliverer_held_goes_again_and_is_marked():
    post = Post(a_message(1), a_message(2))
    lease = {"limit": 2, "now": T0, "owner": "test:email", "lease_for": HOUR}
    post.store.outbox.lease("email", **lease)
    post.store.outbox.record(owner="test:email", begun=[Begun("m1", T0)])
    (found,) = post.deliverer().recover()
    assert (found.requeued, [one.message.id for one in found.resent]) == (1, ["m1"])
    await post.deliver()
    assert sorted(post.sent) == ["m1", "m2"]
    doubtful = {one.message.id: one.uncertain for one in post.store.views.messages()}
    assert doubtful == {"m1": 1, "m2": 0}


async def test_stopping_waits_for_the_receipt_under_way_and_begins_nothing_more():
    class Slow(RecordingChannel):
        async def send(self, messages):
            await asyncio.sleep(0.05)
            async for pair in super().send(messages):
                yield pair

    post = Post(*(a_message(number) for number in range(9)), slots=2)
    post.channel = Slow()
    deliverer = post.deliverer()
    running = asyncio.create_task(deliverer.run())
    await asyncio.sleep(0.02)
    deliverer.stop()
    await running
    assert len(post.sent) == 2
    states = list(post.states.values())
    assert states.count(DeliveryState.SENT) == 2
    assert states.count(DeliveryState.QUEUED) == 7


def test_pauses_grow_differ_between_messages_and_are_the_same_in_every_run():
    policy = RetryPolicy()
    pauses = [policy.pause("m1", attempt).total_seconds() for attempt in range(1, 40)]
    assert pauses == [policy.pause("m1", attempt).total_seconds() for attempt in range(1, 40)]
    assert policy.pause("m1", 1) != policy.pause("m2", 1)
    assert 1.5 <= pauses[0] <= 2.5
    assert max(pauses) <= 1800 * 1.25
    assert policy.pause("m1", 10_000) <= timedelta(seconds=1800 * 1.25)


@pytest.mark.parametrize(("messages", "at"), [(60, 3), (60, 7), (4, 1), (4, 2), (1, 1), (1, 2)])
async def test_a_store_that_fails_ends_the_deliverer_at_whatever_commit(messages, at, monkeypatch):
    post = Post(*[a_message(n) for n in range(messages)], slots=4)
    record, commits = post.store.outbox.record, itertools.count(1)

    def failing(**words):
        if next(commits) >= at:
            raise StoreError("the disk is full")
        return record(**words)

    monkeypatch.setattr(post.store.outbox, "record", failing)
    with pytest.raises(BaseExceptionGroup) as raised:
        async with asyncio.timeout(5) as limit:
            await post.deliverer().run()
    assert not limit.expired()
    assert raised.group_contains(StoreError, match="disk is full")


async def test_templates_and_channels_know_our_pages_for_this_very_address():
    service = a_message(2, purpose="service", message_class=MessageClass.SERVICE)
    seen = []

    class Noting(Templates):
        def render(self, name, channel, locale, variables):
            seen.append(variables["links"])
            return super().render(name, channel, locale, variables)

    post = Post(a_message(1), service, templates=Noting())
    await post.deliver()
    for page in (For.CONFIRM, For.PREFERENCES):
        (url, _) = (links[page.name.lower()] for links in seen)
        opened = LINKS.open(page, url.rpartition("/")[2], now=post.now)
        assert opened.says == ["anna", "email", LINKS.fingerprint(a_message().address)]
    by_class = {one.message_class: one.preferences_url for one in post.channel.messages}
    assert by_class["service"] == ""
    assert by_class["marketing"].startswith("https://shop.example/p/")


@pytest.mark.parametrize("agreed", [True, False])
async def test_only_marketing_of_those_who_agreed_has_links_that_tell(agreed):
    class Pages(Templates):
        def render(self, *_):
            return {"html": '<body><a href="https://shop.example.org/lamp">Lamp</a></body>'}

    purposes = {**PURPOSES, "tracking": Purpose(id="tracking", message_class=MessageClass.TRACKING)}
    service = a_message(2, purpose="service", message_class=MessageClass.SERVICE)
    consent = [("email", "cart_recovery"), *([("email", "tracking")] if agreed else [])]
    post = Post(
        a_message(1),
        service,
        customer=a_customer(consent=consent),
        templates=Pages(),
        ruleset=a_ruleset(purposes=purposes),
    )
    await post.deliver()
    pages = {one.message_class: one.content["html"] for one in post.channel.messages}
    assert ("https://shop.example/r/" in pages["marketing"]) is agreed
    assert ("https://shop.example/o/" in pages["marketing"]) is agreed
    assert "shop.example/" not in pages["service"]
