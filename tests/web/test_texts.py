"""The texts of pages: the same in every language, each used, none missing."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

from shopflow.web.pages import LOCALES, texts

WEB = Path(__file__).resolve().parents[2] / "shopflow/web"
#: Names that are put together of what a page is about and these.
MADE = re.compile(r"(language|channel|by|frequency_week)_\w+|\w+_(title|text|wrong)")


def fields(text):
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_every_language_says_the_same_things():
    first, *others = (texts(locale) for locale in LOCALES)
    for other in others:
        assert list(other) == list(first)
        assert {k: fields(v) for k, v in other.items()} == {k: fields(v) for k, v in first.items()}


def test_every_text_is_used():
    sources = [*WEB.glob("*.py"), *WEB.glob("templates/*.html")]
    said = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    plain = [name for name in texts("en") if not MADE.fullmatch(name)]
    assert [name for name in plain if f'"{name}"' not in said and f"'{name}'" not in said] == []


def test_every_refusal_has_its_words():
    sources = "\n".join(path.read_text(encoding="utf-8") for path in WEB.glob("*.py"))
    names = set(re.findall(r'Refusal\(\d+, "(\w+)"\)', sources))
    assert len(names) > 5
    assert {f"{name}_{part}" for name in names for part in ("title", "text")} <= set(texts("fr"))


@pytest.mark.parametrize("mark", [":", ";", "!", "?", "»"])
def test_french_marks_have_a_space_that_does_not_break(mark):
    loose = [name for name, text in texts("fr").items() if f" {mark}" in text]
    assert loose == [], "a line must not begin with it"
