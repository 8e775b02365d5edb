"""Quiet hours: whether a channel must stay silent at an instant, until when, and from when on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shopflow.domain.policy import MessageClass, QuietWindow
from shopflow.engine import zones

_DAY = timedelta(days=1)
#: Windows that follow each other are joined at most this often; then the hold is long enough.
MAX_JOINED = 64
#: How far ahead the next quiet time is looked for.
HORIZON_DAYS = 8


def silent_until(
    windows: Sequence[QuietWindow],
    channel: str,
    message_class: MessageClass,
    at: datetime,
    own_zone: ZoneInfo,
) -> datetime | None:
    """The end of the silence that reigns now, across windows that touch; None for no silence."""
    mine = _applying(windows, channel, message_class)
    end: datetime | None = None
    moment = at
    for _ in range(MAX_JOINED):
        ends = [
            stop
            for window in mine
            for start, stop in _spans(window, moment, own_zone, days_ahead=0)
            if start <= moment < stop
        ]
        if not ends:
            break
        moment = end = max(ends)
    return end


def silent_from(
    windows: Sequence[QuietWindow],
    channel: str,
    message_class: MessageClass,
    at: datetime,
    own_zone: ZoneInfo,
) -> datetime | None:
    """The start of the next silence after now; None when there is none within the horizon."""
    starts = [
        start
        for window in _applying(windows, channel, message_class)
        for start, _ in _spans(window, at, own_zone, days_ahead=HORIZON_DAYS)
        if start > at
    ]
    return min(starts, default=None)


def _applying(
    windows: Sequence[QuietWindow], channel: str, message_class: MessageClass
) -> list[QuietWindow]:
    return [
        window
        for window in windows
        if message_class in window.classes and (not window.channels or channel in window.channels)
    ]


def _spans(
    window: QuietWindow, at: datetime, own_zone: ZoneInfo, *, days_ahead: int
) -> Iterable[tuple[datetime, datetime]]:
    """The window's spans that start on the local day before, on it, and on the days ahead."""
    where = own_zone if window.timezone is None else zones.zone(window.timezone) or own_zone
    today = at.astimezone(where).date()
    for offset in range(-1, days_ahead + 1):
        day = today + offset * _DAY
        if not _starts_on(window, day):
            continue
        start = window.start or time()
        end = window.end or time()
        over_midnight = end <= start
        yield (
            zones.local(day, start, where),
            zones.local(day + _DAY if over_midnight else day, end, where),
        )


def _starts_on(window: QuietWindow, day: date) -> bool:
    if not window.days and window.holidays is None:
        return True
    if day.weekday() in window.days:
        return True
    return window.holidays is not None and window.holidays.is_holiday(day)
