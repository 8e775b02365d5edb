"""Watching a workflow changes nothing of what it decides."""

from __future__ import annotations

from pathlib import Path

from shopflow.gitops.rehearsal import Stage
from shopflow.gitops.scenario import read_scenarios
from shopflow.gitops.sightings import Sightings
from shopflow.rulebook import load_project

ROOT = Path(__file__).parents[2]


def test_the_shipped_rules_decide_the_same_whether_they_are_watched_or_not():
    loaded = load_project(ROOT, env={})
    watched = Stage(loaded.ruleset, loaded.templates, sightings=Sightings())
    plain = Stage(loaded.ruleset, loaded.templates)
    scenarios = read_scenarios(loaded.tests, loaded.ruleset)
    assert len(scenarios) > 300
    for scenario in scenarios:
        seen, unseen = watched.rehearse(scenario), plain.rehearse(scenario)
        assert (seen.happened, seen.refused) == (unseen.happened, unseen.refused), scenario.title
