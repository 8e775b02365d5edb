"""Every row of the catalogue of workflows, lived through from event to receipt in both languages.

docs/catalogue.md is what was seen; `make docs` writes it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import yaml
from support.catalogue import LOCALES, evidence
from support.shipped import shipped

from shopflow.domain.step import Send

pytestmark = pytest.mark.slow

REPO = Path(__file__).parents[2]
ROWS = yaml.safe_load(Path(__file__).with_name("catalogue.yaml").read_text(encoding="utf-8"))
HEAD = """# The catalogue

What each row of the catalogue of workflows was seen doing, from the event to the channel's receipt; written by `make docs`.
A channel has accepted each send that is listed in French and in English.
"""  # noqa: E501 - one sentence a line


@pytest.fixture(scope="session")
def seen(tmp_path_factory):
    """What is seen of a workflow, once for all tests."""
    return cache(lambda name: evidence(shipped(), name, tmp_path_factory.mktemp(name)))


rows = pytest.mark.parametrize("workflows", ROWS.values(), ids=ROWS.keys())


def sends(name):
    steps = shipped().ruleset.workflows[name].steps
    return [step.id for step in steps.values() if isinstance(step, Send)]


@rows
def test_every_send_is_accepted_in_both_languages_and_every_exit_taken(workflows, seen):
    for name in workflows:
        workflow, found = shipped().ruleset.workflows[name], seen(name)
        assert found.accepted == {step: set(LOCALES) for step in sends(name)}
        assert found.exits == {rule.id for rule in workflow.exits}
        assert found.mishaps == []


@rows
def test_somebody_is_refused_and_the_reason_is_written_down(workflows, seen):
    for name in workflows:
        assert shipped().ruleset.workflows[name]
        assert seen(name).refusals, name


def test_every_workflow_of_the_pack_belongs_to_one_row_and_every_row_is_there():
    named = [name for workflows in ROWS.values() for name in workflows]
    assert sorted(named) == sorted(set(named))
    assert set(named) == set(shipped().ruleset.workflows)
    assert list(ROWS) == [f"W{number:02}" for number in range(1, 54)]


def told(names):
    return ", ".join(f"`{name}`" for name in names) or "-"


def lines(seen):
    yield "| row | workflow | sends accepted | exits taken | other ends | refused because |"
    yield "|---|---|---|---|---|---|"
    for row, workflows in ROWS.items():
        for name in workflows:
            found = seen(name)
            cells = [
                told(step for step in sends(name) if found.accepted[step] == set(LOCALES)),
                told(sorted(found.exits)),
                told(sorted(found.outcomes)),
                told(sorted(found.refusals)),
            ]
            yield f"| {row} | [{name}](workflows.md#{name}) | {' | '.join(cells)} |"


def test_the_page_tells_what_was_seen(seen, golden):
    golden(REPO / "docs/catalogue.md", HEAD + "\n" + "\n".join(lines(seen)) + "\n")
