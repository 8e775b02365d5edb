"""What an installation gives: a command, and a channel contract that loads nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest

import shopflow

HEAVY = ("sqlalchemy", "redis", "rq", "starlette", "click", "celpy", "minijinja", "httpx")


def fresh(code):
    """The output of some code in an interpreter of its own."""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.parametrize("module", ["shopflow", "shopflow.channel", "shopflow.domain"])
def test_light_doors_load_nothing_heavy(module):
    loaded = fresh(f"import sys, {module}; print(*sys.modules)").split()
    assert not [name for name in HEAVY if name in loaded]


def test_command_is_installed_and_helps():
    command = Path(sys.executable).parent / "shopflow"
    ran = subprocess.run([command, "--help"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "lint" in ran.stdout


def test_shipped_channels_are_announced():
    announced = {entry.name for entry in entry_points(group="shopflow.channels")}
    assert {"email", "log", "webhook"} <= announced


def test_version_is_the_packages_own():
    assert version("shopflow") == shopflow.__version__
