"""Where a change makes caps, quiet hours or consent protect people less than before.

A rule of the base is weakened when no rule of the head still does all that it did; so a new name,
or two rules made into one, is no weakening.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import time, timedelta

from shopflow.domain.policy import (
    CalendarWindow,
    ChannelConsent,
    FrequencyCap,
    MessageClass,
    Purpose,
    QuietWindow,
)
from shopflow.domain.ruleset import Ruleset
from shopflow.gitops.plan.places import Thing
from shopflow.lang.digest import value_digest

_DAY = 24 * 60
_WEEK = 7 * _DAY
#: A rolling window that is as long as the longest of its kind is at least as strict.
_LENGTHS = {
    CalendarWindow.DAY: timedelta(days=1),
    CalendarWindow.WEEK: timedelta(days=7),
    CalendarWindow.MONTH: timedelta(days=31),
}
#: How much a class asks for before somebody may be written to.
_STRICTNESS = {
    MessageClass.MARKETING: 2,
    MessageClass.TRACKING: 2,
    MessageClass.RELATIONSHIP: 1,
    MessageClass.SERVICE: 0,
    MessageClass.INTERNAL: 0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Weakening:
    """One thing that protects less, and in what."""

    thing: Thing
    #: The key of its file that says so; empty where the thing is gone.
    key: str
    why: str


def weakenings(base: Ruleset, head: Ruleset) -> Iterator[Weakening]:
    """Everything that protects people less in the head."""
    after = {cap.id: cap for cap in head.caps}
    for cap in base.caps:
        if not any(_caps_as_much(cap, each) for each in head.caps):
            key, why = _cap_change(cap, after.get(cap.id))
            yield Weakening(thing=Thing("caps", cap.id), key=key, why=why)
    windows = {window.id: window for window in head.quiet_windows}
    for window in base.quiet_windows:
        if not any(_silences_as_much(window, each) for each in head.quiet_windows):
            key, why = _window_change(window, windows.get(window.id))
            yield Weakening(thing=Thing("quiet_hours", window.id), key=key, why=why)
    for name, purpose in base.purposes.items():
        if name in head.purposes:
            for key, why in _purpose_changes(purpose, head.purposes[name]):
                yield Weakening(thing=Thing("purposes", name), key=key, why=why)


def _caps_as_much(old: FrequencyCap, new: FrequencyCap) -> bool:
    return new.limit <= old.limit and _is_as_long(old, new) and _selects_as_much(old, new)


def _is_as_long(old: FrequencyCap, new: FrequencyCap) -> bool:
    if isinstance(new.window, timedelta):
        length = old.window if isinstance(old.window, timedelta) else _LENGTHS[old.window]
        return new.window >= length
    return new.window == old.window


def _selects_as_much(old: FrequencyCap, new: FrequencyCap) -> bool:
    kinds = ("channels", "purposes", "tags", "workflows")
    chosen = ((getattr(old, kind), getattr(new, kind)) for kind in kinds)
    return new.classes >= old.classes and all(_holds_all(*each) for each in chosen)


def _holds_all(old: frozenset[str], new: frozenset[str]) -> bool:
    """Whether a selection takes in another; an empty one is everything."""
    return not new or (bool(old) and new >= old)


def _cap_change(old: FrequencyCap, new: FrequencyCap | None) -> tuple[str, str]:
    if new is None:
        return "", "the cap is gone"
    if new.limit > old.limit:
        return "max", f"max {old.limit} -> {new.limit}"
    if not _is_as_long(old, new):
        key = "in_any" if isinstance(new.window, timedelta) else "each"
        return key, "its window is shorter"
    return "id", "it counts fewer messages"


def _silences_as_much(old: QuietWindow, new: QuietWindow) -> bool:
    return (
        new.timezone == old.timezone
        and new.classes >= old.classes
        and _holds_all(old.channels, new.channels)
        and _minutes(new) >= _minutes(old)
        and (old.holidays is None or _same_holidays(old, new))
    )


def _same_holidays(old: QuietWindow, new: QuietWindow) -> bool:
    same = value_digest(old.holidays) == value_digest(new.holidays)
    return same and _minutes_of_days(new, range(1)) >= _minutes_of_days(old, range(1))


def _minutes(window: QuietWindow) -> frozenset[int]:
    """The silent minutes of a week, from Monday on; holidays left aside."""
    every = range(7) if window.holidays is None else ()
    return _minutes_of_days(window, window.days or every)


def _minutes_of_days(window: QuietWindow, days: Iterable[int]) -> frozenset[int]:
    start = _minute(window.start)
    length = (_minute(window.end) - start) % _DAY or _DAY
    first = [day * _DAY + start for day in days]
    return frozenset((minute + more) % _WEEK for minute in first for more in range(length))


def _minute(at: time | None) -> int:
    return 0 if at is None else at.hour * 60 + at.minute


def _window_change(old: QuietWindow, new: QuietWindow | None) -> tuple[str, str]:
    if new is None:
        return "", "the window is gone"
    if new.timezone != old.timezone:
        return "timezone", f"timezone {old.timezone or 'customer'} -> {new.timezone or 'customer'}"
    if not _minutes(new) >= _minutes(old):
        return ("from" if new.start is not None else "id"), "it is silent for less time"
    if old.holidays is not None and not _same_holidays(old, new):
        return "id", "it leaves out holidays"
    return "id", "it is for fewer channels or classes"


def _purpose_changes(old: Purpose, new: Purpose) -> Iterator[tuple[str, str]]:
    if _STRICTNESS[new.message_class] < _STRICTNESS[old.message_class]:
        yield "class", f"class {old.message_class} -> {new.message_class}"
    if new.inherit and not old.inherit:
        yield "inherit", "a consent to its parent counts here too"
    if old.parent is not None and new.parent != old.parent:
        yield "class", f"withdrawing {old.parent} no longer withdraws it"
    for name, before in old.channels.items():
        after = new.channels.get(name)
        if after is not None:
            yield from (("channels", f"{name}: {why}") for why in _asks_less(before, after))


def _asks_less(old: ChannelConsent, new: ChannelConsent) -> Iterator[str]:
    if old.double_opt_in and not new.double_opt_in:
        yield "double_opt_in is gone"
    if new.soft_opt_in is not None and old.soft_opt_in is None:
        yield "soft_opt_in is new"
    elif (
        new.soft_opt_in is not None
        and old.soft_opt_in is not None
        and old.soft_opt_in.notice_required
        and not new.soft_opt_in.notice_required
    ):
        yield "soft_opt_in no longer requires a notice"
