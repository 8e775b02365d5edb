"""The schemas that editors use: they accept every rule file that ships, and refuse slips.

Checked with jsonschema alone, as an editor would: what only our own loader knows does not help.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from shopflow.lang.reading import parse
from shopflow.lang.schemas import KINDS

REPO = Path(__file__).resolve().parents[2]
BAD = REPO / "tests/rules/bad"
#: What a schema alone can tell; other codes need names, types or other files.
OF_SCHEMAS = {"SF005", "SF010", "SF011", "SF401", "SF705"}
FOLDERS = (".", "shopflow/gitops/scaffold", "tests/rules/project")
SHIPPED = [
    path
    for folder in FOLDERS
    for path in (
        *(REPO / folder).glob("shopflow.yaml"),
        *(REPO / folder).glob("environments/*.yaml"),
        *sorted((REPO / folder).glob("rules/**/*.yaml")),
    )
    if "templates" not in path.parts
]
SLIPS = [
    path
    for path in sorted(BAD.glob("*.yaml"))
    if OF_SCHEMAS & set(re.findall(r"\[(SF\d{3})\]", path.with_suffix(".txt").read_text("utf-8")))
]


@pytest.fixture(scope="module")
def schemas():
    found = {}
    for kind, name in KINDS.items():
        text = (REPO / f"schemas/v1/{name}.schema.json").read_text(encoding="utf-8")
        Draft202012Validator.check_schema(json.loads(text))
        found[kind] = Draft202012Validator(json.loads(text))
    return found


def read(path):
    document = parse(path.name, path.read_text(encoding="utf-8"))
    return document.root.data


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(REPO)))
def test_what_ships_is_accepted(path, schemas):
    data = read(path)
    assert not [error.message for error in schemas[data["kind"]].iter_errors(data)]


@pytest.mark.parametrize("path", SLIPS, ids=lambda path: path.stem)
def test_slips_are_refused(path, schemas):
    data = read(path)
    assert not schemas[data["kind"]].is_valid(data)


def test_every_code_of_schemas_has_a_slip():
    told = "".join(path.with_suffix(".txt").read_text("utf-8") for path in SLIPS)
    assert set(re.findall(r"\[(SF\d{3})\]", told)) >= OF_SCHEMAS


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(REPO)))
def test_an_editor_finds_the_schema_of_a_file_that_names_one(path):
    first = path.read_text(encoding="utf-8").splitlines()[0]
    named = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    if named and "://" not in named[1] and path.is_relative_to(REPO / "rules"):
        assert (path.parent / named[1]).resolve().is_file()
