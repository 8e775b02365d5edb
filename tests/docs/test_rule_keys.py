"""Every key that a rule file may have is in the reference of the language."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from support.schema_keys import keys_of

REPO = Path(__file__).resolve().parents[2]
SCHEMAS = sorted((REPO / "schemas/v1").glob("*.schema.json"))


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda path: path.name)
def test_every_key_is_in_the_reference(schema):
    text = (REPO / "docs/rules.md").read_text(encoding="utf-8")
    silent = {
        key
        for key in keys_of(json.loads(schema.read_text(encoding="utf-8")))
        if not re.search(rf"`{key}[`:]|^ *(- )?\W*{key}:|[{{,] ?{key}:", text, re.MULTILINE)
    }
    assert not silent, "say in docs/rules.md what they are"
