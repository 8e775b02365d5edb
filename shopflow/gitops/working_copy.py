"""A copy of a project's files, for looking at what would be if some of them were changed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from shopflow.lang.repository import ENVIRONMENTS, PROJECT_FILE, RULES


@contextmanager
def working_copy(root: Path) -> Iterator[Path]:
    """A folder with the project's settings and rules; it is gone afterwards."""
    with TemporaryDirectory(prefix="shopflow-lint-") as folder:
        copy = Path(folder)
        if (root / PROJECT_FILE).is_file():
            shutil.copy(root / PROJECT_FILE, copy)
        for name in (ENVIRONMENTS, RULES):
            if (root / name).is_dir():
                shutil.copytree(root / name, copy / name)
        yield copy
