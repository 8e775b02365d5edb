"""However a file is broken, lint tells what is wrong with it and never fails itself."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from shopflow.lang.build import build
from shopflow.lang.compiler.context import InstalledChannel
from shopflow.lang.lint import Subject, run_checks
from shopflow.lang.lint.catalogue import catalogue
from shopflow.lang.project import Project
from shopflow.lang.repository import read_repository
from shopflow.lang.templates import load_templates
from shopflow.problem import render

RULES = Path(__file__).parents[1] / "rules"
NOISE = [*"{}[]:,\"'|>#&*!-x1%@`?\\\té", "\n", "  ", "- ", ": ", "{}", "[]", "null", "1h", "event."]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("broken")
    shutil.copytree(RULES / "project", root, dirs_exist_ok=True)
    shutil.copytree(RULES / "good", root / "rules/workflows/good")
    return root


def broken(text: str, rng: random.Random) -> str:
    for _ in range(rng.choice([1, 1, 2, 4])):
        place = rng.randrange(len(text))
        if rng.random() < 0.5:
            text = text[:place] + text[place + rng.choice([1, 1, 3, 12]) :]
        else:
            text = text[:place] + rng.choice(NOISE) + text[place:]
    return text


@pytest.mark.parametrize("seed", range(60))
def test_lint_survives_any_file(project, seed):
    rng = random.Random(seed)
    files = sorted(path for path in (project / "rules").rglob("*.yaml") if "cart/" not in str(path))
    file = rng.choice(files)
    text = file.read_text(encoding="utf-8")
    file.write_text(broken(text, rng), encoding="utf-8")
    try:
        repository = read_repository(project)
        channels = {name: InstalledChannel(name=name) for name in ("email", "sms", "webpush")}
        built = build(repository, Project(root=project), channels)
        templates, _ = load_templates(project / "rules/templates", locale="fr")
        problems = [*repository.problems, *built.problems, *run_checks(Subject(built, templates))]
    finally:
        file.write_text(text, encoding="utf-8")
    for problem in problems:
        assert problem.code in catalogue()
        assert render(problem)
