"""What messages say, held against what a test expects: texts, subjects, and snapshots in git."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shopflow.gitops.rehearsed import Rehearsal
from shopflow.gitops.scenario import Scenario

#: Beside a test file: what its messages said when somebody last looked.
FOLDER = "snapshots"
#: The parts that a snapshot shows, first those of one line. A page says what its text says.
_HEADS = ("subject", "preheader")
_PAGE = "html"

Parts = Mapping[str, str]


@dataclass(slots=True, kw_only=True)
class Snapshots:
    """The snapshots of a project's tests; with `update` they follow what the messages say."""

    root: Path
    update: bool = False
    #: Those that were written, by path in the project.
    written: list[str] = field(default_factory=list)

    def differences(self, scenario: Scenario, name: str, text: str) -> list[str]:
        """The lines in which the text is not as the snapshot has it; none where it is."""
        path = self._path(scenario, name)
        try:
            before = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            before = None
        if before == text:
            return []
        told = path.relative_to(self.root).as_posix()
        if self.update:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            self.written.append(told)
            return []
        if before is None:
            return [f"there is no {told} yet; write it with --update, and look at it"]
        lines = difflib.unified_diff(
            before.splitlines(), text.splitlines(), told, "now", n=1, lineterm=""
        )
        return ["the message has changed; take it over with --update if that is right", *lines]

    def _path(self, scenario: Scenario, name: str) -> Path:
        test = self.root / scenario.location.path
        return test.parent / FOLDER / f"{scenario.workflow}.{name}.txt"


def untold(rehearsal: Rehearsal, expected: Any, snapshots: Snapshots | None) -> Iterator[str]:
    """What the messages do not say, and should."""
    for check in expected if isinstance(expected, list) else [expected]:
        step = check.get("step")
        messages = [parts for name, parts in rehearsal.rendered if step in {None, name}]
        where = f"the message of {step}" if step else "any message"
        yield from _uncontained(messages, check.get("contains", []), where)
        if "subject" in check:
            subjects = [parts.get("subject", "") for parts in messages]
            if check["subject"] not in subjects:
                told = ", ".join(map(repr, subjects)) or "no message"
                yield f"render: the subject is {told}, expected {check['subject']!r}"
        if "snapshot" in check and snapshots is not None:
            yield from _changed(rehearsal.scenario, check["snapshot"], messages, snapshots)


def _uncontained(messages: Sequence[Parts], contains: Any, where: str) -> Iterator[str]:
    for wanted in [contains] if isinstance(contains, str) else contains:
        if not any(wanted in text for parts in messages for text in parts.values()):
            yield f"render: {wanted!r} is not in {where}"


def _changed(
    scenario: Scenario, name: str, messages: Sequence[Parts], snapshots: Snapshots
) -> Iterator[str]:
    if not messages:
        yield f"render: no message to hold against the snapshot {name}"
        return
    text = "\n---\n\n".join(map(_as_text, messages))
    if lines := snapshots.differences(scenario, name, text):
        yield "\n".join([f"render: {lines[0]}", *lines[1:]])


def _as_text(parts: Parts) -> str:
    heads = [f"{name}: {parts[name]}\n" for name in _HEADS if name in parts]
    bodies = [parts[name].rstrip() for name in sorted(parts) if name not in {*_HEADS, _PAGE}]
    return "\n".join(["".join(heads), *(f"{body}\n" for body in bodies)]).lstrip()
