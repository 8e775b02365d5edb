"""What is done once a night, whichever worker looks first: when it is due, and by whom.

It is done by a process of its own: neither events nor messages wait for it meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from typing import Protocol

from shopflow.errors import StoreError
from shopflow.runtime.recommendations import compute_all
from shopflow.store.opening import open_store
from shopflow.store.protocol import Store

log = logging.getLogger("shopflow.recommend")

#: The name of the nightly run among the schedules.
SCHEDULE = "shopflow.recommendations"
#: When it is, on the clock of the project.
HOUR = 3


class Watch(Protocol):
    """Something that is looked at again and again, and done when it is time."""

    def look(self, now: datetime) -> bool:
        """Does what is due; True when something was."""


class Nightly:
    """The run of each night: whoever looks first after its hour has it done.

    What was missed is made up for, once. A shop's first night is the next one: before, there is
    nothing to compute from.
    """

    def __init__(
        self,
        store: Store,
        zone: tzinfo,
        start: Callable[[], object],
        *,
        schedule: str = SCHEDULE,
        hour: int = HOUR,
    ) -> None:
        self._store = store
        self._zone = zone
        self._start = start
        self._schedule = schedule
        self._hour = hour
        #: The night that is known to be taken care of.
        self._done: datetime | None = None

    def look(self, now: datetime) -> bool:
        """Starts the night's run where it is due; True when it did."""
        night = self._night(now)
        if self._done == night:
            return False
        last = self._store.views.occurrences().get(self._schedule)
        if last is None or last < night:
            # Before it is done: a run that fails comes again the next night, not all night long.
            with self._store.transaction() as batch:
                batch.set_occurrence(self._schedule, night)
        self._done = night
        if last is None or last >= night:
            return False
        log.info("%s begins", self._schedule)
        self._start()
        return True

    def _night(self, now: datetime) -> datetime:
        """The last time that the project's clock showed the hour."""
        local = now.astimezone(self._zone)
        today = local.replace(hour=self._hour, minute=0, second=0, microsecond=0)
        return today if today <= local else today - timedelta(days=1)


def starter(url: str, partitions: int) -> Callable[[], BaseProcess]:
    """Starts a process that computes the recommendations of this database and ends with us."""

    def start() -> BaseProcess:
        # A fresh one: connections and threads of ours are no business of its.
        process = get_context("spawn").Process(
            target=_compute, args=(url, partitions), name="recommendations", daemon=True
        )
        process.start()
        return process

    return start


def _compute(url: str, partitions: int) -> None:
    try:
        store = open_store(url, partitions=partitions, create=False)
        try:
            compute_all(store, datetime.now(UTC))
        finally:
            store.close()
    except StoreError as e:
        log.error("the recommendations could not be computed: %s", e)  # noqa: TRY400 - it says why
