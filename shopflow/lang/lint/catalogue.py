"""Every code that lint knows: one page a code, in `pages/`, which people and programs read alike.

A page says what the code is called, how severe it is, what becomes of rules that are left so, and
shows it done wrong and done right. Commands, docs and tests have all of it from there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from shopflow.problem import Safety, Severity

_HEADING = re.compile(r"# (?P<code>SF\d{3}): (?P<title>.+) \((?P<words>[a-z, ]+)\)")
_PAGE = re.compile(
    r"(?P<heading>[^\n]+)\n\n(?P<explanation>.+?)\n\n## Wrong\n\n(?P<wrong>.+?)"
    r"\n\n## Right\n\n(?P<right>.+)\n",
    re.DOTALL,
)
_BLOCK = re.compile(
    r"```(?P<language>\w+)(?: (?P<path>\S+))?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_LOCKED = "locked"
_FIXES: Mapping[str, Safety] = {f"{each} fix": each for each in Safety}

#: Family -> what its codes are about.
FAMILIES: Mapping[str, str] = {
    "SF0": "Files and settings",
    "SF1": "Conditions",
    "SF2": "Flow",
    "SF3": "Messages, templates, coupons",
    "SF4": "Consent, caps, hours",
    "SF5": "Across workflows",
    "SF6": "Change safety",
    "SF7": "Tests",
    "SF8": "Cost",
    "SF9": "Suppressions and style",
}


@dataclass(frozen=True, slots=True)
class Example:
    """A file, or a part of one, that shows a code."""

    text: str
    #: Where in a project it stands. Empty: the keys of a workflow, or a whole file that says its
    #: `kind`.
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One code of lint."""

    code: str
    title: str
    severity: Severity
    explanation: str
    wrong: tuple[Example, ...]
    right: tuple[Example, ...]
    #: No comment can suppress it.
    locked: bool = False
    #: How sure the edits are that lint has for it, where it has some; None where it has none.
    fix: Safety | None = None
    #: The page as it was written, from `# SF103: …` on.
    page: str

    @property
    def family(self) -> str:
        """The first letters of the code, which it shares with its like."""
        return self.code[:3]

    @property
    def consequence(self) -> str:
        """What comes of leaving it as it is, in words of the shop; empty where nothing is said."""
        lines = self.explanation.splitlines()
        return next((line for line in lines if line.startswith("Left as it is")), "")


@cache
def catalogue() -> Mapping[str, Entry]:
    """Code -> what it means, by code."""
    pages = sorted(
        (each for each in files(__package__).joinpath("pages").iterdir()),
        key=lambda each: each.name,
    )
    entries = [entry_of(each.name, each.read_text(encoding="utf-8")) for each in pages]
    return {entry.code: entry for entry in entries}


def entry_of(name: str, page: str) -> Entry:
    """What a page says; raises ValueError where it has not the form of one."""
    parts = _PAGE.fullmatch(page)
    heading = _HEADING.fullmatch(parts["heading"]) if parts else None
    if parts is None or heading is None or name != f"{heading['code']}.md":
        raise ValueError(
            f"{name}: a page is `# SF000: title (severity[, locked][, safe fix])`, "
            "what it means, `## Wrong` and `## Right`"
        )
    severity, *words = heading["words"].split(", ")
    if unknown := set(words) - {_LOCKED, *_FIXES}:
        raise ValueError(f"{name}: unknown words behind the severity: {sorted(unknown)}")
    return Entry(
        code=heading["code"],
        title=heading["title"],
        severity=Severity(severity),
        explanation=parts["explanation"],
        wrong=_examples(parts["wrong"]),
        right=_examples(parts["right"]),
        locked=_LOCKED in words,
        fix=next((_FIXES[word] for word in words if word in _FIXES), None),
        page=page,
    )


def _examples(text: str) -> tuple[Example, ...]:
    return tuple(Example(each["text"], each["path"] or "") for each in _BLOCK.finditer(text))
