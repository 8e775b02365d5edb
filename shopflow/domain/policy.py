"""What may be sent, and when: purposes and consent, frequency caps, quiet hours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from enum import StrEnum

from shopflow.domain.calendar import HolidayCalendar

#: Events of somebody looking at something: most of a shop's events, and soon of little use.
LOOKS = ("cart.viewed", "product.viewed", "product_list.viewed", "promo.viewed")


class MessageClass(StrEnum):
    """The legal class of a purpose: it decides which gates a message meets."""

    # That of an enum is a call of Python's, many a decision.
    __hash__ = str.__hash__

    SERVICE = "service"
    RELATIONSHIP = "relationship"
    MARKETING = "marketing"
    INTERNAL = "internal"
    TRACKING = "tracking"


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftOptIn:
    """Own customers may be told of similar products, after a notice they did not refuse."""

    event_type: str
    notice_required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelConsent:
    """How consent is had on one channel of a purpose."""

    double_opt_in: bool = False
    soft_opt_in: SoftOptIn | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """Why a message is sent; `channels` is resolved, with the parent's where it gives none."""

    id: str
    message_class: MessageClass
    parent: str | None = None
    #: The parent's grant counts here too.
    inherit: bool = False
    #: Channels that marketing may use; empty for classes that need no opt-in.
    channels: Mapping[str, ChannelConsent] = field(default_factory=dict)
    #: What pages call it and say of it, by language.
    title: Mapping[str, str] = field(default_factory=dict)
    text: Mapping[str, str] = field(default_factory=dict)


class CalendarWindow(StrEnum):
    """A window of a cap that starts anew at local midnight."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class IfCapped(StrEnum):
    """What a send does when a cap is full."""

    SKIP = "skip"
    DEFER = "defer"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class FrequencyCap:
    """At most `limit` accepted messages in a window; an empty set means any."""

    id: str
    limit: int
    #: A length is a rolling window.
    window: timedelta | CalendarWindow
    if_capped: IfCapped = IfCapped.SKIP
    channels: frozenset[str] = frozenset()
    classes: frozenset[MessageClass] = frozenset(
        {MessageClass.MARKETING, MessageClass.RELATIONSHIP}
    )
    purposes: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    workflows: frozenset[str] = frozenset()
    #: Slots that only sends of at least `reserved_priority` may take.
    reserved_slots: int = 0
    reserved_priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietWindow:
    """A time in which a channel stays silent; without hours, whole days."""

    id: str
    channels: frozenset[str] = frozenset()
    #: `end` at or before `start` runs over midnight; `days` name the day it starts on.
    start: time | None = None
    end: time | None = None
    #: Weekdays, Monday is 0; empty with no holidays means every day.
    days: frozenset[int] = frozenset()
    holidays: HolidayCalendar | None = None
    #: An IANA name, or None for the customer's own zone.
    timezone: str | None = None
    classes: frozenset[MessageClass] = frozenset(
        {MessageClass.MARKETING, MessageClass.RELATIONSHIP}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long what happened is kept; afterwards it is forgotten."""

    events: timedelta = timedelta(days=395)
    #: Types that are kept for less: by default what was only looked at.
    event_types: Mapping[str, timedelta] = field(
        default_factory=lambda: dict.fromkeys(LOOKS, timedelta(days=60))
    )
    journal: timedelta = timedelta(days=395)
    dead_letters: timedelta = timedelta(days=30)
    #: Addresses and values of messages that are done with.
    bodies: timedelta = timedelta(days=30)
    #: People who never confirmed that they signed up, and did nothing else.
    unconfirmed: timedelta = timedelta(days=30)
    #: Bundles, from when they were live last; the last few stay however old they are.
    bundles: timedelta = timedelta(days=395)
    #: Entries of the ledger, from the end of their consent on.
    consent_proof: timedelta = timedelta(days=1826)
    #: People, from their last contact on.
    people: timedelta = timedelta(days=1095)
    #: The trait that tells it; without one, nobody is forgotten by age.
    people_since: str | None = None
