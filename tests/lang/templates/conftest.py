"""A folder of templates written by the test, and its loading."""

from __future__ import annotations

from textwrap import dedent

import pytest

from shopflow.lang.templates import load_templates
from shopflow.problem import render


@pytest.fixture
def load(tmp_path):
    """Loads files given by name; the set and the problems as text."""

    def load(files, *, locale="fr", **options):
        for name, text in files.items():
            target = tmp_path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(text, bytes):
                target.write_bytes(text)
            else:
                target.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
        templates, problems = load_templates(tmp_path, locale=locale, **options)
        return templates, [render(problem) for problem in problems]

    return load


@pytest.fixture
def loaded(load):
    """The set alone, for files that are without fault."""

    def loaded(files, **options):
        templates, problems = load(files, **options)
        assert problems == []
        return templates

    return loaded
