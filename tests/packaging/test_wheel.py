"""The wheel: where channels and schemas lie can be wrong only there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from configparser import ConfigParser

import pytest


@pytest.fixture(scope="module")
def wheel(repo, tmp_path_factory):
    """A wheel built from the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    built = subprocess.run([*command, str(repo)], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def names(wheel):
    """The files in the wheel."""
    return set(zipfile.ZipFile(wheel).namelist())


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A folder that holds the wheel's files and nothing of the sources."""
    folder = tmp_path_factory.mktemp("installed")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def python(installed, code):
    """The output of some code that finds the wheel's packages before any other."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=installed,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def test_every_module_is_in_the_wheel(repo, names):
    modules = {
        path.relative_to(top).as_posix()
        for top, package in ((repo, "shopflow"), (repo / "channels", "shopflow_channels"))
        for path in (top / package).rglob("*.py")
    }
    assert modules <= names


def test_everything_the_modules_read_is_in_the_wheel(repo, names):
    beside = {
        path.relative_to(repo).as_posix()
        for path in (repo / "shopflow").rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"}
    }
    assert beside <= names


def test_schemas_lie_inside_the_package(repo, names):
    schemas = {
        f"shopflow/{path.relative_to(repo).as_posix()}"
        for path in (repo / "schemas").rglob("*.schema.json")
    }
    assert any(name.startswith("shopflow/schemas/v1/") for name in schemas)
    assert any(name.startswith("shopflow/schemas/events/") for name in schemas)
    assert schemas <= names


def test_both_packages_say_that_they_are_typed(names):
    assert {"shopflow/py.typed", "shopflow_channels/py.typed"} <= names


def test_nothing_else_is_at_the_top(names):
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "shopflow",
        "shopflow_channels",
    }


def test_channels_folder_is_no_package(repo):
    assert not (repo / "channels/__init__.py").exists()


def test_entry_points_of_the_wheel_can_be_imported(wheel, names, installed):
    (path,) = [name for name in names if name.endswith(".dist-info/entry_points.txt")]
    points = ConfigParser()
    points.read_string(zipfile.ZipFile(wheel).read(path).decode())
    assert set(points) >= {"console_scripts", "shopflow.channels"}
    for group in ("console_scripts", "shopflow.channels"):
        for name, target in points[group].items():
            module, _, attribute = target.partition(":")
            loaded = python(installed, f"import {module} as m; print(m.{attribute}, m.__file__)")
            assert str(installed) in loaded, name


def test_schemas_are_found_from_the_wheel(installed):
    code = "import shopflow.lang.schemas as s; print(s.folder())"
    assert str(installed) in python(installed, code)


def test_metadata_says_what_it_needs(wheel, names):
    (path,) = [name for name in names if name.endswith(".dist-info/METADATA")]
    text = zipfile.ZipFile(wheel).read(path).decode()
    assert re.search(r"^Requires-Python: >=3\.11$", text, re.MULTILINE)
    assert re.search(r"^License-File: LICENSE$", text, re.MULTILINE)
