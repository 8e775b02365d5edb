"""What tests of every part share: the repository, the recorded streams beside it, golden files."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import settings

REPO = Path(__file__).resolve().parent.parent
SHARED = REPO.parent / "shared"

# A slow machine is no wrong answer. In CI Hypothesis has a profile of its own, without chance.
settings.register_profile("patient", deadline=None)
if not os.environ.get("CI"):
    settings.load_profile("patient")


def pytest_addoption(parser):
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite the expected outputs kept in files instead of comparing with them",
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """Half as many again as there are cores: many tests wait for servers of theirs."""
    return (os.cpu_count() or 1) * 3 // 2


def pytest_itemcollected(item):
    # Before `-m golden` chooses.
    if "golden" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.golden)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    # What takes long begins first, so that in the end no worker is at it alone.
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish():
    """Thousands of tests are never garbage, and are not looked at again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory) -> None:
    """Compiled rules of tests, and of processes that they start, are kept apart from the user's."""
    os.environ["SHOPFLOW_CACHE"] = str(tmp_path_factory.mktemp("bundles"))


@pytest.fixture(scope="session", autouse=True)
def _own_bytecode(tmp_path_factory) -> None:
    """Some hundreds of processes that tests start do not each compile the program anew."""
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
        os.environ["PYTHONPYCACHEPREFIX"] = str(tmp_path_factory.mktemp("bytecode"))


@pytest.fixture(scope="session")
def repo() -> Path:
    """The top folder of the sources."""
    return REPO


@pytest.fixture(scope="session")
def shared() -> Path:
    """The recorded event streams and conformance cases, which lie beside the repository."""
    if not SHARED.is_dir():
        pytest.skip(f"the recorded streams are not on this machine: no folder {SHARED}")
    return SHARED


@pytest.fixture
def anyio_backend() -> str:
    """The event loop of tests marked anyio: the one the program runs on."""
    return "asyncio"


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[Mapping[str, str]], Path]:
    """Writes the files given, path to text, under one new folder and returns the folder."""

    def write(files: Mapping[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tmp_path

    return write


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Holds a text against the file that keeps it; `make golden` rewrites the file."""

    def compare(path: Path, text: str) -> None:
        if request.config.getoption("--update-golden"):
            path.write_text(text, encoding="utf-8")
            return
        assert path.is_file(), f"{path} is missing: `make golden` writes it"
        assert text == path.read_text(encoding="utf-8"), "if the new text is right: make golden"

    return compare
