"""What deliverers may ask of a store, and what breakers look at; see `shopflow.store.protocol`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from shopflow.domain.ids import MessageId
from shopflow.domain.policy import MessageClass
from shopflow.store.records import (
    Begun,
    Fence,
    HourOfSends,
    LatestSends,
    LeasedMessage,
    Pace,
    Recovered,
    Retry,
    Settled,
)


class Outbox(Protocol):
    """The delivery side: each call is a transaction of its own, committed when it returns."""

    def lease(
        self,
        channel: str,
        *,
        limit: int,
        now: datetime,
        owner: str,
        lease_for: timedelta,
        classes: Collection[MessageClass] | None = None,
        sender: str = "",
        pace: Pace | None = None,
        fence: Fence | None = None,
    ) -> list[LeasedMessage]:
        """Messages of the channel that may go now, each in one owner's hands only.

        Service first, then by class and priority, then the oldest decision; with `classes`, only
        theirs, sent by the sender of that name. With a pace, no more than it has turns for, each
        with its turn. What a pause covers stays queued. A message past its `send_by` is among
        them: it is to be handed back.

        Raises:
            Conflict: Another has taken over what the fence names, and has looked already what this
                owner had in its hands; nothing was leased.
        """

    def take_turns(self, pace: Pace, *, count: int, now: datetime) -> list[datetime]:
        """The next turns of the pace, however far ahead; nobody else is given them."""

    def record(
        self,
        *,
        owner: str,
        settled: Sequence[Settled] = (),
        retries: Sequence[Retry] = (),
        begun: Sequence[Begun] = (),
    ) -> set[MessageId]:
        """Those whose state changed; each of the settled ones told its customer and was counted.

        An acceptance counts from anyone, since the message has left; the message is then kept as
        the report has it, where secrets may be blanked. Any other word, and that an attempt has
        begun, counts only from the owner of the lease.
        """

    def recover(
        self,
        *,
        now: datetime,
        resend: Collection[str],
        owner: str | None = None,
        channel: str | None = None,
    ) -> Recovered:
        """Takes back leases that have run out by `now`, and every lease of `owner`.

        With a channel, only its messages.

        Attempts without a receipt go again on the channels of `resend`; on others they stay
        uncertain, and their customers are told.
        """

    def pending(self) -> int:
        """How many messages may still leave."""

    def next_attempt_at(self) -> datetime | None:
        """The earliest time at which a queued message may go."""

    def in_hand(self) -> bool:
        """True when some owner, alive or not, has a message in its hands."""


class Traffic(Protocol):
    """What breakers look at; the same for every worker, since it is what all of them did."""

    def latest_sends(
        self,
        channel: str,
        classes: Collection[MessageClass],
        *,
        limit: int,
        since: datetime | None = None,
    ) -> LatestSends:
        """How the latest sends of these classes ended, after `since` where given."""

    def hour_of_sends(self, hour: int) -> dict[str, HourOfSends]:
        """What each workflow sent in that hour, counted from 1970."""

    def resumed(self) -> dict[str, datetime]:
        """When each kill switch that is off was switched off last."""
