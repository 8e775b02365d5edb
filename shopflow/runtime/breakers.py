"""Breakers: what goes wrong at large pauses by itself, with its reason, until somebody resumes it.

They look at what all workers have sent, which is in SQL, so that all come to the same end; two
that trip at once write the same pause.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from shopflow.domain.workflow import Workflow
from shopflow.runtime.carrier import Carrier
from shopflow.runtime.pacing import Outlet
from shopflow.store.delivery import hour_of
from shopflow.store.protocol import Store
from shopflow.store.records import Pause, Source

log = logging.getLogger("shopflow.breakers")

#: The latest sends of a sender that are looked at, and how many of them may come back hard, or be
#: called spam: 5 % and 0.3 %, as mailbox providers see it.
LATEST, MOST_BOUNCED, MOST_COMPLAINED = 1_000, 50, 3
#: A workflow may send so many times its busiest hour of 30 days, and always so many in an hour.
TIMES_BUSIEST, ALWAYS = 3, 500


class Breakers:
    """The breakers of some channels, and of every workflow."""

    def __init__(
        self, store: Store, carriers: Sequence[Carrier], workflows: Mapping[str, Workflow]
    ) -> None:
        self._store = store
        self._carriers = carriers
        self._workflows = workflows

    def look(self, now: datetime) -> list[Pause]:
        """What is paused from now on that was not; for where the store is called."""
        known = {pause.scope for pause in self._store.views.pauses()}
        resumed = self._store.traffic.resumed()
        tripped = [
            Pause(scope=scope, reason=reason, at=now, source=Source.BREAKER)
            for scope, reason in (*self._senders(resumed), *self._runaways(now, resumed))
            if scope not in known
        ]
        for pause in tripped:
            self._store.pause(pause)
            log.error(
                "a breaker paused %s: %s; once that is mended: shopflow resume",
                pause.scope,
                pause.reason,
            )
        return tripped

    def _senders(self, resumed: dict[str, datetime]) -> Iterator[tuple[str, str]]:
        for carrier in self._carriers:
            for outlet in carrier.outlets:
                scope = f"sender:{carrier.name}/{outlet.name}"
                if reason := self._complaint(carrier, outlet, resumed.get(scope)):
                    yield scope, reason

    def _complaint(self, carrier: Carrier, outlet: Outlet, since: datetime | None) -> str:
        latest = self._store.traffic.latest_sends(
            carrier.name, outlet.classes, limit=LATEST, since=since
        )
        if latest.bounced > MOST_BOUNCED:
            return f"{latest.bounced} of the last {latest.sends:,} messages bounced for good"
        if latest.complained > MOST_COMPLAINED:
            return f"{latest.complained} of the last {latest.sends:,} messages were called spam"
        return ""

    def _runaways(self, now: datetime, resumed: dict[str, datetime]) -> Iterator[tuple[str, str]]:
        hour = hour_of(now)
        for name, sent in sorted(self._store.traffic.hour_of_sends(hour).items()):
            scope = f"workflow:{name}"
            told = self._workflows[name].max_per_hour if name in self._workflows else None
            most = told or max(TIMES_BUSIEST * sent.busiest, ALWAYS)
            lifted = scope in resumed and hour_of(resumed[scope]) == hour
            if sent.sends > most and not lifted:
                yield scope, f"{sent.sends:,} messages in an hour, over {most:,}"
