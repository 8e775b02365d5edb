"""Workflows that changed and kept their version (SF609).

A version is a label for people: two contents under one make reports and journals ambiguous, and
a deployment refuses them.
"""

from __future__ import annotations

from collections.abc import Container, Iterator

from shopflow.lang.document import Document
from shopflow.lang.fixes import fix
from shopflow.lang.tree import Node
from shopflow.problem import Fix, Problem
from shopflow.rulebook import LoadedProject


def kept_versions(
    now: LoadedProject, base: LoadedProject, changed: Container[str]
) -> Iterator[Problem]:
    """A problem for each workflow of a changed file that means something else than in the base.

    What a file with errors means is known once they are mended.
    """
    broken = {problem.location.path for problem in now.errors}
    for name, document in now.workflows.items():
        one, other = now.ruleset.workflows[name], base.ruleset.workflows.get(name)
        if document.path not in changed or document.root is None or other is None:
            continue
        if document.path in broken:
            continue
        if one.digest != other.digest and one.version == other.version:
            root = document.root
            message = f"{name} changed, and is still version {one.version}"
            yield document.problem(
                "SF609",
                root["version"] if "version" in root else root["id"],
                message,
                hint=f"write version: {one.version + 1}",
                fix=_next(document, root, one.version + 1),
            )


def _next(document: Document, root: Node, version: int) -> Fix:
    title = f"make it version {version}"
    if "version" in root:
        span = root["version"].span
        return fix(document, (span.start, span.end), str(version), title)
    # Behind the line of the id, where people look for it.
    end = document.text.find("\n", root["id"].span.end)
    end = len(document.text) if end < 0 else end
    return fix(document, (end, end), f"\nversion: {version}", title)
