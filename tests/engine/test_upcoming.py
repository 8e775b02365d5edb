"""What comes next is worked out once for everybody who asks, and is never wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shopflow.engine.upcoming import Upcoming

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Hourly:
    """Every full hour, and how often that had to be worked out."""

    def __init__(self):
        self.asked = 0

    def next_after(self, moment):
        self.asked += 1
        return moment.replace(minute=0, second=0, microsecond=0) + HOUR


def test_a_look_at_everybody_works_out_the_occurrence_and_the_one_after_it_once():
    upcoming, hourly = Upcoming(), Hourly()
    for customer in range(1000):
        last_look = NOON + timedelta(seconds=customer)
        first = upcoming.after("letter", last_look, hourly.next_after)
        assert first == NOON + HOUR
        assert upcoming.after("letter", first, hourly.next_after) == NOON + 2 * HOUR
    assert hourly.asked == 2


def test_keys_are_told_apart():
    upcoming = Upcoming()
    assert upcoming.after("a", NOON, lambda moment: moment + HOUR) == NOON + HOUR
    assert upcoming.after("b", NOON, lambda moment: moment + 2 * HOUR) == NOON + 2 * HOUR


@given(st.lists(st.integers(0, 6 * 60), max_size=40))
def test_it_always_answers_as_if_worked_out(minutes):
    upcoming = Upcoming()
    for minute in minutes:
        moment = NOON + timedelta(minutes=minute)
        found = upcoming.after("letter", moment, Hourly().next_after)
        assert found == Hourly().next_after(moment)
