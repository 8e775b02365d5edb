"""The starter pack as readers copy it: complete in both languages, tested, well set, well-behaved.

What lint and the rules' own tests check is left to them.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml
from support.servers import tool
from support.shipped import shipped

from shopflow import sms
from shopflow.domain.policy import MessageClass
from shopflow.engine.quiet import silent_until

ROOT = Path(__file__).parents[2]
RULES = ROOT / "rules"
TEMPLATES = RULES / "templates"

WORKFLOWS = sorted((RULES / "workflows").rglob("*.yaml"))
MAILS = sorted(TEMPLATES.glob("*/*/email.*.mjml"))
#: How the templates of the channels end.
ENDINGS = {"email": "mjml", "social": "txt", "sms": "txt", "webpush": "yaml", "onsite": "yaml"}
TEXTS = sorted(TEMPLATES.glob("*/*/sms.*.txt"))
#: Everything that is written for people.
WRITTEN = sorted(
    path for name, end in ENDINGS.items() for path in TEMPLATES.glob(f"*/*/{name}.*.{end}")
)
FRENCH = [path for path in WRITTEN if ".fr." in path.name and not path.name.startswith("social")]

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
        split = step.get("split", [])
        if isinstance(split, dict):
            split = split["branches"]
        for branch in [*step.get("choose", []), *split]:
            yield from sends(branch.get("then") or branch.get("else") or [])


def sent_by(path: Path) -> Iterator[tuple[dict, str]]:
    """Each send of a workflow with its purpose."""
    workflow = loaded(path)
    for step in sends(workflow["steps"]):
        yield step, step.get("purpose", workflow["purpose"])


def channels_of(step: dict) -> list[str]:
    send = step["send"]
    return [send] if isinstance(send, str) else next(iter(send.values()))


def texts_of(step: dict, locale: str) -> list[Path]:
    """The files that say what the send says, one for each channel."""
    folder = TEMPLATES / step["template"]
    return [folder / f"{name}.{locale}.{ENDINGS[name]}" for name in channels_of(step)]


def prose_of(path: Path) -> str:
    """What the template says, and what goes around it."""
    front, body = parts(path)
    if path.suffix == ".yaml":
        said = yaml.safe_load(body)
        body = "\n".join(said[part] for part in said if part not in ("slot", "url", "more_url"))
    around = [front[key] for key in ("subject", "preheader") if key in front]
    return "\n".join([*around, body])


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
            assert set(texts_of(step, locale)) <= set(WRITTEN)


@pytest.mark.parametrize("path", WORKFLOWS, ids=short)
def test_a_message_gets_just_the_values_and_the_purpose_that_it_declares(path):
    for step, purpose in sent_by(path):
        for locale in ("fr", "en"):
            fronts = [parts(path)[0] for path in texts_of(step, locale)]
            wanted = {name for front in fronts for name in front["variables"]}
            assert set(step.get("with", {})) == wanted, step["id"]
            assert all(purpose in front["purposes"] for front in fronts), step["id"]


@pytest.mark.parametrize("path", FRENCH, ids=short)
def test_both_languages_take_the_same_values_for_the_same_purposes(path):
    french, _ = parts(path)
    english, _ = parts(path.with_name(path.name.replace(".fr.", ".en.")))
    for key in ("variables", "purposes"):
        assert french[key] == english[key]


def test_no_template_lies_about_unused():
    sent = [step for path in WORKFLOWS for step, _ in sent_by(path)]
    assert {text for step in sent for one in ("fr", "en") for text in texts_of(step, one)} == {
        *WRITTEN
    }


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
    prose = _NOT_PROSE.sub("x", prose_of(path))
    assert not re.findall(r"\S*[ \n][:;!?»]|«[ \n]\S*|\d [%€]", prose)
    assert "'" not in prose, "French prose takes U+2019 for an apostrophe"


#: The words of the French templates that a dictionary was asked about; `make golden` writes it.
VOCABULARY = Path(__file__).with_name("words.fr.txt")


def words(prose: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]+(?:['-][^\W\d_]+)*", prose.replace("\u2019", "'")))


def french_words() -> list[str]:
    prose = (re.sub(r"https://\S+", " ", _NOT_PROSE.sub(" ", prose_of(path))) for path in FRENCH)
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


@pytest.mark.parametrize("path", TEXTS, ids=short)
def test_a_text_message_is_one_segment_with_the_longest_values_and_stop(path):
    front, _ = parts(path)
    project = shipped()
    name, locale = str(path.parent.relative_to(TEMPLATES)), path.name.split(".")[1]
    text = project.templates.render(name, "sms", locale, front["longest"])["text"]
    assert set(front["variables"]) <= set(front["longest"])
    assert not sms.altered(text), "write around letters that telephones lack"
    if not {"service"} & set(front["purposes"]):
        text = sms.with_stop(text, locale, project.project.sender.sms_stop)
    size = sms.size(sms.plain(text))
    assert (size.segments, size.foreign) == (1, "")
    assert text.startswith("Ma Boutique"), "it says who writes, whatever number it comes from"


@pytest.mark.parametrize("path", sorted(TEMPLATES.glob("*/*/webpush.*.yaml")), ids=short)
def test_a_notification_is_short_and_leads_somewhere(path):
    _, body = parts(path)
    notice = yaml.safe_load(body)
    assert len(notice["title"]) <= 40
    assert len(_NOT_PROSE.sub("x" * 10, notice["body"])) <= 120
    assert notice["url"]


def test_every_picture_has_words_for_who_cannot_see_it():
    pictures = [
        tag
        for path in TEMPLATES.rglob("*.mjml")
        for tag in re.findall(r"<(?:img|mj-image)\b[^>]*>", path.read_text(encoding="utf-8"))
    ]
    assert pictures
    assert all(' alt="' in tag for tag in pictures)


@pytest.mark.parametrize(
    ("day", "is_quiet"),
    [("2026-04-03", True), ("2026-12-26", True), ("2026-07-14", True), ("2026-04-02", False)],
    ids=["Good Friday", "Saint Stephen", "14 July", "a Thursday"],
)
def test_nobody_gets_a_text_on_a_holiday_of_alsace_and_moselle(day, is_quiet):
    noon = datetime.fromisoformat(f"{day}T12:00:00+02:00")
    windows = shipped().ruleset.quiet_windows
    until = silent_until(windows, "sms", MessageClass.MARKETING, noon, ZoneInfo("Europe/Paris"))
    assert (until is not None) is is_quiet
