"""`shopflow test --from-customer`: a test made of what is recorded of somebody."""

from __future__ import annotations

from pathlib import Path

import click

from shopflow.cli.reading import open_for_reading
from shopflow.domain.ids import CustomerId
from shopflow.gitops.recorded.making import file_of, workflows_of
from shopflow.lang.names import did_you_mean
from shopflow.rulebook import LoadedProject, load_project
from shopflow.store.records import Timeline


def test_of_record(project: Path, customer_id: str, workflow: str | None) -> str:
    """The text of the test file.

    Raises:
        click.UsageError: Nobody of that id is known, or it cannot be told which workflow is meant.
        RulesInvalid: The rules have errors.
        SettingsError: Nothing is recorded that concerns the workflow.
    """
    loaded = load_project(project, strict=False).require()
    with open_for_reading(project) as (_, store):
        customer = store.views.customer(CustomerId(customer_id))
        timeline = store.views.timeline(CustomerId(customer_id))
        if customer is None and not timeline.events:
            raise click.UsageError(f"no customer '{customer_id}' is known here")
        chosen = _chosen(loaded, timeline) if workflow is None else _named(loaded, workflow)
        text = file_of(loaded, timeline, customer, chosen, store.recommendations)
    return text.rstrip("\n")


def _chosen(loaded: LoadedProject, timeline: Timeline) -> str:
    """The one workflow that the customer met."""
    met = [name for name in workflows_of(timeline) if name in loaded.ruleset.workflows]
    if len(met) != 1:
        told = f"it met {', '.join(met)}" if met else "it met none of those that there are now"
        raise click.UsageError(f"say which workflow it is a test of, by --workflow: {told}")
    return met[0]


def _named(loaded: LoadedProject, workflow: str) -> str:
    """The workflow of that name."""
    if workflow not in loaded.ruleset.workflows:
        hint = did_you_mean(workflow, loaded.ruleset.workflows)
        raise click.UsageError(f"no workflow named '{workflow}'; {hint}")
    return workflow
