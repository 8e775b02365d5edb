"""docs/security.md: each attempt is tried by a test that there is."""

from __future__ import annotations

import re


def test_each_attempt_names_where_it_is_tried(repo):
    text = (repo / "docs" / "security.md").read_text(encoding="utf-8")
    table = text.partition("| attempt |")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines()[2:] if line.startswith("|")]
    assert len(rows) > 20
    for row in rows:
        named = re.findall(r"`(tests/[\w/.]+)`", row)
        assert named, row
        assert all((repo / path).is_file() for path in named), row
