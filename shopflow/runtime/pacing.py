"""How fast messages of one sender may leave: rates, warm-up, and who shares a sender.

The turns themselves are kept in the store, so that all workers together keep to one rate.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from shopflow.channel import RATE_PATTERN
from shopflow.domain.policy import MessageClass

_RATE = re.compile(RATE_PATTERN)
_PERIODS = {
    "s": timedelta(seconds=1),
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "day": timedelta(days=1),
}
_DAY = timedelta(days=1)
#: After so many doublings every rate is reached.
_MOST_DOUBLINGS = 40

#: Whose sender a class takes when it has none of its own.
STAND_IN: Mapping[MessageClass, MessageClass] = {
    MessageClass.INTERNAL: MessageClass.SERVICE,
    MessageClass.TRACKING: MessageClass.SERVICE,
    MessageClass.RELATIONSHIP: MessageClass.MARKETING,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUp:
    """A young sender's first days: so many messages on the first, twice as many on each next."""

    since: date
    first_day: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """At most so many messages, evenly spaced."""

    distance: timedelta
    warm_up: WarmUp | None = None

    @classmethod
    def parse(cls, text: str, warm_up: WarmUp | None = None) -> Rate:
        """The rate of a setting that has passed its pattern."""
        match = _RATE.fullmatch(text)
        assert match is not None  # noqa: S101 - the schema has seen to it
        return cls(distance=_PERIODS[match[2]] / int(match[1]), warm_up=warm_up)

    def distance_at(self, now: datetime) -> timedelta:
        """The time between two messages by now."""
        if self.warm_up is None:
            return self.distance
        days = max((now.astimezone(UTC).date() - self.warm_up.since).days, 0)
        slow: timedelta = _DAY / (self.warm_up.first_day * 2 ** min(days, _MOST_DOUBLINGS))
        return max(self.distance, slow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlet:
    """The classes that one sender of a channel sends for, and how fast."""

    #: The class that the sender is named after.
    name: str
    classes: frozenset[MessageClass]
    rate: Rate | None = None
    #: Of a recipient's domain, in small letters.
    domains: Mapping[str, Rate] = field(default_factory=dict)


def outlets_of(settings: Mapping[str, object]) -> tuple[Outlet, ...]:
    """The senders of a channel's settings; without any, service has one and the rest another."""
    given = settings.get("senders")
    senders: Mapping[str, object] = given if isinstance(given, Mapping) else {}
    classes: dict[MessageClass, set[MessageClass]] = {}
    for one in MessageClass:
        own = one if one in senders else STAND_IN.get(one, one)
        classes.setdefault(own, set()).add(one)
    return tuple(
        _outlet(name, frozenset(some), senders.get(name)) for name, some in classes.items()
    )


def _outlet(name: MessageClass, classes: frozenset[MessageClass], sender: object) -> Outlet:
    own: Mapping[str, object] = sender if isinstance(sender, Mapping) else {}
    warm = own.get("warm_up")
    rate = own.get("rate")
    domains = own.get("domains")
    return Outlet(
        name=name.value,
        classes=classes,
        rate=Rate.parse(str(rate), _warm_up(warm)) if rate else None,
        domains={
            str(domain).lower(): Rate.parse(str(each))
            for domain, each in (domains.items() if isinstance(domains, Mapping) else ())
        },
    )


def _warm_up(given: object) -> WarmUp | None:
    if not isinstance(given, Mapping):
        return None
    since = date.fromisoformat(str(given["since"]))
    return WarmUp(since=since, first_day=int(given["first_day"]))
