"""Watching a workflow changes nothing of what it decides."""

from __future__ import annotations

from support.shipped import shipped

from shopflow.gitops.rehearsal import Stage
from shopflow.gitops.scenario import read_scenarios
from shopflow.gitops.sightings import Sightings


def test_the_shipped_rules_decide_the_same_whether_they_are_watched_or_not():
    loaded = shipped()
    watched = Stage(loaded.ruleset, loaded.templates, sightings=Sightings())
    plain = Stage(loaded.ruleset, loaded.templates)
    scenarios = read_scenarios(loaded.tests, loaded.ruleset)
    assert len(scenarios) > 300
    for scenario in scenarios:
        seen, unseen = watched.rehearse(scenario), plain.rehearse(scenario)
        assert (seen.happened, seen.refused) == (unseen.happened, unseen.refused), scenario.title
