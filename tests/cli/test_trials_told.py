"""Trials in words: in the status, in the journal, and in the picture of a workflow."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from support.shipped import shipped

from shopflow.domain.journal import JournalEntry, Kind
from shopflow.domain.trial import Result, Trial
from shopflow.gitops.graph.flow import flow
from shopflow.report import trials
from shopflow.report.sentences import sentence
from shopflow.store.trials import KeptTrial

NOW = datetime(2026, 3, 3, 10, tzinfo=UTC)
KEPT = KeptTrial(
    trial=Trial(
        id="t1",
        workflow="newsletter",
        version=3,
        digest="d1",
        step="subject",
        run="2026-03",
        begun_at=NOW,
        decide_at=NOW + timedelta(hours=4),
        branches=("short", "long"),
        by=Result.CLICKED,
    ),
    counts={"short": {Result.SENT: 1_500, Result.CLICKED: 21}, "long": {Result.SENT: 1_480}},
)


def test_a_trial_under_way_tells_when_it_is_decided():
    [line] = trials.as_text([KEPT])
    assert line == (
        "trial newsletter/subject 2026-03, clicked: short 21 of 1,500, long 0 of 1,480; "
        "decided after 2026-03-03 14:00 UTC"
    )


def test_a_trial_that_is_over_tells_its_winner():
    over = replace(KEPT, trial=replace(KEPT.trial, winner="short"))
    [line] = trials.as_text([over])
    assert line.endswith("; short has won")
    [plain] = trials.as_json([over])
    assert plain["winner"] == "short"
    assert plain["branches"]["long"] == {"sent": 1_480, "opened": 0, "clicked": 0, "goal": 0}


@pytest.mark.parametrize(
    ("reason", "values", "told"),
    [
        ("short", {"trial": "test"}, "step subject: short, one of those whom it is tried on"),
        ("short", {"trial": "winner"}, "step subject: short, which has won"),
        (
            "",
            {"trial": "waits", "until": "2026-03-03T14:00:00Z"},
            "step subject: waits for the branch that wins, until 2026-03-03T14:00:00Z",
        ),
        ("warm", {}, "step subject: warm"),
    ],
)
def test_the_journal_says_why_somebody_took_a_branch(reason, values, told):
    entry = JournalEntry(
        at=NOW, customer_id="anna", kind=Kind.STEP, step="subject", reason=reason, values=values
    )
    assert sentence(entry) == told


def test_the_journal_says_who_has_won():
    entry = JournalEntry(
        at=NOW,
        customer_id="",
        kind=Kind.DECIDED,
        step="subject",
        reason="short",
        values={"by": "clicked"},
    )
    assert sentence(entry) == "step subject: short has won by clicked"


def test_the_picture_of_a_workflow_tells_what_is_tried_and_for_how_long():
    project = shipped()
    graph = flow([project.ruleset.workflows["newsletter"]])
    split = next(one for one in graph.nodes if one.id == "newsletter.subject")
    assert split.lines == ("subject", "winner by clicked after 4h")
    labels = {edge.label for edge in graph.edges if edge.source == split.id}
    assert labels == {"the_visit, 5% or winner", "the_secret, 5% or winner"}
