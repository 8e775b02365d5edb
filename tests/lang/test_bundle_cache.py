"""The cache of compiled rules: used when it is sound and ours, and never a reason to fail."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from support.small_project import CART, project_files

from shopflow import rulebook
from shopflow.errors import RulesInvalid
from shopflow.lang.bundle_cache import BundleCache
from shopflow.rulebook import load_project

CART_FILE = "rules/workflows/shop/cart.yaml"


class Place:
    """A project and a cache of its own; counts how often rules were compiled."""

    def __init__(self, root, cache, monkeypatch):
        self.root, self.cache = root, cache
        self.compiled = 0
        build = rulebook.build

        def counted(*args):
            self.compiled += 1
            return build(*args)

        monkeypatch.setattr(rulebook, "build", counted)

    def load(self, **env):
        given = {"SHOPFLOW_CACHE": str(self.cache), **env}
        return load_project(self.root, env=given, kept=True)

    def files(self):
        return sorted(self.cache.glob("*.bundle"))

    def change(self, name, old, new):
        path = self.root / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))


@pytest.fixture
def place(folder, tmp_path, monkeypatch):
    return Place(folder(project_files()), tmp_path / "cache", monkeypatch)


def test_rules_are_compiled_once(place):
    first, second = place.load().require(), place.load().require()
    assert place.compiled == 1
    assert second.ruleset.digest == first.ruleset.digest
    assert second.sources == first.sources
    assert second.events.schemas == first.events.schemas
    assert second.context.traits.keys() == {*first.context.traits}
    assert place.cache.stat().st_mode & 0o777 == 0o700


def test_what_is_loaded_to_be_looked_at_is_always_compiled(place):
    place.load()
    assert load_project(place.root, env={}).workflows
    assert place.compiled == 2


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        (CART_FILE, "event.total >= 20", "event.total >= 21"),
        (CART_FILE, "wait: 1h", "wait: 2h"),
        ("rules/traits.yaml", "event.total", "event.total + 0.0"),
        ("rules/policies/consent.yaml", "service", "service # a word"),
        ("rules/templates/cart/reminder/log.en.txt", "Total", "Sum"),
        ("shopflow.yaml", "Europe/Paris", "Europe/Rome"),
        ("shopflow.yaml", "  log: {}", ""),
    ],
)
def test_any_change_of_what_they_are_made_of_compiles_them_again(place, name, old, new):
    place.load()
    place.change(name, old, new)
    place.load()
    assert place.compiled == 2


def test_another_program_compiles_them_again(place, monkeypatch):
    place.load()
    monkeypatch.setattr("shopflow.__version__", "99.0")
    place.load()
    assert place.compiled == 2


def test_a_new_event_type_of_the_shop_compiles_them_again(place):
    place.load()
    path = place.root / "rules/events/lamp.lit.schema.json"
    path.parent.mkdir()
    path.write_text('{"type": "object"}')
    assert "lamp.lit" in place.load().events.schemas
    assert place.compiled == 2


def test_rules_with_errors_are_never_kept(place):
    place.change(CART_FILE, "event.total >= 20", "event.totl >= 20")
    for _ in range(2):
        with pytest.raises(RulesInvalid):
            place.load().require()
    assert place.files() == []


def test_settings_are_looked_at_every_time(place):
    place.load()
    place.change("shopflow.yaml", "currency: EUR", "currency: EUR\nredis: ${NO_SUCH_VARIABLE}")
    with pytest.raises(RulesInvalid, match="NO_SUCH_VARIABLE"):
        place.load().require()


DAMAGES = {
    "cut to nothing": lambda content: content[:0],
    "cut in half": lambda content: content[: len(content) // 2],
    "another end": lambda content: content[:-1] + b"}",
    "a zero inside": lambda content: content[:200] + b"\0" + content[201:],
    "a pickle": lambda content: b"\x80\x04" + content,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_as_good_as_none(place, damage):
    whole = place.load().require()
    for path in place.files():
        path.write_bytes(damage(path.read_bytes()))
    again = place.load().require()
    assert (again.ruleset.digest, again.sources) == (whole.ruleset.digest, whole.sources)
    # It was written anew.
    place.compiled = 0
    place.load()
    assert place.compiled == 0


def test_what_others_could_have_written_is_not_read(place):
    place.load()
    place.files()[0].chmod(0o666)
    place.load()
    assert place.compiled == 2
    place.cache.chmod(0o777)
    place.load()
    assert place.compiled == 3


def test_documents_that_are_gone_are_made_again(place):
    whole = place.load().require().sources
    loaded = place.load().require()
    for path in place.files():
        path.unlink()
    assert loaded.sources == whole


def test_where_nothing_can_be_written_rules_are_compiled_every_time(place, tmp_path):
    (tmp_path / "file").write_text("")
    for cache in (tmp_path / "file", tmp_path / "file" / "below", "off"):
        place.compiled = 0
        for _ in range(2):
            assert place.load(SHOPFLOW_CACHE=str(cache)).require().sources
        assert place.compiled == 2, cache


def test_only_so_many_are_kept(place, monkeypatch):
    monkeypatch.setattr("shopflow.lang.bundle_cache.MOST", 3)
    for minutes in range(5):
        place.change(
            CART_FILE, f"wait: {minutes or 1}{'m' if minutes else 'h'}", f"wait: {minutes + 1}m"
        )
        place.load()
    assert len(place.files()) == 6


def test_many_workflows_are_compiled_by_another_process(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(rulebook, "MANY", 3)
    monkeypatch.setenv("SHOPFLOW_CACHE", str(tmp_path / "cache"))
    more = {
        f"rules/workflows/shop/cart-{number}.yaml": {**CART, "id": f"cart-{number}"}
        for number in range(4)
    }
    root = folder(project_files(**more))
    place = Place(root, tmp_path / "cache", monkeypatch)
    loaded = load_project(root, kept=True).require()
    assert len(loaded.ruleset.workflows) == 5
    assert place.compiled == 0
    # Broken ones it leaves to us, since their problems are to be told.
    place.change(CART_FILE, "event.total >= 20", "event.totl >= 20")
    with pytest.raises(RulesInvalid, match="totl"):
        load_project(root, kept=True).require()


def test_processes_that_start_at_once_all_get_the_same(place):
    code = (
        "import sys, pathlib; from shopflow.rulebook import load_project;"
        "print(load_project(pathlib.Path(sys.argv[1]), kept=True).require().ruleset.digest)"
    )
    environment = {**os.environ, "SHOPFLOW_CACHE": str(place.cache)}
    command = [sys.executable, "-c", code, str(place.root)]
    running = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    found = {process.communicate(timeout=300)[0].strip() for process in running}
    assert found == {place.load().ruleset.digest}
    assert len(place.files()) == 2
    assert not list(place.cache.glob("*.part"))


def test_the_cache_lies_where_the_user_keeps_caches(tmp_path):
    assert BundleCache.of({"HOME": "/h"})._folder.as_posix() == "/h/.cache/shopflow"
    assert (
        BundleCache.of({"HOME": "/h", "XDG_CACHE_HOME": "/x"})._folder.as_posix() == "/x/shopflow"
    )
    assert BundleCache.of({"SHOPFLOW_CACHE": str(tmp_path)})._folder == tmp_path
    assert not BundleCache.of({}).keeps
    assert not BundleCache.of({"SHOPFLOW_CACHE": "off", "HOME": "/h"}).keeps


def test_the_key_says_nothing_of_a_secret(place):
    place.change("shopflow.yaml", "currency: EUR", "currency: EUR\ndatabase: ${DB}")
    place.load(DB="sqlite:///one.db")
    place.load(DB="sqlite:///two.db")
    assert place.compiled == 1
