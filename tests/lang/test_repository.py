"""Reading a repository's files: broken ones are told and do not stop the others."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from shopflow.lang.repository import read_repository

PROJECT = Path(__file__).parents[1] / "rules" / "project"


@pytest.fixture
def project(tmp_path):
    shutil.copytree(PROJECT, tmp_path, dirs_exist_ok=True)
    return tmp_path


def codes(repository) -> list[tuple[str, str]]:
    return [(problem.code, problem.location.path) for problem in repository.problems]


def test_a_file_that_is_no_text_is_told(project):
    (project / "rules/workflows/binary.yaml").write_bytes(b"\xff\xfe\x00")
    repository = read_repository(project)
    assert codes(repository) == [("SF001", "rules/workflows/binary.yaml")]
    assert len(repository.of_kind("Workflow")) == 2


def test_an_empty_file_is_told(project):
    (project / "rules/traits.yaml").write_text("", encoding="utf-8")
    assert codes(read_repository(project)) == [("SF001", "rules/traits.yaml")]


@pytest.mark.parametrize("text", ["- a\n", "just text\n", "kind: Workflow\n"])
def test_a_file_of_another_shape_is_told(project, text):
    (project / "rules/traits.yaml").write_text(text, encoding="utf-8")
    found = {code for code, path in codes(read_repository(project)) if path == "rules/traits.yaml"}
    assert found == {"SF004"}


def test_a_file_that_nothing_reads_is_told(project):
    (project / "rules/trait.yaml").write_text("a: 1\n", encoding="utf-8")
    (project / "rules/workflows/w.yml").write_text("a: 1\n", encoding="utf-8")
    assert codes(read_repository(project)) == [
        ("SF013", "rules/trait.yaml"),
        ("SF013", "rules/workflows/w.yml"),
    ]


def test_hidden_files_are_left_alone(project):
    (project / "rules/.cache").mkdir()
    (project / "rules/.cache/x.yaml").write_text(": :", encoding="utf-8")
    assert codes(read_repository(project)) == []


@pytest.mark.parametrize(
    ("schema", "code", "words"),
    [
        ("{", "SF001", "no JSON"),
        (json.dumps({"type": "objekt"}), "SF004", "no JSON Schema"),
        (json.dumps({"type": "string"}), "SF004", "type: object"),
        (json.dumps({"type": "object", "properties": {"id": {}}}), "SF004", "'id' is reserved"),
    ],
)
def test_an_event_schema_of_the_shop_is_checked(project, schema, code, words):
    path = project / "rules/events/store.visited.schema.json"
    path.write_text(schema, encoding="utf-8")
    (problem,) = read_repository(project).problems
    assert problem.code == code
    assert words in problem.message


def test_the_shops_own_events_stand_beside_the_shipped_ones(project):
    catalogue = read_repository(project).catalogue
    assert "store.visited" in catalogue
    assert "order.placed" in catalogue
    assert "order.placed" in catalogue.under("order.")
