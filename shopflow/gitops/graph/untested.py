"""The steps of workflows that no test shows, by their nodes in a drawing of ways."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from shopflow.domain.workflow import Workflow
from shopflow.gitops.rehearsal import Stage
from shopflow.gitops.scenario import read_scenarios
from shopflow.gitops.sightings import Sightings
from shopflow.gitops.versions import changed_by
from shopflow.rulebook import LoadedProject


def untested(loaded: LoadedProject, workflows: Iterable[Workflow]) -> set[str]:
    """What stays unseen when every test of these workflows has run, failed or not.

    Raises:
        RulesInvalid: A test says what cannot be done.
    """
    sightings = Sightings()
    shop = asdict(loaded.project.sender)
    stage = Stage(loaded.ruleset, loaded.templates, shop, sightings)
    chosen = {workflow.id: workflow for workflow in workflows}
    for scenario in read_scenarios(loaded.tests, loaded.ruleset, changed_by(loaded)):
        if scenario.workflow in chosen:
            stage.rehearse(scenario)
    return {
        f"{name}.{step}"
        for name, workflow in chosen.items()
        for step in workflow.steps
        if ("step", step) not in sightings.of(name)
    }
