"""One look at a project's rules: how problems are found, and which of them are shown."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from shopflow.gitops.fixing import Finder
from shopflow.gitops.version_labels import kept_versions
from shopflow.lang.lint.catalogue import catalogue
from shopflow.lang.repository import PROJECT_FILE, RULES
from shopflow.problem import Problem, in_order
from shopflow.rulebook import LoadedProject, load_project


@dataclass(frozen=True, slots=True)
class View:
    """Which problems of a project are shown; None and nothing mean all."""

    root: Path
    #: Files and folders that were named.
    paths: Sequence[Path] = ()
    #: Files that changed, by their paths in the project.
    files: frozenset[str] | None = None
    select: frozenset[str] | None = None
    ignore: frozenset[str] | None = None

    def shows(self, problem: Problem) -> bool:
        """Whether the problem is shown. What is locked cannot be ignored."""
        code, places = problem.code, {problem.location.path}
        if problem.related is not None:
            places.add(problem.related.location.path)
        if self.ignore is not None and code in self.ignore and not catalogue()[code].locked:
            return False
        if self.select is not None and code not in self.select:
            return False
        if self.files is not None and not any(map(self._is_changed, places)):
            return False
        return not self.paths or any(
            (self.root / problem.location.path).is_relative_to(path.resolve())
            for path in self.paths
        )

    def _is_changed(self, place: str) -> bool:
        """True of a file that changed, and of a folder in which one did."""
        files = self.files or frozenset()
        return place in files or any(file.startswith(f"{place}/") for file in files)


@contextmanager
def short_lived() -> Iterator[None]:
    """What is made within is never looked through for garbage: the process ends soon after."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.freeze()
            gc.enable()


@contextmanager
def finder(
    root: Path,
    base: str | None,
    changed: frozenset[str],
    today: date,
    *,
    allow_shrink: bool = False,
) -> Iterator[Finder]:
    """What finds the problems of the project in a folder, as it is in `root` or was mended.

    With a base, a commit, what speaks against the change itself is found too.

    Raises:
        SettingsError: git cannot read the base.
    """
    rules = any(path == PROJECT_FILE or path.startswith(f"{RULES}/") for path in changed)
    if base is None or not rules:
        yield lambda folder: list(_loaded(folder, today).problems)
        return
    # It brings much along that most calls of lint can do without.
    from shopflow.gitops.revision import holds_project, revision  # noqa: PLC0415

    if not holds_project(root, base):
        yield lambda folder: list(_loaded(folder, today).problems)
        return
    with revision(root, base) as old:
        before = old.load()

        def find(folder: Path) -> list[Problem]:
            now = _loaded(folder, today)
            against = _against(now, before, allow_shrink=allow_shrink)
            return in_order([*now.problems, *kept_versions(now, before, changed), *against])

        yield find


def _against(now: LoadedProject, before: LoadedProject, *, allow_shrink: bool) -> Iterable[Problem]:
    """What plan says against the change; what rules with errors change, nobody can tell."""
    from shopflow.gitops.plan.rule_changes import rule_changes  # noqa: PLC0415 - as above
    from shopflow.gitops.plan.safety import findings  # noqa: PLC0415

    if before.errors or now.errors:
        return ()
    return findings(before, now, rule_changes(before, now), {}, allow_shrink=allow_shrink)


def _loaded(folder: Path, today: date) -> LoadedProject:
    return load_project(folder, strict=False, today=today)
