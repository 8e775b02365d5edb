"""Every mistake that lint finds, with its exact words: one file a mistake, dropped into a project.

`tests/rules/project` is a sound project, `good` holds files that lint says nothing about, and `bad`
a file for each mistake with what lint prints of it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.sound_project import RULES, SoundProject, place_of

from shopflow.lang.lint.catalogue import catalogue
from shopflow.problem import render

BAD = sorted(path.stem for path in (RULES / "bad").glob("*.yaml"))
GOOD = sorted(path.stem for path in (RULES / "good").glob("*.yaml"))


#: The mistake of having no test; all others have one.
UNTESTED = "live-without-tests"


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    """Loads the sound project with one file more, or one in place of its own."""
    project = SoundProject(tmp_path_factory.mktemp("project"))

    def loaded(file: Path | None):
        if file is None:
            return project.load()
        text = file.read_text(encoding="utf-8")
        return project.load({place_of(text, file.stem): text}, tested=file.stem != UNTESTED)

    return loaded


def printed(project) -> str:
    return "".join(f"{render(problem)}\n\n" for problem in project.problems)


def test_nothing_is_said_about_a_sound_project(load):
    assert printed(load(None)) == ""


@pytest.mark.parametrize("name", GOOD)
def test_nothing_is_said_about_good_rules(name, load):
    project = load(RULES / "good" / f"{name}.yaml")
    assert printed(project) == ""
    assert name in project.ruleset.workflows


@pytest.mark.parametrize("mistake", BAD)
def test_a_mistake_is_told_in_these_words(mistake, load, golden):
    text = printed(load(RULES / "bad" / f"{mistake}.yaml"))
    assert text, "lint finds nothing"
    golden(RULES / "bad" / f"{mistake}.txt", text)


def test_every_code_in_the_words_is_in_the_catalogue():
    texts = "".join(path.read_text(encoding="utf-8") for path in (RULES / "bad").glob("*.txt"))
    codes = set(re.findall(r"(?:error|warning)\[(SF\d+)\]", texts))
    assert codes <= catalogue().keys()


def test_lint_says_the_same_twice(load):
    file = RULES / "bad" / "many-mistakes.yaml"
    assert printed(load(file)) == printed(load(file))


def test_every_code_that_the_sources_use_is_in_the_catalogue(repo):
    sources = (repo / "shopflow").rglob("*.py")
    used = {
        code for path in sources for code in re.findall(r'"(SF\d{3})"', path.read_text("utf-8"))
    }
    schemas = "".join(path.read_text("utf-8") for path in (repo / "schemas/v1").glob("*.json"))
    used |= set(re.findall(r'"(SF\d{3})"', schemas))
    assert used == catalogue().keys()
