"""docs/workflows.md is what `shopflow graph --format markdown` says of the shipped rules."""

from __future__ import annotations

from pathlib import Path

from support.shipped import shipped

from shopflow.gitops.graph.page import page

REPO = Path(__file__).resolve().parents[2]
HEAD = """# The starter pack

Every workflow of `rules/workflows`, by area: what starts it, what it sends, what ends it; written by `make docs`.
For your own rules: `shopflow graph --format markdown`.
What each was seen doing is in [the catalogue](catalogue.md), the words are in [the glossary](glossary.md).

"""  # noqa: E501 - one sentence a line


def test_the_page_is_what_the_rules_say(golden):
    loaded = shipped()
    golden(REPO / "docs/workflows.md", HEAD + page(loaded, loaded.ruleset.workflows.values()))
