"""The page of every code: its wrong example has just that problem, its right one has none."""

from __future__ import annotations

import textwrap

import pytest
from support.lint_examples import files_of
from support.sound_project import RULES, SoundProject

from shopflow.lang.lint.catalogue import FAMILIES, catalogue, entry_of
from shopflow.problem import render

#: Codes that lint of one project cannot show, and who tells them.
TOLD_ELSEWHERE = {
    "SF014": "commands outside of a project",
    "SF504": "shopflow plan",
    **{f"SF60{number}": "shopflow plan" for number in range(1, 9)},
    "SF609": "shopflow lint --changed",
    "SF703": "shopflow test --coverage",
    "SF704": "shopflow test --coverage",
}
SHOWN = sorted(catalogue().keys() - TOLD_ELSEWHERE)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return SoundProject(tmp_path_factory.mktemp("project"))


@pytest.mark.parametrize("code", SHOWN)
def test_wrong_example_has_just_this_problem(code, project):
    entry = catalogue()[code]
    problems = project.load(files_of(entry.wrong), tested=code != "SF701").problems
    assert {problem.code for problem in problems} == {code}, [*map(str, problems)]
    assert {problem.severity for problem in problems} == {entry.severity}


@pytest.mark.parametrize("code", SHOWN)
def test_wrong_example_is_told_in_these_words(code, project, golden):
    problems = project.load(files_of(catalogue()[code].wrong)).problems
    golden(RULES / "pages" / f"{code}.txt", "".join(f"{render(each)}\n\n" for each in problems))


@pytest.mark.parametrize("code", SHOWN)
def test_page_says_how_sure_a_fix_is(code, project):
    entry = catalogue()[code]
    problems = project.load(files_of(entry.wrong), tested=code != "SF701").problems
    assert {each.fix and each.fix.safety for each in problems} == {entry.fix}


@pytest.mark.parametrize("code", SHOWN)
def test_right_example_has_no_problem(code, project):
    assert not [*map(str, project.load(files_of(catalogue()[code].right)).problems)]


def test_consent_and_the_way_out_of_texts_cannot_be_suppressed():
    open_codes = {code for code, entry in catalogue().items() if not entry.locked}
    assert not {code for code in open_codes if code.startswith("SF4") or code == "SF307"}


def test_what_other_commands_tell_cannot_be_suppressed():
    """They do not read comments, so that one would only look as if it did something."""
    assert all(catalogue()[code].locked for code in TOLD_ELSEWHERE)


def test_every_code_has_a_family():
    assert {entry.family for entry in catalogue().values()} <= FAMILIES.keys()


@pytest.mark.parametrize(
    ("name", "heading"),
    [
        ("SF999.md", "# SF998: of another file (error)"),
        ("SF999.md", "# SF999: no severity"),
        ("SF999.md", "# SF999: of no such word (error, lokced)"),
    ],
)
def test_a_page_of_another_form_is_refused(name, heading):
    page = textwrap.dedent("""
        It means something.

        ## Wrong

        ```yaml
        a: b
        ```

        ## Right

        ```yaml
        a: c
        ```
    """)
    with pytest.raises(ValueError, match=r"SF999\.md"):
        entry_of(name, f"{heading}\n{page}")
