"""Cron schedules across changes of the clocks, and public holidays."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from shopflow.lang.calendars import CronSchedule, cron_schedule, public_holidays, zone


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "moment", "following"),
    [
        ("0 10 * * *", "2026-01-15T08:59", "2026-01-15T09:00"),
        ("0 10 * * *", "2026-01-15T09:00", "2026-01-16T09:00"),
        ("0 10 * * *", "2026-07-15T07:00", "2026-07-15T08:00"),
        ("0 10 * * mon", "2026-03-03T00:00", "2026-03-09T09:00"),
        # 02:30 does not exist on 29 March in Paris: right after the gap, and only once.
        ("30 2 * * *", "2026-03-29T00:10", "2026-03-29T01:30"),
        ("30 2 * * *", "2026-03-29T01:10", "2026-03-29T01:30"),
        ("30 2 * * *", "2026-03-29T01:30", "2026-03-30T00:30"),
        # It exists twice on 25 October: the first one, and only once.
        ("30 2 * * *", "2026-10-24T23:00", "2026-10-25T00:30"),
        ("30 2 * * *", "2026-10-25T00:30", "2026-10-26T01:30"),
        ("30 2 * * *", "2026-10-25T01:15", "2026-10-26T01:30"),
        ("0 9 29 2 *", "2026-01-01T00:00", "2028-02-29T08:00"),
    ],
)
def test_the_next_occurrence_is_a_local_time(cron, moment, following):
    schedule = CronSchedule(cron, "Europe/Paris")
    assert schedule.next_after(at(moment)) == at(following)


@pytest.mark.parametrize("cron", ["*/7 * * * *", "15 3,22 * * *", "30 2 * * *", "0 10 * * mon"])
@pytest.mark.parametrize("timezone", ["Europe/Paris", "Asia/Kolkata", "Australia/Lord_Howe"])
def test_asked_every_few_minutes_or_once_a_schedule_says_the_same(cron, timezone):
    schedule = CronSchedule(cron, timezone)
    for beginning in ("2026-03-28T20:00", "2026-10-24T20:00"):
        moment = at(beginning)
        while moment < at(beginning) + timedelta(hours=12):
            following = schedule.next_after(moment)
            assert following > moment
            # Nothing lies between: a moment right before it has the same answer.
            assert schedule.next_after(following - timedelta(microseconds=1)) == following
            moment += timedelta(minutes=7)


@pytest.mark.parametrize("cron", ["0 10 * *", "61 * * * *", "0 10 30 2 *", "0 10 * * mond", "x"])
def test_what_is_no_schedule_is_told(cron):
    assert isinstance(cron_schedule(cron, "UTC"), str)


def test_a_schedule_says_what_was_written():
    assert CronSchedule("0 10 * * *", "UTC").source == "0 10 * * * UTC"


def test_holidays_of_a_country_and_of_a_part_of_it():
    france, moselle = public_holidays("FR"), public_holidays("FR-57")
    assert france.is_holiday(date(2026, 7, 14))
    assert not france.is_holiday(date(2026, 12, 26))
    assert moselle.is_holiday(date(2026, 12, 26))
    assert france.code == "FR"


@pytest.mark.parametrize("code", ["XX", "FR-99"])
def test_holidays_that_nobody_knows(code):
    assert public_holidays(code) is None


@pytest.mark.parametrize("name", ["Europe/Pari", "", "/etc/passwd", "../UTC"])
def test_a_zone_that_does_not_exist(name):
    assert zone(name) is None
