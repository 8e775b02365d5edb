"""A small project of rules, and rule tests rehearsed on it."""

from __future__ import annotations

import pytest
from support.small_project import project_files

from shopflow.errors import RulesInvalid
from shopflow.gitops.expecting import judge
from shopflow.gitops.rehearsal import Stage
from shopflow.gitops.scenario import read_scenarios
from shopflow.gitops.versions import changed_by
from shopflow.rulebook import load_project


@pytest.fixture
def project(folder):
    """The project, with more files or other ones, loaded."""

    def load(workflow=None, tests=None, **files):
        return load_project(folder(project_files(workflow, tests, **files)), strict=False)

    return load


@pytest.fixture
def rehearsed(project):
    """What comes of tests on the project."""

    def run(*tests, workflow=None, **files):
        loaded = project(workflow, tests, **files)
        assert [str(each) for each in loaded.errors] == []
        stage = Stage(loaded.ruleset, loaded.templates, {})
        scenarios = read_scenarios(loaded.tests, loaded.ruleset, changed_by(loaded))
        return [stage.rehearse(scenario) for scenario in scenarios]

    return run


@pytest.fixture
def judged(rehearsed):
    """The results of tests on the project."""

    def run(*tests, **more):
        return [judge(rehearsal) for rehearsal in rehearsed(*tests, **more)]

    return run


@pytest.fixture
def problems(judged):
    """What a single test complains of."""

    def run(test, **more):
        (result,) = judged(test, **more)
        return list(result.problems)

    return run


@pytest.fixture
def refused(project):
    """What is wrong with a test that cannot be run."""

    def read(test):
        loaded = project(None, [test])
        assert [str(each) for each in loaded.errors] == []
        with pytest.raises(RulesInvalid) as caught:
            read_scenarios(loaded.tests, loaded.ruleset, changed_by(loaded))
        return [problem.message for problem in caught.value.problems]

    return read
