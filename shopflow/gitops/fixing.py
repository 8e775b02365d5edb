"""Mending rules by the fixes that their problems carry, pass by pass, until none is left.

A pass takes the edits that do not overlap; the next one looks at what came of them. It all happens
in a copy, so that whoever only wants to see a difference has it too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from shopflow.gitops.working_copy import working_copy
from shopflow.problem import Edit, Fix, Problem, Safety

#: A fix that brings up another one each time would go on for ever.
_MOST_PASSES = 20
_BOM = "\ufeff"

#: The problems of a project in a folder.
Finder = Callable[[Path], list[Problem]]


@dataclass(frozen=True, slots=True)
class Mended:
    """What became of the files, by path in the project, and the problems that are left."""

    before: Mapping[str, str]
    after: Mapping[str, str]
    problems: Sequence[Problem]
    #: How many fixes were applied.
    count: int

    def diff(self) -> str:
        """The changes as a unified diff; empty when there are none."""
        return "".join(
            line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
            for path in sorted(self.after)
            for line in unified_diff(
                self.before[path].splitlines(keepends=True),
                self.after[path].splitlines(keepends=True),
                f"a/{path}",
                f"b/{path}",
            )
        )

    def write(self, root: Path) -> None:
        """Puts the mended files in the place of those of the project."""
        for path, text in self.after.items():
            _write(root / path, text)


def mend(root: Path, find: Finder, *, wanted: Callable[[Problem], bool], unsafe: bool) -> Mended:
    """What the fixes of the wanted problems make of the project; nothing of it is changed yet.

    A file whose fixes would leave it unreadable is left as it was.
    """
    before: dict[str, str] = {}
    after: dict[str, str] = {}
    count, given_up = 0, set[str]()
    with working_copy(root) as copy:
        problems = find(copy)
        for _ in range(_MOST_PASSES):
            fixes = [
                each.fix
                for each in problems
                if each.fix is not None and wanted(each) and _is_allowed(each.fix, unsafe=unsafe)
            ]
            chosen = _apart(fix for fix in fixes if not _paths(fix) & given_up)
            if not chosen:
                break
            texts = {path: _read(copy / path) for fix in chosen for path in _paths(fix)}
            for path, text in texts.items():
                before.setdefault(path, text)
                edits = [edit for fix in chosen for edit in fix.edits if edit.path == path]
                after[path] = applied(text, edits)
                _write(copy / path, after[path])
            problems = find(copy)
            broken = _unreadable(problems) & texts.keys()
            for path in broken:
                given_up.add(path)
                after[path] = texts[path]
                _write(copy / path, texts[path])
            if broken:
                problems = find(copy)
            count += sum(not _paths(fix) & broken for fix in chosen)
    changed = {path: text for path, text in after.items() if text != before[path]}
    return Mended(before, changed, problems, count)


def applied(text: str, edits: Iterable[Edit]) -> str:
    """The text with edits that do not overlap."""
    mark = _BOM if text.startswith(_BOM) else ""
    text = text.removeprefix(_BOM)
    for edit in sorted(edits, key=lambda each: each.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return mark + text


def _apart(fixes: Iterable[Fix]) -> list[Fix]:
    """As many of the fixes, in their order, as do not touch each other."""
    taken: dict[str, list[Edit]] = {}
    chosen = []
    for fix in dict.fromkeys(fixes):
        others = [other for edit in fix.edits for other in taken.get(edit.path, ())]
        if any(_touch(edit, other) for edit in fix.edits for other in others):
            continue
        chosen.append(fix)
        for edit in fix.edits:
            taken.setdefault(edit.path, []).append(edit)
    return chosen


def _touch(one: Edit, other: Edit) -> bool:
    return one.path == other.path and one.start <= other.end and other.start <= one.end


def _is_allowed(fix: Fix, *, unsafe: bool) -> bool:
    return unsafe or fix.safety is Safety.SAFE


def _paths(fix: Fix) -> set[str]:
    return {edit.path for edit in fix.edits}


def _unreadable(problems: Iterable[Problem]) -> set[str]:
    return {each.location.path for each in problems if each.code == "SF001"}


def _read(path: Path) -> str:
    # As it is: line ends of Windows stay.
    return path.read_bytes().decode("utf-8")


def _write(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8"))
