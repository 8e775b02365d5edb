"""Reading the rules as a commit has them, beside those of the working tree.

The files of one revision are laid out in a folder of their own, which is gone afterwards. Nothing
in the working tree, the index or the list of worktrees is touched.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from shopflow.errors import SettingsError
from shopflow.gitops.bundle import Provenance
from shopflow.gitops.git import commit_of, git, run
from shopflow.lang.repository import PROJECT_FILE, RULES
from shopflow.rulebook import LoadedProject, load_project

#: Signs of a commit's name that people are shown.
SHORT = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One commit of a rules repository, laid out in a folder; `root` holds its shopflow.yaml."""

    #: As it was asked for: a branch, a tag, a commit.
    ref: str
    #: The full name of the commit that it means.
    commit: str
    root: Path

    @property
    def short(self) -> str:
        """The name of the commit, as long as people need it."""
        return self.commit[:SHORT]

    def load(self) -> LoadedProject:
        """Its rules, compiled; problems are in it. Variables and secrets may be missing.

        Raises:
            PluginError: An installed channel cannot be loaded.
        """
        return load_project(self.root, strict=False)


@contextmanager
def revision(root: Path, ref: str) -> Iterator[Revision]:
    """The project under `root` as `ref` has it; its folder is there within the `with`.

    Raises:
        SettingsError: There is no git, no repository, no such commit, or no shopflow.yaml in it.
    """
    commit = commit_of(root, ref)
    place = _prefix(root)
    if not holds_project(root, commit):
        raise SettingsError(
            f"{ref} has no {place}{PROJECT_FILE}; "
            "name a revision that holds this project, one after it was added"
        )
    # From the top: below it, git takes the folder for one inside of the tree that it packs.
    top = Path(git(root, "rev-parse", "--show-toplevel").decode().rstrip("\n"))
    packed = git(top, "archive", "--format=tar", f"{commit}:{place}")
    with TemporaryDirectory(prefix="shopflow-revision-") as folder:
        _unpack(packed, Path(folder), ref)
        yield Revision(ref=ref, commit=commit, root=Path(folder))


def holds_project(root: Path, commit: str) -> bool:
    """Whether the project under `root` is there in that commit."""
    return not run(root, "cat-file", "-e", f"{commit}:{_prefix(root)}{PROJECT_FILE}").returncode


def _prefix(root: Path) -> str:
    """The way from the top of the repository to the project: empty, or with a slash behind it."""
    return git(root, "rev-parse", "--show-prefix").decode().rstrip("\n")


def _unpack(packed: bytes, folder: Path, ref: str) -> None:
    try:
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            # Nothing may land outside of the folder, by its name or through a link.
            archive.extractall(folder, filter="data")
    except (tarfile.TarError, OSError) as e:
        raise SettingsError(f"{ref} cannot be laid out as files: {e}") from e


def provenance_of(root: Path) -> Provenance:
    """The commit that a project's folder stands at, and whether its rules differ from it.

    Without git, or outside of a repository, nothing is known of where rules come from.
    """
    try:
        found = run(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    except SettingsError:
        return Provenance()
    if found.returncode:
        return Provenance()
    changed = git(root, "status", "--porcelain", "--", RULES, PROJECT_FILE)
    return Provenance(revision=found.stdout.decode().strip(), dirty=bool(changed.strip()))
