"""The channel that docs/channels.md shows is one: its code runs and keeps the contract."""

from __future__ import annotations

import re
import sys
import textwrap
import tomllib
from types import ModuleType

import pytest


@pytest.fixture
def blocks(repo):
    """The page's blocks by language, without the indentation of the list they stand in."""
    text = (repo / "docs/channels.md").read_text(encoding="utf-8")
    found = {}
    for language, code in re.findall(r"^ *```(\w+)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL):
        found.setdefault(language, []).append(textwrap.dedent(code))
    return found


@pytest.fixture
def pigeon(blocks, monkeypatch):
    """The page's Python as a module of its own."""
    module = ModuleType("carrier_pigeon")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec("\n".join(blocks["python"]), vars(module))
    return module


def test_channel_of_the_page_keeps_the_contract(pigeon):
    pigeon.test_carrier_pigeon_keeps_the_contract()


def test_entry_point_of_the_page_names_the_class(blocks, pigeon):
    (toml,) = blocks["toml"]
    points = tomllib.loads(toml)["project"]["entry-points"]["shopflow.channels"]
    module, _, name = points[pigeon.CarrierPigeon.name].partition(":")
    assert getattr(sys.modules[module], name) is pigeon.CarrierPigeon
