"""The record of processing in the docs is what the policies of the shipped rules say."""

from __future__ import annotations

from support.shipped import shipped

from shopflow.report.article30 import record


def test_the_record_of_the_shipped_rules_is_what_their_policies_say(repo, golden):
    loaded = shipped()
    text = record(loaded.ruleset, loaded.project.sender)
    golden(repo / "docs" / "article30.md", text)
    for purpose in loaded.ruleset.purposes:
        assert f"| `{purpose}`" in text
    assert "1095 days after the last contact" in text
