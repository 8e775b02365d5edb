"""The starter pack as readers copy it: complete in both languages, tested, well set, well-behaved.

What lint and the rules' own tests check is left to them.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml
from support.servers import tool

ROOT = Path(__file__).parents[2]
RULES = ROOT / "rules"
TEMPLATES = RULES / "templates"

WORKFLOWS = sorted((RULES / "workflows").rglob("*.yaml"))
MAILS = sorted(TEMPLATES.glob("*/*/email.*.mjml"))
POSTS = sorted(TEMPLATES.glob("*/*/social.*.txt"))
FRENCH = [path for path in MAILS if path.name == "email.fr.mjml"]

_NOT_PROSE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|<[^>]*>", re.DOTALL)


@cache
def loaded(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def parts(path: Path) -> tuple[dict, str]:
    _, front, body = path.read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(front), body


def short(path: Path) -> str:
    return str(path.relative_to(RULES))


def sends(steps: list) -> Iterator[dict]:
    for step in steps:
        if "send" in step:
            yield step
        for inner in (step.get("then"), step.get("else"), step.get("repeat", {}).get("steps")):
            yield from sends(inner or [])
        for branch in [*step.get("choose", []), *step.get("split", [])]:
            yield from sends(branch.get("then") or branch.get("else") or [])


def sent_by(path: Path) -> Iterator[tuple[dict, str]]:
    """Each send of a workflow with its purpose."""
    workflow = loaded(path)
    for step in sends(workflow["steps"]):
        yield step, step.get("purpose", workflow["purpose"])


def text_of(step: dict, locale: str) -> Path:
    """The file that says what the send says."""
    name = {"email": f"email.{locale}.mjml", "social": f"social.{locale}.txt"}[step["send"]]
    return TEMPLATES / step["template"] / name


@pytest.mark.parametrize("path", WORKFLOWS, ids=short)
def test_a_workflow_has_a_test_beside_it(path):
    folder, name = path.parent.name, path.stem
    tests = RULES / "tests" / folder / f"{name}.test.yaml"
    assert tests.exists()
    assert loaded(tests)["workflow"] == name == loaded(path)["id"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=short)
def test_every_message_of_a_workflow_is_there_in_french_and_english(path):
    for step, _ in sent_by(path):
        for locale in ("fr", "en"):
            assert text_of(step, locale) in MAILS + POSTS


@pytest.mark.parametrize("path", WORKFLOWS, ids=short)
def test_a_message_gets_just_the_values_and_the_purpose_that_it_declares(path):
    for step, purpose in sent_by(path):
        for locale in ("fr", "en"):
            front, _ = parts(text_of(step, locale))
            assert set(step["with"]) == set(front["variables"]), step["id"]
            assert purpose in front["purposes"], step["id"]


@pytest.mark.parametrize("path", FRENCH, ids=short)
def test_both_languages_take_the_same_values_for_the_same_purposes(path):
    french, _ = parts(path)
    english, _ = parts(path.with_name("email.en.mjml"))
    for key in ("variables", "purposes"):
        assert french[key] == english[key]


def test_no_template_lies_about_unused():
    used = {step["template"] for path in WORKFLOWS for step, _ in sent_by(path)}
    assert used == {str(path.parent.relative_to(TEMPLATES)) for path in MAILS + POSTS}


@pytest.mark.parametrize("path", MAILS, ids=short)
def test_subject_and_preheader_fit_a_phone(path):
    front, _ = parts(path)
    assert 1 <= len(front["subject"]) <= 50
    assert 40 <= len(front["preheader"]) <= 90


@pytest.mark.parametrize("path", MAILS, ids=short)
def test_service_and_review_mails_carry_no_offer(path):
    front, body = parts(path)
    if not {"service", "review", "reply"} & set(front["purposes"]):
        return
    assert "code" not in front["variables"]
    assert not re.search(r"\d\s?%|\boffer\b|promo", _NOT_PROSE.sub("", body))


@pytest.mark.parametrize("path", FRENCH, ids=short)
def test_french_punctuation_keeps_to_its_word(path):
    front, body = parts(path)
    prose = _NOT_PROSE.sub("x", "\n".join([front["subject"], front["preheader"], body]))
    assert not re.findall(r"\S*[ \n][:;!?»]|«[ \n]\S*|\d [%€]", prose)
    assert "'" not in prose, "French prose takes U+2019 for an apostrophe"


#: The words of the French templates that a dictionary was asked about; `make golden` writes it.
VOCABULARY = Path(__file__).with_name("words.fr.txt")


def words(prose: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]+(?:['-][^\W\d_]+)*", prose.replace("\u2019", "'")))


def french_words() -> list[str]:
    prose = []
    for path in FRENCH:
        front, body = parts(path)
        prose.append(_NOT_PROSE.sub(" ", "\n".join([front["subject"], front["preheader"], body])))
    return sorted(words("\n".join(prose)))


def misspelt(text: str) -> set[str]:
    """The words that the French dictionary does not know."""
    speller = tool("hunspell", "hunspell hunspell-fr")
    told = subprocess.run(
        [speller, "-l", "-d", "fr_FR", "-i", "utf-8"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, f"apt-get install hunspell-fr? {told.stderr}"
    return set(told.stdout.split())


def test_french_words_are_those_that_the_dictionary_was_asked_about(golden):
    """Runs everywhere: a new word is looked up by the test below before it is written down."""
    golden(VOCABULARY, "\n".join(french_words()) + "\n")


def test_french_is_spelt_as_the_dictionary_has_it():
    assert misspelt("\n".join(french_words())) == set()


def test_every_picture_has_words_for_who_cannot_see_it():
    pictures = [
        tag
        for path in TEMPLATES.rglob("*.mjml")
        for tag in re.findall(r"<(?:img|mj-image)\b[^>]*>", path.read_text(encoding="utf-8"))
    ]
    assert pictures
    assert all(' alt="' in tag for tag in pictures)
