"""Every mistake that lint finds, with its exact words: one file a mistake, dropped into a project.

`tests/rules/project` is a sound project, `good` holds files that lint says nothing about, and `bad`
a file for each mistake with what lint prints of it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shopflow.channel import ContentSpec, OnUncertain
from shopflow.lang.lint.catalogue import CATALOGUE
from shopflow.problem import render
from shopflow.rulebook import load_project

RULES = Path(__file__).parents[1] / "rules"
BAD = sorted(path.stem for path in (RULES / "bad").glob("*.yaml"))
GOOD = sorted(path.stem for path in (RULES / "good").glob("*.yaml"))
PLACES = {
    "Project": "shopflow.yaml",
    "Workflow": "rules/workflows/new/{name}.yaml",
    "WorkflowTest": "rules/tests/new/{name}.test.yaml",
    "Traits": "rules/traits.yaml",
    "Segments": "rules/segments.yaml",
    "ConsentPolicy": "rules/policies/consent.yaml",
    "FrequencyCaps": "rules/policies/caps.yaml",
    "QuietHours": "rules/policies/quiet-hours.yaml",
    "Retention": "rules/policies/retention.yaml",
    "Coupon": "rules/coupons/{name}.yaml",
}


SETTINGS = {
    "type": "object",
    "properties": {"host": {"type": "string"}},
    "additionalProperties": False,
}


def a_channel(
    name: str, *extensions: str, required: tuple[str, ...] = (), is_sms: bool = False
) -> type:
    class Installed:
        settings_schema = SETTINGS
        needs_address = True
        content = ContentSpec(extensions=extensions, required=required, is_sms=is_sms)
        on_uncertain = OnUncertain.RESEND

        def __init__(self, settings) -> None: ...

        async def send(self, messages) -> AsyncIterator:
            for message in messages:
                yield message.id, None

        async def aclose(self) -> None: ...

    Installed.name = name
    return Installed


CHANNELS = {
    channel.name: channel
    for channel in (
        a_channel("email", "mjml", "html", "txt", required=("subject", "html")),
        a_channel("sms", "txt", required=("text",), is_sms=True),
        a_channel("webpush", "yaml", required=("title", "body")),
        a_channel("fax", "txt"),
    )
}


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    """Loads the sound project with one file more, or one in place of its own."""
    root = tmp_path_factory.mktemp("project")
    shutil.copytree(RULES / "project", root, dirs_exist_ok=True)

    def loaded(file: Path | None):
        if file is None:
            return load_project(root, env={}, channels=CHANNELS)
        kind = re.search(r"^kind: (\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
        place = PLACES.get(kind[1] if kind else "", PLACES["Workflow"])
        path = root / place.format(name=file.stem)
        before = path.read_text(encoding="utf-8") if path.exists() else None
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, path)
        try:
            return load_project(root, env={}, channels=CHANNELS)
        finally:
            path.unlink() if before is None else path.write_text(before, encoding="utf-8")

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
    assert codes <= CATALOGUE.keys()


def test_lint_says_the_same_twice(load):
    file = RULES / "bad" / "many-mistakes.yaml"
    assert printed(load(file)) == printed(load(file))


def test_every_code_that_the_sources_use_is_in_the_catalogue(repo):
    sources = [*(repo / "shopflow" / "lang").rglob("*.py"), repo / "shopflow" / "errors.py"]
    used = {
        code for path in sources for code in re.findall(r'"(SF\d{3})"', path.read_text("utf-8"))
    }
    schemas = "".join(path.read_text("utf-8") for path in (repo / "schemas/v1").glob("*.json"))
    used |= set(re.findall(r'"(SF\d{3})"', schemas))
    assert used == CATALOGUE.keys()
