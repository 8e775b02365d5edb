"""The shape of the sources: small modules that say what they own, tests that can be found."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest
import shopflow_channels

import shopflow

PACKAGES = [Path(package.__file__).parent for package in (shopflow, shopflow_channels)]
MODULES = sorted(path for package in PACKAGES for path in package.rglob("*.py"))
MOST_LINES = 350


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_no_module_is_long(package):
    long = {
        str(path.relative_to(package)): lines
        for path in sorted(package.rglob("*.py"))
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }
    assert not long, f"over {MOST_LINES} lines; name the concept that is missing: {long}"


def test_every_module_opens_with_what_it_owns():
    silent = [
        str(path)
        for path in MODULES
        if (text := path.read_text(encoding="utf-8")).strip()
        and not ast.get_docstring(ast.parse(text))
    ]
    assert not silent, f"no docstring at the top: {silent}"


def test_nothing_is_named_after_being_useful():
    vague = {"utils", "util", "helpers", "misc", "common"}
    assert not [str(path) for path in MODULES if vague & set(path.with_suffix("").parts)]


def test_test_folders_are_no_packages(repo):
    assert not list((repo / "tests").rglob("__init__.py"))


def test_every_test_file_has_a_name_of_its_own(repo):
    names = Counter(path.name for path in (repo / "tests").rglob("test_*.py"))
    assert not [name for name, times in names.items() if times > 1]
