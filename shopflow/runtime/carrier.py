"""What the deliverer is given: channels with what it has to know of them, and what they share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from shopflow import channel as outside
from shopflow import plugins
from shopflow.channel import OnUncertain
from shopflow.domain.customer import Customer
from shopflow.domain.ids import MessageId
from shopflow.domain.message import Message
from shopflow.lang.project import Project
from shopflow.runtime.envelope import Envelopes, Withheld
from shopflow.runtime.meter import Meter
from shopflow.runtime.pacing import Outlet, outlets_of
from shopflow.runtime.retry import RetryPolicy
from shopflow.runtime.scribe import Write
from shopflow.store.protocol import Store
from shopflow.store.records import Fence, LeasedMessage, Retry, Settled


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
    #: Its senders, each with a line of its own.
    outlets: tuple[Outlet, ...] = field(default_factory=lambda: outlets_of({}))
    #: How many workers may deliver on it at a time.
    deliverers: int = 1


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
    #: Set where others may take the delivering over.
    fence: Fence | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    #: Channels that repeat what was begun and never answered.
    resend: frozenset[str] = frozenset()
    meter: Meter = field(default_factory=Meter)
    #: Keeps the keys of what left, outside of the database.
    note_sent: Callable[[Sequence[Settled | Retry]], None] = field(default=lambda _: None)
    #: Which messages go to suppressed addresses.
    stopped: Callable[[Sequence[Message]], Collection[MessageId]] = field(default=lambda _: ())

    async def filled(
        self, leased: LeasedMessage, customer: Customer | None
    ) -> outside.Message | Withheld:
        """The message as it leaves; while it has to look something up, the others go on."""
        envelopes, now = self.envelopes, self.clock()
        if envelopes.looks_up(leased.message):
            return await self.write(lambda: envelopes.fill(leased, customer, now))
        return envelopes.fill(leased, customer, now)

    def recipients(self, messages: Sequence[Message]) -> list[Customer | None]:
        """Who each is for: nobody, where the address is suppressed or the person was erased."""
        # Here, where the store may be waited for; links are sealed where it may not.
        self.envelopes.links.keyring.read()
        customers = self.store.views.customers({one.customer_id for one in messages})
        stopped = self.stopped(messages)
        return [None if one.id in stopped else customers.get(one.customer_id) for one in messages]


def carriers_of(project: Project) -> dict[str, Carrier]:
    """The project's channels, built."""
    installed = plugins.find_channels()
    carriers = {}
    for name, settings in project.channels.items():
        channel = plugins.build(name, settings, installed)
        connections = settings.get("connections")
        wanted = settings.get("on_uncertain")
        deliverers = settings.get("deliverers")
        carriers[name] = Carrier(
            name=name,
            channel=channel,
            slots=connections if isinstance(connections, int) else 4,
            on_uncertain=OnUncertain(str(wanted)) if wanted else channel.on_uncertain,
            cost=Decimal(str(settings.get("cost", 0))),
            outlets=outlets_of(settings),
            deliverers=deliverers if isinstance(deliverers, int) else 1,
        )
    return carriers
