"""The pages of codes that need a revision before: wrong has the problem, right has it not."""

from __future__ import annotations

import shutil
from collections import Counter
from typing import NamedTuple

import pytest
from support.lint_examples import files_of, workflow_with
from support.sound_project import SoundProject

from shopflow.gitops.plan.rule_changes import rule_changes
from shopflow.gitops.plan.safety import findings
from shopflow.lang.lint.catalogue import catalogue
from shopflow.problem import Severity

STEPS = "steps:\n  - {id: settle, wait: 1h}\n  - {id: rest, wait: 2h}\n"
CAPS = """apiVersion: shopflow/v1
kind: FrequencyCaps
caps:
  - {id: week, max: 3, in_any: 7d, classes: [marketing, relationship], if_capped: skip}
"""
SEGMENTS = """apiVersion: shopflow/v1
kind: Segments
segments: {buyers: {when: customer.orders_count > 0}}
"""
OPENED = """{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
"properties": {"colour": {"type": "string", "maxLength": 40}, "size": {"type": "integer"}}}"""
BOX = "rules/events/box.opened.schema.json"
BIG = "exit_on: [{id: big, event: box.opened, when: has(event.size) && event.size > 3}]\n"
BOUGHT = "exit_on: [{id: bought, when: segments.buyers}]\n"
EXAMPLE = "rules/workflows/new/example.yaml"
LIVE = {EXAMPLE: workflow_with(f"status: live\n{STEPS}")}
#: The same without the part that a later revision no longer needs.
PLAIN = {EXAMPLE: workflow_with(f"status: live\nversion: 2\n{STEPS}")}


class Case(NamedTuple):
    """The revision before the change, and what the change has beside the files of the page."""

    before: dict[str, str]
    beside: dict[str, str]


CASES = {
    "SF504": Case(
        {EXAMPLE: workflow_with(f"status: live\n{BOUGHT}{STEPS}"),
         "rules/segments.yaml": SEGMENTS},
        PLAIN,
    ),
    "SF601": Case(LIVE, {}),
    "SF602": Case(LIVE, {}),
    "SF603": Case(LIVE, {}),
    "SF604": Case({EXAMPLE: workflow_with(f"in_flight: {{max_age: 30d}}\n{STEPS}")}, {}),
    "SF605": Case({**LIVE, "rules/policies/caps.yaml": CAPS}, LIVE),
    "SF606": Case({EXAMPLE: workflow_with(f"status: draft\n{STEPS}")}, {}),
    "SF607": Case(LIVE, {}),
    "SF608": Case({EXAMPLE: workflow_with(f"status: live\n{BIG}{STEPS}"), BOX: OPENED}, PLAIN),
}  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The sound project without workflows of its own."""
    found = SoundProject(tmp_path_factory.mktemp("project"))
    shutil.rmtree(found.root / "rules/workflows")
    shutil.rmtree(found.root / "rules/tests", ignore_errors=True)
    return found


def found_in(project, code, examples):
    case = CASES[code]
    base = project.load(case.before).require()
    head = project.load({**case.beside, **files_of(examples)}).require()
    return findings(base, head, rule_changes(base, head), Counter())


@pytest.mark.parametrize("code", CASES)
def test_wrong_example_has_this_problem(code, project):
    entry = catalogue()[code]
    found = [each for each in found_in(project, code, entry.wrong) if each.code == code]
    assert [each.severity for each in found] == [entry.severity], [*map(str, found)]
    assert found[0].hint


@pytest.mark.parametrize("code", CASES)
def test_right_example_has_no_problem_that_holds_it_up(code, project):
    found = found_in(project, code, catalogue()[code].right)
    assert not [str(one) for one in found if one.code == code and one.severity is not Severity.INFO]


def test_every_code_that_plan_tells_is_shown():
    words = "`shopflow plan` and `shopflow lint --changed` say"
    told = {code for code, entry in catalogue().items() if words in entry.explanation}
    assert told == set(CASES)
