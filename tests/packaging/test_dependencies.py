"""What the sources import is what pyproject.toml declares, no less and no more."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import shopflow_channels

import shopflow

OURS = {"shopflow", "shopflow_channels"}
#: Needed without an import: time zones where the system has none.
BY_NAME = {"tzdata"}


def plain(name):
    """A distribution's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def imported():
    """Top-level packages that the sources import, beside the standard library and our own."""
    found = set()
    for package in (shopflow, shopflow_channels):
        for path in Path(package.__file__).parent.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    found |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    found.add(node.module.partition(".")[0])
    return found - OURS - set(sys.stdlib_module_names)


@pytest.fixture(scope="module")
def project(repo):
    """The project table of pyproject.toml."""
    return tomllib.loads((repo / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def names(requirements):
    return {plain(re.match(r"[\w.-]+", requirement)[0]) for requirement in requirements}


def test_every_import_is_declared(imported, project):
    declared = names(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        declared |= names(extra)
    owners = packages_distributions()
    undeclared = {
        module
        for module in imported
        if not {plain(owner) for owner in owners.get(module, [module])} & declared
    }
    assert not undeclared, f"imported and not in pyproject.toml: {undeclared}"


def test_every_declared_dependency_is_imported(imported, project):
    owners = packages_distributions()
    used = {plain(owner) for module in imported for owner in owners.get(module, [module])}
    assert not names(project["dependencies"]) - used - BY_NAME, "declared and never imported"
