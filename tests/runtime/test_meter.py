"""What a process counts by itself: sums, lengths of time in classes, and instants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from shopflow.runtime.meter import BOUNDS, Meter

NOW = datetime(2026, 3, 3, 10, tzinfo=UTC)


def ago(*seconds):
    return [NOW - timedelta(seconds=each) for each in seconds]


def test_a_sum_grows():
    meter = Meter()
    meter.add("busy", "process", amount=0.5)
    meter.add("busy", "process", amount=0.25)
    assert meter.sums == {("busy", "process"): 0.75}


def test_each_length_is_in_its_class_and_the_end_of_a_class_is_in_it():
    meter = Meter()
    meter.took("t", since=ago(4000, 0.2, 0.05, 0.04), until=NOW)
    assert meter.sums == {
        ("t", "+Inf"): 1,
        ("t", "0.25"): 1,
        ("t", "0.05"): 2,
        ("t", "sum"): 4000.29,
    }


def test_a_batch_of_one_class_counts_as_each_of_it_would():
    together, apart = Meter(), Meter()
    since = ago(0.24, 0.21, 0.18, 0.15, 0.12)
    together.took("t", since=since, until=NOW)
    for one in since:
        apart.took("t", since=[one], until=NOW)
    assert together.sums.keys() == apart.sums.keys()
    for series, amount in apart.sums.items():
        assert abs(together.sums[series] - amount) < 1e-9


def test_a_clock_that_went_back_is_no_time_at_all():
    meter = Meter()
    meter.took("t", since=ago(-3), until=NOW)
    assert meter.sums == {("t", str(BOUNDS[0])): 1, ("t", "sum"): 0}


def test_the_latest_instant_stays():
    meter = Meter()
    for at in ago(5, 0, 9):
        meter.mark("tick", at=at)
    assert meter.marks == {("tick",): NOW.timestamp()}


def test_what_was_taken_and_given_back_is_counted_once():
    meter = Meter()
    meter.add("a")
    meter.mark("m", at=NOW)
    sums, marks = meter.take()
    meter.add("a")
    meter.mark("m", at=NOW - timedelta(seconds=9))
    meter.give_back(sums, marks)
    assert meter.sums == {("a",): 2}
    assert meter.marks == {("m",): NOW.timestamp()}
