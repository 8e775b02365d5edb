"""Scratch git repositories of rules."""

from __future__ import annotations

import subprocess
from pathlib import Path

#: Nobody's settings take part, and commits have the same names on every machine.
_SETTINGS = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_AUTHOR_NAME": "Test",
    "GIT_AUTHOR_EMAIL": "test@shop.example",
    "GIT_AUTHOR_DATE": "2026-03-01T10:00:00Z",
    "GIT_COMMITTER_NAME": "Test",
    "GIT_COMMITTER_EMAIL": "test@shop.example",
    "GIT_COMMITTER_DATE": "2026-03-01T10:00:00Z",
}


def git(folder, *words):
    """Runs git in the folder; returns what it printed."""
    done = subprocess.run(
        ["git", "-C", str(folder), *words],
        env={"PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": str(folder), **_SETTINGS},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def write(folder, files):
    """Puts these texts under the folder, by path; None removes the file."""
    for name, text in files.items():
        path = Path(folder) / name
        if text is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def commit(folder, files=None, message="change"):
    """Commits these files, and whatever else changed; returns the name of the commit."""
    write(folder, files or {})
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(folder, "rev-parse", "HEAD")


def repository(folder, files=None):
    """A new repository on the branch main with these files in its first commit."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet", "--initial-branch", "main")
    commit(folder, files, "begin")
    return Path(folder)
