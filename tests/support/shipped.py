"""The shipped rules, loaded once for all tests of a process."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from shopflow.rulebook import LoadedProject, load_project

REPO = Path(__file__).resolve().parents[2]


@cache
def shipped() -> LoadedProject:
    """The project of the sources."""
    return load_project(REPO, env={}).require()
