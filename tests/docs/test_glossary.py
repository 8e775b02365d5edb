"""The glossary knows every class of the domain, and names no class that is gone."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re

import pytest

from shopflow import domain

ENTRY = re.compile(r"^- (\*\*.+?\*\*(?:, \*\*.+?\*\*)*)((?: `\w+`)*):", re.MULTILINE)


def domain_names():
    """Every public name that the modules of the domain define, and the classes among them."""
    names, classes = set(), set()
    for info in pkgutil.walk_packages(domain.__path__, f"{domain.__name__}."):
        module = importlib.import_module(info.name)
        names |= {name for name in vars(module) if not name.startswith("_")}
        classes |= {
            name
            for name, value in inspect.getmembers(module, inspect.isclass)
            if value.__module__ == module.__name__ and not name.startswith("_")
        }
    return names, classes


@pytest.fixture(scope="module")
def entries(repo):
    """Words and the class names behind them, as the page lists them."""
    text = (repo / "docs/glossary.md").read_text(encoding="utf-8")
    words, classes = [], []
    for found in ENTRY.finditer(text):
        words += re.findall(r"\*\*(.+?)\*\*", found[1])
        classes += re.findall(r"\w+", found[2])
    assert len(words) > text.count("\n- ") - 1, "an entry is not of the form: - **word** `Class`: …"
    return words, classes


def test_every_domain_class_has_an_entry(entries):
    _, classes = domain_names()
    assert not classes - set(entries[1]), "add them to docs/glossary.md"


def test_glossary_names_no_class_that_is_gone(entries):
    names, _ = domain_names()
    assert not set(entries[1]) - names, "take them out of docs/glossary.md"


def test_no_word_or_class_is_explained_twice(entries):
    for kind in entries:
        assert len(kind) == len(set(kind)), sorted({name for name in kind if kind.count(name) > 1})
