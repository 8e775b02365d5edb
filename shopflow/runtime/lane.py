"""One sender's messages on their way out of one channel: lease, check once more, render, attempt.

The engine decides what follows from a receipt; when to try again is decided here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from shopflow import channel as outside
from shopflow.channel import OnUncertain, Receipt
from shopflow.domain.customer import Customer
from shopflow.domain.event import DeliveryReport, Outcome
from shopflow.domain.message import Message
from shopflow.domain.policy import MessageClass
from shopflow.errors import ChannelError, FailureReason
from shopflow.runtime.carrier import Carrier, Delivery
from shopflow.runtime.envelope import Mode, Withheld
from shopflow.runtime.faults import place_of
from shopflow.runtime.hands import Hands
from shopflow.runtime.meter import REFUSED
from shopflow.runtime.pacing import Outlet
from shopflow.runtime.retry import Rest
from shopflow.runtime.scribe import Scribe
from shopflow.store.delivery import TURN, covered
from shopflow.store.records import Begun, LeasedMessage, Pace, Retry, Settled

log = logging.getLogger("shopflow.deliver")

#: How long a lease lasts; longer than a slow server takes for the messages of one lease.
LEASE = timedelta(minutes=15)
#: Messages leased for each slot, so that slots need not wait for the store.
LEASED_PER_SLOT = 8
#: How often an idle channel looks for messages whose time has come, in seconds.
LOOK = 0.25
#: How often a busy one looks whether a pause has come, in seconds.
SWITCHES = 1.0
#: How far ahead of its turn a message is leased, and how late its own turn still counts.
AHEAD, LATE = timedelta(seconds=2), timedelta(seconds=10)
#: Turns further apart than AHEAD are waited for by a message in hand, if no further than this.
LONGEST_TURN = timedelta(minutes=1)


@dataclass(slots=True)
class Common:
    """What the lanes of one channel share."""

    scribe: Scribe
    hands: Hands
    rest: Rest
    owner: str
    #: The pauses that are on.
    scopes: frozenset[str] = frozenset()
    looked_at: float = 0.0
    #: Attempts that were made, so that breakers look only where something happened.
    attempts: int = 0


class _Item(NamedTuple):
    leased: LeasedMessage
    customer: Customer | None


class Lane:
    """One sender of one channel."""

    def __init__(
        self, carrier: Carrier, outlet: Outlet, delivery: Delivery, common: Common
    ) -> None:
        self._carrier = carrier
        self._outlet = outlet
        self._delivery = delivery
        self._store = delivery.store
        self._common = common
        self._urgent = MessageClass.SERVICE in outlet.classes
        self._sender = f"{carrier.name}/{outlet.name}"
        self._page = carrier.slots * LEASED_PER_SLOT
        self._leased: deque[_Item] = deque()
        self._busy = 0
        self._news = asyncio.Event()
        self._stopped = asyncio.Event()
        #: The last look found nothing that may go.
        self.is_idle = False
        #: The last look found more than it took.
        self.has_more = False

    @property
    def active(self) -> int:
        """Messages in hand."""
        return len(self._leased) + self._busy

    def wake(self) -> None:
        """There may be new messages."""
        self._news.set()

    def stop(self) -> None:
        """No further attempt is begun; those under way get their receipt."""
        self._stopped.set()
        self._news.set()

    async def run(self) -> None:
        """Delivers until stopped; then nothing is left in hand."""
        async with asyncio.TaskGroup() as slots:
            while not self._stopped.is_set():
                if self._common.rest.left:
                    # Nothing is stuck with a channel that cannot be reached.
                    await self._put_back()
                    await self._sleep(self._common.rest.left)
                elif len(self._leased) > self._page // 2:
                    # Some may have ended for a rest that is over.
                    self._begin_slots(slots)
                    self._news.clear()
                    await self._wait(SWITCHES)
                    await self._look_for_pauses()
                else:
                    await self._take(slots)
        await self._put_back()

    def _begin_slots(self, slots: asyncio.TaskGroup) -> None:
        for _ in range(min(self._carrier.slots - self._busy, len(self._leased))):
            self._busy += 1
            # Also for one that is cancelled before it has begun.
            slots.create_task(self._slot()).add_done_callback(self._slot_ended)

    def _slot_ended(self, _: asyncio.Task[None]) -> None:
        self._busy -= 1
        if not self.active:
            # Whether that was all is known by looking.
            self._news.set()

    async def _take(self, slots: asyncio.TaskGroup) -> None:
        self._news.clear()
        self._leased += (items := await self._delivery.write(self._lease))
        self._begin_slots(slots)
        self.is_idle = not self.active
        self.has_more = len(items) == self._page
        if not self.has_more:
            await self._wait(LOOK)

    def _lease(self) -> list[_Item]:
        now = self._delivery.clock()
        found: Sequence[LeasedMessage] = self._store.outbox.lease(
            self._carrier.name,
            limit=self._page,
            now=now,
            owner=self._common.owner,
            lease_for=LEASE,
            classes=self._outlet.classes,
            sender=self._outlet.name,
            pace=self._pace(now),
            fence=self._delivery.fence,
        )
        if found and self._outlet.domains and self._is_paced:
            found = self._spread(found, now)
        self._read_pauses()
        return [*map(_Item, found, self._delivery.recipients([one.message for one in found]))]

    @property
    def _is_paced(self) -> bool:
        # A rate is the receivers' wish, and nothing reaches them in a sink or a replay.
        envelopes = self._delivery.envelopes
        return envelopes.mode is not Mode.SINK and not envelopes.event_clock

    def _pace(self, now: datetime) -> Pace | None:
        if self._outlet.rate is None or not self._is_paced:
            return None
        distance = self._outlet.rate.distance_at(now)
        return Pace(self._sender, distance, max(AHEAD, min(distance, LONGEST_TURN)))

    def _spread(self, found: Sequence[LeasedMessage], now: datetime) -> list[LeasedMessage]:
        """Those whose recipient's domain takes them now; each other has a turn of its own later."""
        kept, later = [], []
        by_domain: dict[str, list[LeasedMessage]] = {}
        for one in found:
            domain = one.message.address.rpartition("@")[2].lower()
            if domain not in self._outlet.domains or (one.own_turn and now - one.own_turn < LATE):
                kept.append(one)
            else:
                by_domain.setdefault(domain, []).append(one)
        for domain, some in by_domain.items():
            pace = Pace(f"{self._sender}@{domain}", self._outlet.domains[domain].distance_at(now))
            turns = self._store.outbox.take_turns(pace, count=len(some), now=now)
            for one, turn in zip(some, turns, strict=True):
                if turn - now > AHEAD:
                    later.append(Retry(message_id=one.message.id, at=turn, reason=TURN))
                else:
                    kept.append(replace(one, turn=max(turn, one.turn or turn)))
        if later:
            self._store.outbox.record(owner=self._common.owner, retries=later)
        return kept

    def _read_pauses(self) -> None:
        now = time.monotonic()
        if now - self._common.looked_at > SWITCHES / 2:
            self._common.looked_at = now
            self._common.scopes = frozenset(one.scope for one in self._store.views.pauses())

    async def _look_for_pauses(self) -> None:
        if time.monotonic() - self._common.looked_at > SWITCHES / 2:
            await self._delivery.write(self._read_pauses)

    async def _slot(self) -> None:
        """Takes one message after the other until none is left."""
        words: list[Settled | Retry] = []
        while self._leased and not self._stopped.is_set() and not self._common.rest.left:
            item = self._leased.popleft()
            if len(self._leased) == self._page // 2:
                self._news.set()
            words = await self._one(item, words)
        if words:
            await self._common.scribe.note(words)

    async def _one(self, item: _Item, words: list[Settled | Retry]) -> list[Settled | Retry]:
        """What is still to be written down afterwards."""
        leased, customer = item
        note, message_id = self._common.scribe.note, leased.message.id
        if (wait := self._until(leased)) > 0:
            if words:
                await note(words)
                words = []
            await self._sleep(wait)
        if self._stopped.is_set() or self._common.rest.left or self._is_paused(leased):
            return [*words, self._back(leased)]
        ready = await self._delivery.filled(leased, customer)
        if isinstance(ready, Withheld):
            return [*words, self._settled(leased, ready.outcome, ready.reason)]
        if words and self._common.hands.are_full:
            await note(words)
            words = []
        async with self._common.hands.one(urgent=self._urgent):
            if self._stopped.is_set() or self._common.rest.left:
                return [*words, self._back(leased)]
            if not await note(words, Begun(message_id, self._delivery.clock())):
                return []
            receipt = await self._attempt(ready)
        self._common.attempts += 1
        self._common.rest.note(receipt)
        self._count(leased.message, receipt)
        return [self._word(leased, receipt)]

    def _until(self, leased: LeasedMessage) -> float:
        """Seconds until the message's turn."""
        if leased.turn is None:
            return 0.0
        return (leased.turn - self._delivery.clock()).total_seconds()

    def _is_paused(self, leased: LeasedMessage) -> bool:
        scopes = self._common.scopes
        return f"sender:{self._sender}" in scopes or covered(leased.message, scopes)

    def _back(self, leased: LeasedMessage) -> Retry:
        """It was not begun: it waits in the outbox as before."""
        at = leased.own_turn or self._delivery.clock()
        return Retry(message_id=leased.message.id, at=at, reason=TURN if leased.own_turn else "")

    async def _put_back(self) -> None:
        items, self._leased = self._leased, deque()
        if items:
            await self._common.scribe.note([self._back(item.leased) for item in items])

    async def _attempt(self, message: outside.Message) -> Receipt:
        if self._delivery.envelopes.mode is Mode.SINK:
            return Receipt.accepted(provider_id="sink")
        try:
            async for _, receipt in self._carrier.channel.send([message]):
                return receipt
        except ChannelError as e:
            return Receipt.failed(e.reason, retryable=e.retryable)
        except Exception as e:  # noqa: BLE001 - the job boundary: a plugin may raise anything
            log.error(  # noqa: TRY400 - a traceback may show a person's data
                "channel %s broke: %s", self._carrier.name, place_of(e)
            )
        # It did not say, so it may have left.
        return Receipt.uncertain(FailureReason.CONNECTION, detail="the channel gave no receipt")

    def _count(self, message: Message, receipt: Receipt) -> None:
        meter = self._delivery.meter
        if receipt.outcome is not outside.Outcome.ACCEPTED:
            reason = str(receipt.reason or receipt.outcome)
            meter.add(REFUSED, message.channel, reason)
            log.info(
                "an attempt was not accepted",
                extra={
                    "message_id": message.id,
                    "workflow": message.workflow,
                    "step": message.step,
                    "channel": message.channel,
                    "reason": reason,
                },
            )
        elif not self._delivery.envelopes.event_clock:
            meter.accepted(
                message.workflow,
                message.channel,
                str(message.message_class),
                decided_at=message.decided_at,
                at=self._delivery.clock(),
            )

    def _word(self, leased: LeasedMessage, receipt: Receipt) -> Settled | Retry:
        if receipt.outcome is outside.Outcome.ACCEPTED:
            # Its values, which may be secret, have served once it has left.
            left = replace(leased, message=replace(leased.message, variables=receipt.kept))
            return self._settled(left, Outcome.ACCEPTED, "", receipt.provider_id)
        message, reason = leased.message, str(receipt.reason or "")
        uncertain = receipt.outcome is outside.Outcome.UNCERTAIN
        again = self._carrier.on_uncertain is OnUncertain.RESEND if uncertain else receipt.retryable
        now = self._delivery.clock()
        age = timedelta() if self._delivery.envelopes.event_clock else now - message.decided_at
        if again and not self._delivery.retry.gives_up(leased.attempt, age):
            pause = self._delivery.retry.pause(message.id, leased.attempt)
            return Retry(message_id=message.id, at=now + pause, reason=reason, uncertain=uncertain)
        return self._settled(leased, Outcome.UNCERTAIN if uncertain else Outcome.FAILED, reason)

    def _settled(
        self, leased: LeasedMessage, outcome: Outcome, reason: str, provider_id: str = ""
    ) -> Settled:
        message = leased.message
        # In a replay word comes at the instant of the decision: the clock is the events'.
        replayed = self._delivery.envelopes.event_clock
        report = DeliveryReport(
            message=message,
            outcome=outcome,
            at=message.decided_at if replayed else self._delivery.clock(),
            reason=reason,
        )
        cost = self._carrier.cost if outcome is Outcome.ACCEPTED else Decimal(0)
        return Settled(report=report, provider_id=provider_id, cost=cost)

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            # Unlike `wait_for` of Python 3.11, this never loses a cancellation.
            async with asyncio.timeout(seconds):
                await self._news.wait()

    async def _sleep(self, seconds: float) -> None:
        """Nothing but stopping cuts it short."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
