"""What starts for everybody at once: schedules, and the daily look at timed segments.

The instants are the same for all customers, so each is worked out once and for all of them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from operator import attrgetter
from typing import NamedTuple

from shopflow.domain.calendar import Recurrence
from shopflow.domain.event import Event
from shopflow.domain.ruleset import Ruleset
from shopflow.domain.trigger import ScheduleTrigger
from shopflow.domain.workflow import Workflow
from shopflow.engine import zones
from shopflow.engine.upcoming import Upcoming

#: Local time in the project's zone at which timed segments are looked at.
SWEEP_AT = time(3)
#: After everything that a calendar has.
FAR = datetime.max.replace(tzinfo=UTC)
#: So many instants are remembered at most.
MOST = 20_000
#: So many are worked out on the way to a moment; one that lies farther ahead is begun with anew.
NEAR = 64

#: The first instant strictly after a moment.
NextAfter = Callable[[datetime], datetime]

_DAY = timedelta(days=1)
_AT = attrgetter("at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One start by the calendar; no workflow means the daily look at timed segments."""

    at: datetime
    workflow: Workflow | None = None
    item: object = None
    #: Tells the items of an `each` apart where the workflow has no key.
    number: int = 0
    #: What it starts on, where that is an event about no customer.
    event: Event | None = None


class Start(NamedTuple):
    """An instant, and all that starts at it, in the order of decision."""

    at: datetime
    occurrences: Sequence[Occurrence]


class Agenda:
    """The starts of a ruleset in their order; safe to share, as what is known may be lost."""

    def __init__(self, ruleset: Ruleset, scheduled: Iterable[Workflow], *, looks: bool) -> None:
        self._sources: list[tuple[Workflow | None, NextAfter]] = [
            (each, _recurrence(each).next_after) for each in scheduled
        ]
        if looks:
            self._sources.append((None, _daily_look(ruleset)))
        self._upcoming = Upcoming()
        #: Every start after an instant, as far as somebody has asked for it.
        self._known: tuple[datetime, tuple[Start, ...]] = (FAR, ())

    def after(self, moment: datetime) -> Iterator[Start]:
        """What starts strictly after the moment; there is no end of it."""
        while self._sources:
            starts = self._reaching_past(moment)
            for place in range(bisect_right(starts, moment, key=_AT), len(starts)):
                yield starts[place]
            moment = starts[-1].at

    def _reaching_past(self, moment: datetime) -> tuple[Start, ...]:
        """Starts without a gap from the moment on, or from before it to after it."""
        since, starts = self._known
        for _ in range(NEAR if starts and since <= moment else 0):
            if moment < starts[-1].at:
                return starts
            starts = self._longer(since, starts)
        return self._longer(moment, ())

    def _longer(self, since: datetime, starts: tuple[Start, ...]) -> tuple[Start, ...]:
        last = starts[-1].at if starts else since
        if len(starts) >= MOST:
            since, starts = last, ()
        found = [
            (self._upcoming.after(place, last, next_after), workflow)
            for place, (workflow, next_after) in enumerate(self._sources)
        ]
        first = min(at for at, _ in found)
        begun = [Occurrence(at=at, workflow=one) for at, one in found if at == first]
        starts = (*starts, Start(first, begun))
        self._known = since, starts
        return starts


def _recurrence(workflow: Workflow) -> Recurrence:
    trigger = workflow.trigger
    assert isinstance(trigger, ScheduleTrigger)  # noqa: S101 - the rulebook sorted them
    return trigger.recurrence


def _daily_look(ruleset: Ruleset) -> NextAfter:
    where = zones.of_project(ruleset)

    def next_look(moment: datetime) -> datetime:
        today = moment.astimezone(where).date()
        looks = (zones.local(today + days * _DAY, SWEEP_AT, where) for days in range(3))
        return min(look for look in looks if look > moment)

    return next_look
