"""docs/lint.md is what `shopflow rule` says, and the command tells what a wrong code may mean."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from shopflow.cli.main import main
from shopflow.lang.lint.catalogue import catalogue


def rule(*words):
    result = CliRunner().invoke(main, ["rule", *words])
    return result.exit_code, result.output


def test_page_is_made_of_the_codes(repo, golden):
    code, page = rule("--all", "--format", "markdown")
    assert code == 0
    golden(repo / "docs/lint.md", page)


def test_a_code_shows_its_page():
    assert rule("sf103") == (0, catalogue()["SF103"].page)


def test_a_prefix_means_all_that_begin_so():
    _, output = rule("SF4", "SF401", "--format", "json")
    codes = [each["code"] for each in json.loads(output)]
    assert codes == [code for code in catalogue() if code.startswith("SF4")]


def test_every_code_is_listed():
    _, output = rule("--all")
    assert [line.split()[0] for line in output.splitlines()] == list(catalogue())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["SF1033"], "no code 'SF1033'; did you mean 'SF103'?"),
        (["103"], "no code '103'"),
        ([], "name a code such as SF103"),
        (["SF103", "--all"], "name a code such as SF103"),
    ],
)
def test_wrong_words_are_told(words, told):
    code, output = rule(*words)
    assert code == 2
    assert told in output
