"""Working until nothing is left: what a burst still finds to do, and the end of recorded time.

Whether anything is left is read off Redis and SQL alone, so that several workers in a burst, and
those that are killed and started again, come to the same end.
"""

from __future__ import annotations

import time
from datetime import datetime

from shopflow.runtime.queue.bells import Bell, Kind
from shopflow.runtime.queue.fleet import Fleet
from shopflow.runtime.queue.partition import stream_name
from shopflow.runtime.simulate import Until

#: Seconds between two looks, while others are at work.
LOOK = 0.05
#: Looks after which messages that stay where they are wait for later, or for a person. Between
#: two of them the bells that rang are answered, so that it does not matter how long that takes.
STUCK = 20


class Burst:
    """Finds what is left of the work that this process answers for, until nothing is."""

    def __init__(self, fleet: Fleet, until: Until | None = None) -> None:
        self._fleet = fleet
        #: Where recorded time ends; None: the clock is on the wall.
        self._until = until
        self._pending = -1
        #: Looks since deciding, or the number of messages, last changed anything.
        self._looks = 0
        self._next_due: datetime | None = None
        self._ended = False
        #: Nothing was left at the last look.
        self.done = False

    def find_more(self) -> bool:
        """True when there is or may be more to do, and its bells ring."""
        kinds = self._fleet.kinds
        found = {bell.kind for bell in self._fleet.look()} & set(kinds)
        if found - {Kind.DELIVER}:
            self._looks = 0
        elif Kind.DELIVER not in kinds or not self._delivers():
            self.done = self._until is None or not self._end_time(self._until)
            return not self.done
        time.sleep(LOOK)
        return True

    def _delivers(self) -> bool:
        """True while messages may leave; what a dead worker held is taken back by a turn."""
        fleet = self._fleet
        pending = fleet.app.store.outbox.pending()
        if not pending:
            return False
        bells = fleet.channel_bells
        if pending != self._pending or fleet.bells.in_doubt(bells):
            self._pending, self._looks = pending, 0
        self._looks += 1
        if self._looks > STUCK:
            return False
        fleet.bells.ring(bells)
        return True

    def _end_time(self, until: Until) -> bool:
        """Ticks at the time of the last event; a drain again, as long as it leaves less behind."""
        store = self._fleet.app.store
        due = store.views.next_due_at()
        if self._ended and (until is Until.END or due is None or due == self._next_due):
            return False
        self._ended, self._next_due = True, due
        ours = {stream_name(number) for number in range(store.partitions)}
        cursors = store.views.status().cursors
        times = (one.read_to for one in cursors if one.stream in ours)
        end = max((at for at in times if at), default=None)
        if end is None:
            return False
        self._fleet.streams.add_tick(end, drain=until is Until.DRAIN)
        self._fleet.bells.ring([Bell(Kind.INGEST)])
        return True
