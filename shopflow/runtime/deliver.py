"""From the outbox to the channels: each channel has a lane for every sender, and shares its hands.

What a lane does with a message is its own; here it is begun, stopped, and taken back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace

from shopflow.channel import OnUncertain
from shopflow.runtime.breakers import Breakers
from shopflow.runtime.carrier import Carrier, Delivery
from shopflow.runtime.hands import Hands
from shopflow.runtime.lane import Common, Lane
from shopflow.runtime.retry import Rest
from shopflow.runtime.scribe import Scribe
from shopflow.store.records import Recovered

#: Seconds between two looks of the breakers.
BREAKERS = 5.0


class Desk:
    """One channel: its lanes and what they share."""

    def __init__(self, carrier: Carrier, delivery: Delivery) -> None:
        self._carrier = carrier
        self._delivery = delivery
        self._owner = f"{delivery.owner}:{carrier.name}"
        hands = Hands(carrier.slots)
        self._scribe = Scribe(
            delivery.store.outbox,
            delivery.write,
            self._owner,
            note_sent=delivery.note_sent,
            in_hand=lambda: hands.busy,
        )
        self._common = Common(
            scribe=self._scribe,
            hands=hands,
            rest=Rest(delivery.retry, time.monotonic),
            owner=self._owner,
        )
        self.lanes = [Lane(carrier, outlet, delivery, self._common) for outlet in carrier.outlets]
        workflows = delivery.envelopes.ruleset.workflows
        self._breakers = Breakers(delivery.store, [carrier], workflows)
        self._looked_at_attempts = 0

    def recover(self) -> Recovered:
        """What this owner had in its hands is taken back; for where the store is called."""
        return self._delivery.store.outbox.recover(
            now=self._delivery.clock(), resend=self._delivery.resend, owner=self._owner
        )

    async def run(self) -> None:
        """Delivers until stopped; then nothing is left in hand."""
        try:
            async with asyncio.TaskGroup() as helpers:
                scribe = helpers.create_task(self._scribe.run())
                breakers = helpers.create_task(self._watch())
                async with asyncio.TaskGroup() as group:
                    for lane in self.lanes:
                        group.create_task(lane.run())
                await self._delivery.write(self.recover)
                await self._look_at_breakers()
                scribe.cancel()
                breakers.cancel()
        finally:
            await self._carrier.channel.aclose()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(BREAKERS)
            await self._look_at_breakers()

    async def _look_at_breakers(self) -> None:
        # A replay's hours are not those in which it runs.
        replayed = self._delivery.envelopes.event_clock
        if replayed or self._common.attempts == self._looked_at_attempts:
            return
        self._looked_at_attempts = self._common.attempts
        await self._delivery.write(lambda: self._breakers.look(self._delivery.clock()))


class Deliverer:
    """All channels of one process."""

    def __init__(self, carriers: Mapping[str, Carrier], delivery: Delivery) -> None:
        self.clock = delivery.clock
        resend = (one.name for one in carriers.values() if one.on_uncertain is OnUncertain.RESEND)
        delivery = replace(delivery, resend=frozenset(resend))
        self._desks = [Desk(carrier, delivery) for carrier in carriers.values()]
        self._lanes = [lane for desk in self._desks for lane in desk.lanes]

    @property
    def active(self) -> int:
        """Messages in hand."""
        return sum(lane.active for lane in self._lanes)

    @property
    def is_idle(self) -> bool:
        """True when no channel found anything that may go."""
        return all(lane.is_idle for lane in self._lanes)

    @property
    def has_more(self) -> bool:
        """True when a channel has found more than it can take at a time."""
        return any(lane.has_more for lane in self._lanes)

    def recover(self) -> list[Recovered]:
        """What a dead predecessor had in its hands is taken back; for where the store is called."""
        return [desk.recover() for desk in self._desks]

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
            for desk in self._desks:
                group.create_task(desk.run())
