"""From the outbox to the channels: lease, check once more, render, attempt, keep the receipt.

The engine decides what follows from a receipt; when to try again is decided here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from shopflow import channel as outside
from shopflow.channel import OnUncertain, Receipt
from shopflow.domain.customer import Customer
from shopflow.domain.event import DeliveryReport, Outcome
from shopflow.domain.message import Message
from shopflow.errors import ChannelError, FailureReason
from shopflow.runtime.envelope import Envelopes, Mode, Withheld
from shopflow.runtime.faults import place_of
from shopflow.runtime.retry import Rest, RetryPolicy
from shopflow.runtime.scribe import Scribe, Write
from shopflow.store.protocol import Store
from shopflow.store.records import LeasedMessage, Recovered, Retry, Settled

log = logging.getLogger("shopflow.deliver")

#: How long a lease lasts; longer than a slow server takes for the messages of one lease.
LEASE = timedelta(minutes=15)
#: Messages leased for each slot, so that slots need not wait for the store.
LEASED_PER_SLOT = 8
#: How often an idle channel looks for messages whose time has come, in seconds.
LOOK = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """A channel with what the deliverer has to know of it."""

    name: str
    channel: outside.Channel
    #: Messages in its hands at a time.
    slots: int = 4
    on_uncertain: OnUncertain
    #: Of one message, in the project's currency.
    cost: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What all channels of one deliverer share."""

    store: Store
    envelopes: Envelopes
    #: Runs calls of the store.
    write: Write
    clock: Callable[[], datetime]
    #: The same after a restart, so that what a killed process held is known at once.
    owner: str
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    #: Channels that repeat what was begun and never answered.
    resend: frozenset[str] = frozenset()


class Lane:
    """One channel's messages on their way out."""

    def __init__(self, carrier: Carrier, delivery: Delivery) -> None:
        self._carrier = carrier
        self._delivery = delivery
        self._store = delivery.store
        self._owner = f"{delivery.owner}:{carrier.name}"
        self._scribe = Scribe(delivery.store.outbox, delivery.write, self._owner)
        self._rest = Rest(policy=delivery.retry)
        self._news = asyncio.Event()
        self._stopping = False
        #: Messages in hand.
        self.active = 0
        #: The last look found nothing that may go.
        self.is_idle = False

    def recover(self) -> Recovered:
        """What this lane had in its hands is taken back; for where the store is called."""
        return self._store.outbox.recover(
            now=self._delivery.clock(), resend=self._delivery.resend, owner=self._owner
        )

    def wake(self) -> None:
        """There may be new messages."""
        self._news.set()

    def stop(self) -> None:
        """No further attempt is begun; those under way get their receipt."""
        self._stopping = True
        self._news.set()

    async def run(self) -> None:
        """Delivers until stopped; then nothing is left in hand."""
        scribe = asyncio.create_task(self._scribe.run())
        try:
            while not self._stopping:
                await self._round()
            await self._delivery.write(self.recover)
        finally:
            scribe.cancel()
            await asyncio.gather(scribe, return_exceptions=True)
            await self._carrier.channel.aclose()

    async def _round(self) -> None:
        self._news.clear()
        leased, customers = await self._delivery.write(self._lease)
        self.is_idle = not leased
        if not leased:
            await self._wait(LOOK)
            return
        self.active = len(leased)
        try:
            waiting = iter([(one, customers.get(one.message.customer_id)) for one in leased])
            async with asyncio.TaskGroup() as group:
                for _ in range(self._carrier.slots):
                    group.create_task(self._slot(waiting))
        finally:
            self.active = 0
        if self._rest.is_due and not self._stopping:
            # What was leased and not begun goes back, so that nothing is stuck meanwhile.
            await self._delivery.write(self.recover)
            await self._pause(self._rest.take().total_seconds())

    def _lease(self) -> tuple[list[LeasedMessage], Mapping[str, Customer]]:
        leased = self._store.outbox.lease(
            self._carrier.name,
            limit=self._carrier.slots * LEASED_PER_SLOT,
            now=self._delivery.clock(),
            owner=self._owner,
            lease_for=LEASE,
        )
        customers = self._store.views.customers(
            dict.fromkeys(one.message.customer_id for one in leased)
        )
        return leased, {str(key): customer for key, customer in customers.items()}

    async def _slot(self, waiting: Iterator[tuple[LeasedMessage, Customer | None]]) -> None:
        for leased, customer in waiting:
            if self._stopping or self._rest.is_due:
                return
            ready = self._delivery.envelopes.fill(leased, customer, self._delivery.clock())
            if isinstance(ready, Withheld):
                await self._scribe.record(self._settled(leased, ready.outcome, ready.reason))
            elif await self._scribe.begin(leased.message.id, self._delivery.clock()):
                receipt = await self._attempt(ready)
                self._rest.note(receipt)
                await self._scribe.record(self._word(leased, receipt))

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

    def _word(self, leased: LeasedMessage, receipt: Receipt) -> Settled | Retry:
        if receipt.outcome is outside.Outcome.ACCEPTED:
            return self._settled(leased, Outcome.ACCEPTED, "", receipt.provider_id)
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
        message: Message = leased.message
        accepted = outcome is Outcome.ACCEPTED
        return Settled(
            report=DeliveryReport(
                # Its values, which may be secret, have served once it has left.
                message=replace(message, variables={}) if accepted else message,
                outcome=outcome,
                # In a replay word comes at the instant of the decision: the clock is the events'.
                at=message.decided_at
                if self._delivery.envelopes.event_clock
                else self._delivery.clock(),
                reason=reason,
            ),
            provider_id=provider_id,
            cost=self._carrier.cost if accepted else Decimal(0),
        )

    async def _wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._news.wait(), seconds)
        except TimeoutError:
            return

    async def _pause(self, seconds: float) -> None:
        """Waits for the channel to come back; new messages do not cut it short, stopping does."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not self._stopping and (left := deadline - asyncio.get_running_loop().time()) > 0:
            self._news.clear()
            await self._wait(left)


class Deliverer:
    """All channels of one process."""

    def __init__(self, carriers: Mapping[str, Carrier], delivery: Delivery) -> None:
        self.clock = delivery.clock
        resend = (one.name for one in carriers.values() if one.on_uncertain is OnUncertain.RESEND)
        delivery = replace(delivery, resend=frozenset(resend))
        self._lanes = [Lane(carrier, delivery) for carrier in carriers.values()]

    @property
    def active(self) -> int:
        """Messages in hand."""
        return sum(lane.active for lane in self._lanes)

    @property
    def is_idle(self) -> bool:
        """True when no channel found anything that may go."""
        return all(lane.is_idle for lane in self._lanes)

    def recover(self) -> list[Recovered]:
        """What a dead predecessor had in its hands is taken back; for where the store is called."""
        return [lane.recover() for lane in self._lanes]

    def wake(self) -> None:
        """There may be new messages."""
        for lane in self._lanes:
            lane.wake()

    def stop(self) -> None:
        """No further attempt is begun; those under way get their receipt."""
        for lane in self._lanes:
            lane.stop()

    async def run(self) -> None:
        """Delivers on every channel until stopped."""
        async with asyncio.TaskGroup() as group:
            for lane in self._lanes:
                group.create_task(lane.run())
