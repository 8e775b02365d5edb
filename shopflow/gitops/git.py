"""Asking git about the repository that the rules are kept in: commits, branches, changed files."""

from __future__ import annotations

import subprocess
from difflib import get_close_matches
from pathlib import Path

from shopflow.errors import SettingsError

#: What a branch is compared with where nobody names a base: the first that there is.
_TRUNKS = ("origin/HEAD", "origin/main", "main", "origin/master", "master")


def commit_of(root: Path, ref: str) -> str:
    """The full name of the commit that a branch, a tag or the beginning of a name means.

    Raises:
        SettingsError: There is no git, no repository, or no such commit.
    """
    inside = run(root, "rev-parse", "--is-inside-work-tree")
    if inside.returncode:
        raise SettingsError(
            f"{root.resolve()} is in no git repository, so it has no {ref}: {said(inside)}"
        )
    found = run(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    if found.returncode:
        raise SettingsError(f"no revision '{ref}'{_hint(root, ref)}")
    return found.stdout.decode().strip()


def _hint(root: Path, ref: str) -> str:
    """What may help whoever asked for a revision that is not there."""
    if git(root, "rev-parse", "--is-shallow-repository").strip() == b"true":
        return (
            "; the clone is shallow and holds the last commits only: "
            "run `git fetch --unshallow`, or check out with fetch-depth: 0"
        )
    names = git(root, "for-each-ref", "--format=%(refname:short)").decode().split()
    close = get_close_matches(ref, names, n=1)
    return f"; did you mean '{close[0]}'?" if close else "; see `git branch --all` and `git tag`"


def trunk_of(root: Path) -> str:
    """The branch that work is merged into.

    Raises:
        SettingsError: There is no git, no repository, or none of the usual names.
    """
    if (inside := run(root, "rev-parse", "--is-inside-work-tree")).returncode:
        raise SettingsError(
            f"{root.resolve()} is in no git repository, so nothing is known to have changed: "
            f"{said(inside)}"
        )
    for name in _TRUNKS:
        if not run(root, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").returncode:
            return name
    raise SettingsError("there is no branch main to compare with; name one, as in --changed=REF")


def fork_of(root: Path, base: str) -> str:
    """The commit at which this branch left another.

    Raises:
        SettingsError: There is no git, no repository, no such commit, or nothing in common with it.
    """
    found = run(root, "merge-base", "HEAD", commit_of(root, base))
    if found.returncode:
        raise SettingsError(
            f"this branch and {base} have no commit in common; in a shallow clone, "
            "run `git fetch --unshallow`, or check out with fetch-depth: 0"
        )
    return found.stdout.decode().strip()


def changed_files(root: Path, commit: str) -> frozenset[str]:
    """The files below a folder that differ from that commit, by their paths.

    What is not committed counts too.

    Raises:
        SettingsError: git does not answer.
    """
    differing = git(root, "diff", "--name-only", "--relative", "-z", commit, "--")
    new = git(root, "ls-files", "--others", "--exclude-standard", "-z")
    return frozenset(name.decode() for name in (differing + new).split(b"\0") if name)


def unadded(root: Path) -> frozenset[str]:
    """The files below a folder that git knows otherwise, by their paths; none outside of git.

    What was added to the next commit is known as it is, and so somebody has looked at it.
    """
    differing = run(root, "diff", "--name-only", "--relative", "-z", "--")
    if differing.returncode:
        return frozenset()
    return frozenset(name.decode() for name in differing.stdout.split(b"\0") if name)


def git(root: Path, *words: str) -> bytes:
    """What git prints in that folder; raises SettingsError when it fails, or is not there."""
    done = run(root, *words)
    if done.returncode:
        raise SettingsError(f"git {words[0]} failed: {said(done)}")
    return done.stdout


def run(root: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    """Git in that folder, whatever comes of it; raises SettingsError when it is not there."""
    try:
        return subprocess.run(  # noqa: S603 - our own words; a ref is behind --end-of-options
            ["git", "-C", str(root), *words],  # noqa: S607 - git is where the path says
            capture_output=True,
            check=False,
        )
    except FileNotFoundError as e:
        raise SettingsError("git is not installed, and revisions are read with it") from e


def said(done: subprocess.CompletedProcess[bytes]) -> str:
    """What git complained of."""
    return done.stderr.decode(errors="replace").strip().removeprefix("fatal: ")
