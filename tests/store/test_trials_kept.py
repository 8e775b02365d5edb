"""When a trial began and who has won it is kept once; its results add up over all partitions."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from shopflow.domain.trial import CountResult, Result, Trial, TrialWatch


@pytest.fixture
def trial(now):
    return Trial(
        id="t1",
        workflow="newsletter",
        version=3,
        digest="d1",
        step="subject",
        run="2026-03",
        begun_at=now,
        decide_at=now + timedelta(hours=4),
        branches=("short", "long"),
        by=Result.CLICKED,
    )


def a_result(trial, result, branch="short", customer="anna", at=None):
    watch = TrialWatch(
        trial=trial.id,
        workflow=trial.workflow,
        version=trial.version,
        step=trial.step,
        enrolment_id="e1",
        branch=branch,
        until=trial.decide_at,
    )
    return CountResult(customer_id=customer, watch=watch, result=result, at=at or trial.begun_at)


def test_who_comes_second_is_told_when_the_trial_began(store, trial):
    other = replace(trial, begun_at=trial.begun_at + timedelta(hours=1))
    with store.transaction() as batch:
        assert batch.begin_trials([trial]) == [trial]
    with store.transaction() as batch:
        assert batch.begin_trials([other]) == [trial]
    assert store.views.trial("t1").trial == trial
    assert store.views.trial("t2") is None


def test_results_of_all_customers_add_up(store, trial):
    customers = [f"c{number}" for number in range(20)]
    assert len({store.partition_of(one) for one in customers}) == store.partitions
    with store.transaction() as batch:
        batch.begin_trials([trial])
        batch.count_results(a_result(trial, Result.SENT, customer=one) for one in customers)
    with store.transaction() as batch:
        batch.count_results([a_result(trial, Result.SENT, "long"), a_result(trial, Result.CLICKED)])
    assert store.views.trial("t1").counts == {
        "short": {Result.SENT: 20, Result.CLICKED: 1},
        "long": {Result.SENT: 1},
    }
    told = Counter()
    for row in store.views.stats():
        if row.key.variant:
            told[row.key.variant, row.key.result] += row.count
    assert told == {
        ("short", "trial:sent"): 20,
        ("short", "trial:clicked"): 1,
        ("long", "trial:sent"): 1,
    }


def test_the_first_winner_stays(store, trial):
    with store.transaction() as batch:
        batch.begin_trials([trial])
        assert batch.decide_trial("t1", "long")
    with store.transaction() as batch:
        assert not batch.decide_trial("t1", "short")
        assert batch.begin_trials([trial]) == [replace(trial, winner="long")]
    assert store.views.trial("t1").trial.winner == "long"


def test_what_a_batch_did_that_failed_was_never_there(store, trial):
    def fail():
        with store.transaction() as batch:
            batch.begin_trials([trial])
            batch.count_results([a_result(trial, Result.SENT)])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.views.trials() == []


def test_the_latest_come_first(store, trial):
    later = replace(trial, id="t2", run="2026-04", begun_at=trial.begun_at + timedelta(days=30))
    with store.transaction() as batch:
        batch.begin_trials([trial, later])
    assert [one.trial.id for one in store.views.trials()] == ["t2", "t1"]
    assert [one.trial.id for one in store.views.trials(limit=1)] == ["t2"]
