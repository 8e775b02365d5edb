"""What messages say: subjects, texts, and snapshots that somebody has looked at."""

from __future__ import annotations

import pytest
from support.small_project import FULL

from shopflow.gitops.expecting import judge
from shopflow.gitops.rehearsal import Stage
from shopflow.gitops.scenario import read_scenarios
from shopflow.gitops.texts import Snapshots

PATH = "rules/tests/shop/snapshots/cart.reminder.txt"


def rendering(render):
    return {"name": "it says", "events": [FULL], "expect": {"render": render}}


@pytest.fixture
def told(project, tmp_path):
    """Problems of one check, held against the snapshots of a folder."""
    (tmp_path / "rules/tests/shop").mkdir(parents=True)

    def check(render, **options):
        loaded = project(None, [rendering(render)])
        stage = Stage(loaded.ruleset, loaded.templates, {})
        (scenario,) = read_scenarios(loaded.tests, loaded.ruleset)
        snapshots = Snapshots(root=tmp_path, **options)
        return list(judge(stage.rehearse(scenario), snapshots).problems), snapshots.written

    return check


def test_several_checks_are_all_made(told):
    problems, _ = told([{"subject": "Your cart"}, {"contains": ["Total 90", "Total 91"]}])
    assert problems == ["render: 'Total 91' is not in any message"]


def test_a_subject_is_the_whole_of_it(told):
    assert told({"subject": "Your"})[0] == ["render: the subject is 'Your cart', expected 'Your'"]


def test_a_snapshot_that_is_missing_is_a_failure_and_written_on_demand(told, tmp_path):
    check = {"step": "reminder", "snapshot": "reminder"}
    assert told(check)[0] == [
        f"render: there is no {PATH} yet; write it with --update, and look at it"
    ]
    assert told(check, update=True) == ([], [PATH])
    text = (tmp_path / PATH).read_text()
    assert text.startswith("subject: Your cart\npreheader: Everything is as you left it")
    assert "Total 90" in text
    assert told(check, update=True) == ([], [])
    assert told(check)[0] == []


def test_what_has_changed_since_somebody_looked_is_shown(told, tmp_path):
    check = {"snapshot": "reminder"}
    told(check, update=True)
    path = tmp_path / PATH
    path.write_text(path.read_text().replace("Total 90", "Total 80"))
    (problem,) = told(check)[0]
    lines = problem.splitlines()
    assert lines[0] == (
        "render: the message has changed; take it over with --update if that is right"
    )
    assert "-Total 80" in lines
    assert "+Total 90" in lines


def test_no_message_is_no_snapshot(told):
    (problem,) = told({"step": "settle", "snapshot": "reminder"}, update=True)[0]
    assert problem == "render: no message to hold against the snapshot reminder"
