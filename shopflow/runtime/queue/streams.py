"""The streams in Redis: the door that shops add to, and one stream for each partition.

What an entry looks like, where a reader stands, and how much waits. Who may read is decided in SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

import orjson
from redis import Redis, RedisError, ResponseError, WatchError

#: Entries that are read at a time.
BATCH = 500

#: Fields of an entry. The door holds `event`, or `tick` with an instant (empty: that of its
#: arrival) and perhaps `drain`; partitions hold the same, and `at`, when it came to the door, and
#: `copy` where another partition has the entry itself.
EVENT, TICK, DRAIN, AT, COPY = b"event", b"tick", b"drain", b"at", b"copy"

#: The year 9000, which time zones and sums cannot push beyond what a date can be.
_LAST_MILLIS = 221_845_392_000_000

Fields = Mapping[bytes, bytes]


class EntryId(NamedTuple):
    """An entry's place in its stream, and the instant of its arrival by Redis' own clock."""

    millis: int = 0
    number: int = 0

    @classmethod
    def parse(cls, text: bytes | str) -> EntryId:
        """The place as Redis writes it; what is none is the beginning."""
        # Of bytes only the ASCII digits are digits.
        plain = text if isinstance(text, bytes) else text.encode(errors="replace")
        millis, _, number = plain.partition(b"-")
        return cls(int(millis), int(number)) if millis.isdigit() and number.isdigit() else cls()

    @property
    def instant(self) -> datetime:
        """When the entry arrived; a place that somebody made up may lie far ahead."""
        return datetime.fromtimestamp(min(self.millis, _LAST_MILLIS) / 1000, UTC)

    @property
    def following(self) -> str:
        """The smallest place after this one."""
        return f"{self.millis}-{self.number + 1}"

    def __str__(self) -> str:
        return f"{self.millis}-{self.number}"


#: Before every entry.
START = EntryId()


class StreamEntry(NamedTuple):
    """One entry as it was read."""

    id: EntryId
    fields: Fields

    @property
    def raw(self) -> bytes:
        """The event as sent; an entry that holds none is shown whole, to be refused as such."""
        if EVENT in self.fields:
            return self.fields[EVENT]
        shown = {key.decode(errors="replace"): value for key, value in self.fields.items()}
        return orjson.dumps({key: value.decode(errors="replace") for key, value in shown.items()})

    @property
    def received_at(self) -> datetime:
        """When it came to the door."""
        at = self.fields.get(AT)
        return (EntryId.parse(at) if at is not None else self.id).instant

    @property
    def copied(self) -> bool:
        """True for what another partition has too, and counts."""
        return COPY in self.fields

    @property
    def tick(self) -> TickEntry | None:
        """The passing of time that the entry stands for; None when it is no tick."""
        if TICK not in self.fields or EVENT in self.fields:
            return None
        text = self.fields[TICK].decode(errors="replace")
        if not text:
            return TickEntry(self.received_at, drain=False, of_arrival=True)
        try:
            given = datetime.fromisoformat(text)
        except ValueError:
            return None
        if given.tzinfo is None:
            return None
        return TickEntry(given.astimezone(UTC), drain=DRAIN in self.fields, of_arrival=False)


class TickEntry(NamedTuple):
    """Time has come to `at`; a drain fires every timer that is left after it."""

    at: datetime
    drain: bool
    #: Its instant is that of its arrival at the door; a later one does what it left.
    of_arrival: bool


class Routed(NamedTuple):
    """An entry on its way to a partition, itself or as a copy."""

    partition: int
    entry: StreamEntry
    copied: bool = False


class Moved(Exception):  # noqa: N818 - the name is the claim
    """Raised when another reader of the door was faster; nothing was written."""


def trouble(error: RedisError) -> str:
    """What is wrong with Redis, for whoever keeps it."""
    if not isinstance(error, ResponseError):
        return f"Redis cannot be reached: {error}"
    hint = "something else writes to the keys of the queue; " if "WRONGTYPE" in str(error) else ""
    return f"Redis refuses: {hint}{error}"


@dataclass(frozen=True, slots=True)
class Streams:
    """The streams of one installation."""

    redis: Redis = field(repr=False)
    namespace: str
    partitions: int

    @property
    def door(self) -> str:
        """Where shops add their events."""
        return f"{self.namespace}:events"

    @property
    def cursor(self) -> str:
        """Where the reader of the door keeps its place."""
        return f"{self.namespace}:ingest:cursor"

    def of(self, partition: int) -> str:
        """The stream of a partition."""
        return f"{self.namespace}:{partition}:events"

    def add(self, events: Iterable[bytes]) -> None:
        """The events are at the door."""
        with self.redis.pipeline(transaction=False) as pipe:
            for raw in events:
                pipe.xadd(self.door, {EVENT: raw})
            pipe.execute()

    def add_tick(self, at: datetime | None = None, *, drain: bool = False) -> None:
        """A tick is at the door, behind all that came before it."""
        fields = {TICK: b"" if at is None else at.isoformat().encode()}
        self.redis.xadd(self.door, cast("Any", fields | ({DRAIN: b"1"} if drain else {})))

    def put_behind(self, stream: str, entry: StreamEntry) -> None:
        """The entry comes once more, after all that is in the partition by now."""
        self.redis.xadd(stream, cast("Any", {AT: str(entry.id), **entry.fields}))

    def read(self, stream: str, after: EntryId, limit: int = BATCH) -> list[StreamEntry]:
        """The next entries that are there by now, in order."""
        found: Any = self.redis.xread({stream: str(after)}, count=limit)
        # One stream was asked for, so there is one answer or none.
        entries = found[0][1] if found else []
        return [StreamEntry(EntryId.parse(key), fields or {}) for key, fields in entries]

    def listen(self, after: EntryId | None, millis: int) -> bool:
        """True as soon as something comes to the door; False when nothing did for so long."""
        return bool(self.redis.xread({self.door: str(after or START)}, count=1, block=millis))

    def last(self, stream: str) -> EntryId | None:
        """The place of the last entry there ever was; None when there is no such stream."""
        try:
            info: Any = self.redis.xinfo_stream(stream)
        except ResponseError:
            return None
        return EntryId.parse(info["last-generated-id"])

    def went_back(self, stream: str, place: EntryId) -> bool:
        """True when the stream has never got as far: Redis lost it, and places are given anew."""
        last = self.last(stream)
        return last is not None and last < place

    def forget(self, is_about: Callable[[bytes], bool]) -> int:
        """The entries whose event is told so are gone; returns how many."""
        gone = 0
        for stream in (self.door, *map(self.of, range(self.partitions))):
            after = START
            while entries := self.read(stream, after):
                found = [str(one.id) for one in entries if is_about(one.fields.get(EVENT, b""))]
                if found:
                    gone += int(self.redis.xdel(stream, *found))
                after = entries[-1].id
        return gone

    def trim(self, stream: str, through: EntryId) -> None:
        """Entries up to this one, which have served, are gone."""
        self.redis.xtrim(stream, minid=through.following, approximate=False)

    def lengths(self) -> tuple[int, list[int]]:
        """How many entries wait at the door, and in each partition."""
        with self.redis.pipeline(transaction=False) as pipe:
            pipe.xlen(self.door)
            for partition in range(self.partitions):
                pipe.xlen(self.of(partition))
            door, *rest = pipe.execute()
        return door, rest

    def waiting(self) -> int:
        """How many entries wait in all."""
        door, rest = self.lengths()
        return door + sum(rest)

    def ingest_cursor(self) -> EntryId:
        """How far the door has been read."""
        return EntryId.parse(cast("bytes | None", self.redis.get(self.cursor)) or b"")

    def route(self, moved: tuple[EntryId, EntryId], routed: Sequence[Routed]) -> None:
        """The entries are in their partitions and the door's cursor has moved, or neither.

        Raises:
            Moved: The cursor was not where this reader left it.
        """
        before, after = moved
        with self.redis.pipeline(transaction=True) as pipe:
            pipe.watch(self.cursor)  # type: ignore[no-untyped-call]  # redis-py has no type for it
            kept: Any = pipe.get(self.cursor)
            if EntryId.parse(kept or b"") != before:
                raise Moved
            pipe.multi()
            for partition, entry, copied in routed:
                fields: Any = {**entry.fields, AT: str(entry.id)}
                fields.pop(COPY, None)
                if copied:
                    fields[COPY] = b"1"
                pipe.xadd(self.of(partition), fields)
            pipe.set(self.cursor, str(after))
            pipe.xtrim(self.door, minid=after.following, approximate=False)
            try:
                pipe.execute()
            except WatchError as e:
                raise Moved from e
