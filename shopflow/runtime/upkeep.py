"""What is forgotten every night, by a process of its own, and the room that is made ahead.

Letting go of a day waits for whoever reads it, such as a backup; the clock must not wait with it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from multiprocessing.process import BaseProcess

from shopflow.domain.policy import Retention
from shopflow.errors import SettingsError, StoreError
from shopflow.runtime.addresses import fill_index
from shopflow.runtime.older_versions import forget_bundles, forget_drained
from shopflow.runtime.retirement import Retirement
from shopflow.store.opening import open_store
from shopflow.store.protocol import Store

log = logging.getLogger("shopflow.upkeep")

#: The name of the nightly run among the schedules, and when it is, on the clock of the project.
SCHEDULE, HOUR = "shopflow.upkeep", 4
#: The night up to which everything has been forgotten that was to be.
DONE = "shopflow.upkeep.done"
#: How far ahead there is a place for each day.
AHEAD = timedelta(days=14)
#: Days looked at again: an event may have come a little late.
_AGAIN = timedelta(days=3)


def starter(
    url: str, partitions: int, retention: Retention, retirement: Retirement
) -> Callable[[], BaseProcess]:
    """Starts a process that looks after this database once and ends with us."""

    def start() -> BaseProcess:
        # A fresh one: connections and threads of ours are no business of its.
        process = get_context("spawn").Process(
            target=_run, args=(url, partitions, retention, retirement), name="upkeep", daemon=True
        )
        process.start()
        return process

    return start


def forget_old(store: Store, retention: Retention, now: datetime) -> None:
    """What is older than the policy allows is gone, and there is room for the days to come.

    A run that is cut off is made up for by the next one, which goes back to the last that ended.
    """
    last = store.views.occurrences().get(DONE)
    store.make_room(now + AHEAD)
    _all_of(lambda: store.forget_events(now - retention.events))
    for event_type, length in sorted(retention.event_types.items()):
        if length >= retention.events:
            continue
        # What was forgotten by then need not be looked for again.
        since = None if last is None else last - length - _AGAIN
        before = now - length
        _all_of(lambda: store.forget_events(before, types=[event_type], since=since))  # noqa: B023 - called at once
    _all_of(lambda: store.forget_journal(now - retention.journal))
    _all_of(lambda: store.forget_dead_letters(now - retention.dead_letters))
    again = None if last is None else last - retention.bodies - _AGAIN
    store.people.forget_bodies(now - retention.bodies, since=again)
    store.people.forget_proof(now - retention.consent_proof)
    store.people.forget_taken(now - retention.events)
    with store.transaction() as batch:
        batch.set_occurrence(DONE, now)


def _all_of(forget: Callable[[], bool]) -> None:
    while forget():
        pass


def _run(url: str, partitions: int, retention: Retention, retirement: Retirement) -> None:
    try:
        store = open_store(url, partitions=partitions, create=False)
        try:
            forget_old(store, retention, datetime.now(UTC))
            forget_drained(store, datetime.now(UTC))
            forget_bundles(store, retention, datetime.now(UTC))
            fill_index(store, retirement.hashes)
            retirement.retire(store, retention, datetime.now(UTC))
        finally:
            store.close()
    except (StoreError, SettingsError) as e:
        log.error("what is old could not be forgotten: %s", e)  # noqa: TRY400 - it says why
