"""Freezes: when they hold and end, on the clock of a time zone that changes twice a year."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from shopflow.lang.freezes import freezes_of
from shopflow.lang.settings import read_settings

PARIS = "Europe/Paris"


def freeze(begins, ends, zone=PARIS):
    (found,) = freezes_of([{"from": begins, "to": ends}], zone)
    return found


def paris(text, fold=0):
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(PARIS), fold=fold)
    return local.astimezone(UTC)


@pytest.mark.parametrize(
    ("at", "ends"),
    [
        ("2026-11-20T15:59:59", None),
        ("2026-11-20T16:00", "2026-11-23T08:00"),
        ("2026-11-22T12:00", "2026-11-23T08:00"),
        ("2026-11-23T07:59:59", "2026-11-23T08:00"),
        ("2026-11-23T08:00", None),
        ("2026-11-25T12:00", None),
    ],
)
def test_a_weekend_begins_on_friday_and_ends_on_monday(at, ends):
    found = freeze("fri 16:00", "mon 08:00").ends_at(paris(at))
    assert found == (paris(ends) if ends else None)


@pytest.mark.parametrize(
    ("at", "ends"),
    [
        ("2026-11-26T23:59:59", None),
        ("2026-11-27T00:00", "2026-12-01T00:00"),
        ("2026-11-30T23:59:59", "2026-12-01T00:00"),
        ("2026-12-01T00:00", None),
        ("2027-11-27T12:00", None),
    ],
)
def test_the_last_day_is_frozen_as_a_whole(at, ends):
    found = freeze("2026-11-27", "2026-11-30").ends_at(paris(at))
    assert found == (paris(ends) if ends else None)


def test_times_of_one_day_do_not_run_over_the_week():
    noon = freeze("mon 12:00", "mon 14:00")
    assert noon.ends_at(paris("2026-11-23T13:00")) == paris("2026-11-23T14:00")
    assert noon.ends_at(paris("2026-11-24T13:00")) is None


def test_a_weekend_in_which_the_clocks_change_keeps_its_hours():
    weekend = freeze("fri 16:00", "mon 08:00")
    for friday, monday, hours in (
        ("2026-03-27T16:00", "2026-03-30T08:00", 63),
        ("2026-10-23T16:00", "2026-10-26T08:00", 65),
    ):
        begins, ends = paris(friday), weekend.ends_at(paris(friday))
        assert ends == paris(monday)
        assert (ends - begins).total_seconds() == hours * 3600


def test_a_time_that_comes_twice_is_its_first_and_one_that_is_skipped_comes_later():
    night = freeze("sun 01:00", "sun 02:30")
    first, second = paris("2026-10-25T02:30"), paris("2026-10-25T02:30", fold=1)
    assert night.ends_at(paris("2026-10-25T02:29")) == first
    assert night.ends_at(first) is None
    assert night.ends_at(second) is None
    skipped = night.ends_at(paris("2026-03-29T01:59"))
    assert skipped == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_a_freeze_is_of_the_time_zone_of_the_project(folder):
    head = "apiVersion: shopflow/v1\nkind: {}\n"
    root = folder(
        {
            "shopflow.yaml": head.format("Project")
            + "environment: test\nfreeze: [{from: 2026-11-27, to: 2026-11-27}]\n",
            "environments/test.yaml": head.format("Environment") + "timezone: Asia/Tokyo\n",
        }
    )
    settings = read_settings(root, {}, lambda *_: [], strict=True)
    assert settings.problems == []
    (found,) = settings.project.freeze
    assert found.ends_at(datetime(2026, 11, 26, 15, tzinfo=UTC)) is not None
    assert found.ends_at(datetime(2026, 11, 27, 15, tzinfo=UTC)) is None


def test_an_environment_says_all_of_its_freezes(folder):
    head = "apiVersion: shopflow/v1\nkind: {}\n"
    files = {
        "shopflow.yaml": head.format("Project")
        + "environment: staging\nfreeze: [{from: fri 16:00, to: mon 08:00}]\n",
        "environments/staging.yaml": head.format("Environment") + "freeze: []\n",
    }
    assert read_settings(folder(files), {}, lambda *_: [], strict=True).project.freeze == ()


def test_mistakes_of_an_environment_are_told_in_its_file(folder):
    head = "apiVersion: shopflow/v1\nkind: {}\n"
    files = {
        "shopflow.yaml": head.format("Project") + "environment: test\n",
        "environments/test.yaml": head.format("Environment")
        + "timezone: Europe/Pari\nfreeze: [{from: fri 16:00, to: 2026-11-30}]\n",
    }
    settings = read_settings(folder(files), {}, lambda *_: [], strict=True)
    told = [(each.code, each.location.path, each.location.line) for each in settings.problems]
    assert sorted(told) == [
        ("SF009", "environments/test.yaml", 3),
        ("SF009", "environments/test.yaml", 4),
    ]
    assert settings.project.freeze == ()
