"""Replaying recorded events in memory: what the rules would have sent, with nothing leaving.

The events are the clock. Reading the files is `sources`'s, deciding the engine's; this is the order
of things, and what it came to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from time import sleep
from typing import NamedTuple

import orjson

from shopflow.domain.customer import Customer
from shopflow.domain.event import Event, Facts
from shopflow.domain.ids import CustomerId, is_subject
from shopflow.domain.journal import Effect
from shopflow.domain.message import Message
from shopflow.engine import Rulebook
from shopflow.gitops.outcome import Tally
from shopflow.gitops.virtual import FOREVER, Listener, VirtualShop
from shopflow.runtime.ingest import BadReason, Ingest, Refused, routing_id
from shopflow.runtime.sources import Source
from shopflow.store.tally import partition_of

#: Refused inputs whose place is told.
MAX_TOLD = 20


#: Lines that are read at once.
PAGE = 500
#: Seconds to wait for more of a source that has nothing just now.
PAUSE = 0.02


class Line(NamedTuple):
    """One event as it was recorded, and where."""

    raw: bytes
    place: str


class Until(StrEnum):
    """Where the clock stops when no instant is given."""

    #: At the last event.
    END = "end"
    #: When no timer is left.
    DRAIN = "drain"


@dataclass(frozen=True, slots=True, kw_only=True)
class BadLine:
    """An input that became a dead letter, and where it stands."""

    place: str
    reason: str
    detail: str


@dataclass(slots=True, kw_only=True)
class Simulation:
    """What a replay came to."""

    tally: Tally
    events: int = 0
    duplicates: int = 0
    #: Reason -> how many.
    dead_letters: Counter[str] = field(default_factory=Counter)
    #: The first of them.
    bad_lines: list[BadLine] = field(default_factory=list)
    customers: int = 0
    #: Time of the first event in the order given, and of the last in that of time.
    begin: datetime | None = None
    end: datetime | None = None
    #: Everybody as they stood at the end, before what timers were left was drained.
    people: Mapping[CustomerId, Customer] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """The counts as plain values."""
        return {
            "events": self.events,
            "duplicates": self.duplicates,
            "dead_letters": self.dead_letters.total(),
            "customers": self.customers,
            "errors": self.tally.errors,
            "workflows": {name: one.as_json() for name, one in self.tally.workflows.items()},
        }

    def sends(self) -> Iterable[bytes]:
        """A line a message, in order of time."""
        for message in sorted(self.tally.messages, key=_by_time):
            yield orjson.dumps(as_send(message), option=orjson.OPT_UTC_Z) + b"\n"


def in_pages(source: Source, name: str) -> Iterator[list[Line]]:
    """All lines of a source from its beginning, and where they stand in what `name` calls it.

    Raises:
        SettingsError: It cannot be read to its end.
    """
    source.start("")
    while not source.at_end:
        entries = source.read(PAGE)
        if not entries and not source.at_end:
            sleep(PAUSE)
        yield [Line(entry.raw, _place(name, entry.position)) for entry in entries]


def _place(name: str, position: str) -> str:
    """A position of a file is offset, line and mark."""
    return f"{name}:{position.split(':')[1]}" if position else name


def simulate(
    rulebook: Rulebook,
    ingest: Ingest,
    lines: Iterable[Line],
    *,
    until: Until | datetime = Until.END,
    partitions: int = 1,
    listener: Listener | None = None,
) -> Simulation:
    """The events decided one after the other, and then the timers that are left as `until` says.

    A listener hears every effect, beside the tally that is kept of them.
    """
    replay = _Replay(rulebook, ingest, partitions, listener)
    stop = until if isinstance(until, datetime) else None
    for line in lines:
        replay.take(line, stop)
    return replay.finish(until)


class _Replay:
    def __init__(
        self, rulebook: Rulebook, ingest: Ingest, partitions: int, listener: Listener | None
    ) -> None:
        self._ingest = ingest
        self._partitions = partitions
        self._seen: set[tuple[date, int, str]] = set()
        tally = Tally(rulebook.ruleset.workflows)

        def heard(effect: Effect) -> None:
            tally.take(effect)
            if listener is not None:
                listener(effect)

        self._shop = VirtualShop(rulebook, Facts(event_clock=True), heard)
        self._result = Simulation(tally=tally)

    def take(self, line: Line, stop: datetime | None) -> None:
        """The line is decided, or counted as what it is instead."""
        result = self._result
        # The receipt matters to live streams only: here the events are the clock.
        read = self._ingest.read(line.raw, received_at=FOREVER)
        if isinstance(read, Refused):
            result.events += 1
            self._refuse(line, read.reason, read.detail)
            return
        event = read.event
        if stop is not None and event.occurred_at > stop:
            return
        result.events += 1
        key = (read.sent_at.date(), partition_of(routing_id(event), self._partitions), event.id)
        if key in self._seen:
            result.duplicates += 1
            return
        self._seen.add(key)
        self._decide(line, event)

    def finish(self, until: Until | datetime) -> Simulation:
        """The clock runs on as far as it should."""
        result, shop = self._result, self._shop
        if isinstance(until, datetime):
            shop.tick(until)
        elif result.end is not None:
            shop.tick(result.end)
        result.people = dict(shop.customers)
        if until is Until.DRAIN:
            shop.drain()
        if result.tally.loops:
            result.dead_letters["emit_loop"] = result.tally.loops
        result.customers = sum(
            one.alias_of is None and not is_subject(one.id) for one in shop.customers.values()
        )
        return result

    def _decide(self, line: Line, event: Event) -> None:
        result = self._result
        result.begin = result.begin or event.occurred_at
        result.end = max(result.end or event.occurred_at, event.occurred_at)
        try:
            if event.concerns is None:
                self._shop.hear(event)
            else:
                self._shop.give(event.concerns, event)
        except RuntimeError as e:
            self._refuse(line, BadReason.DECIDE_FAILED, str(e))

    def _refuse(self, line: Line, reason: str, detail: str) -> None:
        self._result.dead_letters[reason] += 1
        if len(self._result.bad_lines) < MAX_TOLD:
            told = BadLine(place=line.place, reason=reason, detail=detail)
            self._result.bad_lines.append(told)


def _by_time(message: Message) -> tuple[datetime, str, str, str, str]:
    return (
        message.decided_at,
        message.customer_id,
        message.workflow,
        message.step,
        message.channel,
    )


def as_send(message: Message) -> Mapping[str, object]:
    """The message as a line of the sends file tells it."""
    return {
        "at": message.decided_at,
        "customer_id": message.customer_id,
        "workflow": message.workflow,
        "version": message.version,
        "step": message.step,
        "channel": message.channel,
        "trigger_event_id": message.trigger_event_id,
    }
