"""Quiet hours: tables of silent moments and others, with both DST changes."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from shopflow.domain.policy import MessageClass, QuietWindow
from shopflow.engine import quiet

PARIS = ZoneInfo("Europe/Paris")


class Armistice:
    code = "FR"

    def is_holiday(self, day):
        return (day.month, day.day) == (11, 11)


NIGHT = QuietWindow(id="night", start=time(20), end=time(8))
SUNDAY = QuietWindow(id="sunday", days=frozenset({6}), holidays=Armistice())
LUNCH = QuietWindow(id="lunch", start=time(12), end=time(13, 30), days=frozenset({0, 1, 2, 3, 4}))
SMALL_HOURS = QuietWindow(id="small", start=time(2), end=time(3))


def paris(text):
    return datetime.fromisoformat(text).replace(tzinfo=PARIS).astimezone(UTC)


@pytest.mark.parametrize(
    ("windows", "moment", "until"),
    [
        ([NIGHT], "2026-03-03T19:59:59", None),
        ([NIGHT], "2026-03-03T20:00", "2026-03-04T08:00"),
        ([NIGHT], "2026-03-04T00:00", "2026-03-04T08:00"),
        ([NIGHT], "2026-03-04T07:59:59", "2026-03-04T08:00"),
        ([NIGHT], "2026-03-04T08:00", None),
        # Saturday night runs into Sunday, and Sunday's own silence into Sunday night.
        ([NIGHT, SUNDAY], "2026-03-07T21:00", "2026-03-09T08:00"),
        ([SUNDAY], "2026-03-08T00:00", "2026-03-09T00:00"),
        ([SUNDAY], "2026-03-07T23:59", None),
        ([SUNDAY], "2026-11-11T12:00", "2026-11-12T00:00"),
        ([LUNCH], "2026-03-03T12:15", "2026-03-03T13:30"),
        ([LUNCH], "2026-03-07T12:15", None),
        # Spring: 02:00 to 03:00 does not exist on 29 March 2026.
        ([NIGHT], "2026-03-28T21:00", "2026-03-29T08:00"),
        ([SMALL_HOURS], "2026-03-29T01:59", None),
        ([SMALL_HOURS], "2026-03-29T04:00", None),
        # Autumn: 02:00 to 03:00 comes twice on 25 October 2026; both are silent.
        ([NIGHT], "2026-10-24T21:00", "2026-10-25T08:00"),
        ([SMALL_HOURS], "2026-10-25T02:30", "2026-10-25T03:00"),
    ],
)
def test_silence_reigns_until(windows, moment, until):
    found = quiet.silent_until(windows, "sms", MessageClass.MARKETING, paris(moment), PARIS)
    assert found == (paris(until) if until else None)


def test_the_repeated_hour_is_silent_both_times():
    second = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    found = quiet.silent_until([SMALL_HOURS], "sms", MessageClass.MARKETING, second, PARIS)
    assert found == datetime(2026, 10, 25, 2, 0, tzinfo=UTC)


def test_a_window_of_another_channel_or_class_does_not_count():
    window = QuietWindow(id="sms", channels=frozenset({"sms"}), start=time(20), end=time(8))
    night = paris("2026-03-03T22:00")
    assert quiet.silent_until([window], "email", MessageClass.MARKETING, night, PARIS) is None
    assert quiet.silent_until([window], "sms", MessageClass.SERVICE, night, PARIS) is None


def test_a_window_may_name_its_own_zone():
    window = QuietWindow(id="ny", start=time(20), end=time(8), timezone="America/New_York")
    found = quiet.silent_until(
        [window], "sms", MessageClass.MARKETING, paris("2026-03-03T09:00"), PARIS
    )
    assert found == datetime(2026, 3, 3, 13, tzinfo=UTC)


def test_the_next_silence_is_the_first_start_after_now():
    found = quiet.silent_from(
        [NIGHT, LUNCH], "sms", MessageClass.MARKETING, paris("2026-03-03T09:00"), PARIS
    )
    assert found == paris("2026-03-03T12:00")
    assert (
        quiet.silent_from([], "sms", MessageClass.MARKETING, paris("2026-03-03T09:00"), PARIS)
        is None
    )
