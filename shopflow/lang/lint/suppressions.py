"""Comments that suppress a problem, and what is wrong with them: SF901 to SF904.

    steps:  # shopflow: ignore[SF205] until=2026-12-01 reason="Black Friday"

A comment behind a line is about that line, one on a line of its own about the next; where a block
of text begins there, about the whole block.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from shopflow.lang.lint.catalogue import catalogue
from shopflow.lang.names import did_you_mean
from shopflow.problem import Edit, Fix, Location, Problem, Severity

#: What a text has that may suppress something; most have it not, and are not looked at.
MARK = "shopflow: ignore"

_COMMENT = re.compile(
    r"(?:^|(?<=\s)|(?<=\{))#[ \t]*shopflow: ignore"
    r"(?:[ \t]*\[(?P<codes>[^\]]*)\])?(?P<words>.*?)(?:#\})?[ \t]*$"
)
_BLOCK_BEGINS = re.compile(r"(?:^|[\s:])[|>][-+0-9]*[ \t]*(?:#.*)?$")
_FORM = 'write # shopflow: ignore[SF205] until=2026-12-01 reason="Black Friday"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """One comment: the codes it names, the lines it is about, and how long it counts."""

    location: Location
    excerpt: str
    codes: tuple[str, ...]
    lines: frozenset[int]
    until: date | None
    reason: str
    #: What goes with the comment, and where the codes stand in it, by offsets.
    whole: tuple[int, int] = (0, 0)
    named: tuple[int, int] = (0, 0)
    #: Why it cannot be read; then it suppresses nothing.
    mistake: str = ""

    def problem(
        self, code: str, message: str, severity: Severity, hint: str = "", fix: Fix | None = None
    ) -> Problem:
        """A problem with the comment itself."""
        return Problem(
            code=code,
            location=self.location,
            message=message,
            severity=severity,
            hint=hint,
            excerpt=self.excerpt,
            fix=fix,
        )


def suppress(
    problems: Iterable[Problem], texts: Mapping[str, str], today: date | None
) -> list[Problem]:
    """The problems that no comment suppresses, and those with the comments.

    `texts` are files by path. Without a day nothing has expired: rules that were sound when they
    were deployed stay so.
    """
    kept = list(problems)
    for path, text in texts.items():
        of_file = [each for each in kept if each.location.path == path]
        comments = list(find(path, text))
        if not comments:
            continue
        gone: set[Problem] = set()
        told: list[Problem] = []
        readable = not any(each.code == "SF001" for each in of_file)
        for comment in comments:
            hidden = _hidden(comment, of_file, today)
            gone |= hidden
            told += _complaints(comment, hidden, today, readable=readable)
        kept = [each for each in kept if each not in gone] + told
    return kept


def find(path: str, text: str) -> Iterator[Suppression]:
    """The suppressions of a file, in its order."""
    if MARK not in text:
        return
    lines = text.splitlines(keepends=True)
    blocks = _blocks(lines)
    front = _front_matter(lines)
    offset = 0
    for number, line in enumerate(lines, 1):
        bare = line.rstrip("\r\n")
        match = _COMMENT.search(bare) if MARK in bare else None
        inside = any(number in block and number != min(block) for block in blocks)
        if match and not inside:
            alone = not bare[: match.start()].strip(" \t{")
            about = _next_content(lines, number) if alone else number
            covered = {about}.union(*(block for block in blocks if min(block) == about))
            if number <= front:
                # What is said of a template as a whole stands at its first line.
                covered.add(1)
            before = "" if alone else bare[: match.start()].rstrip()
            named = (offset + match.start("codes"), offset + match.end("codes"))
            length = len(bare[match.start() :].rstrip())
            place = Location(path=path, line=number, column=match.start() + 1, length=length)
            yield replace(
                _read(place, bare, match, frozenset(covered)),
                whole=(offset + len(before), offset + len(line if alone else bare)),
                named=named,
            )
        offset += len(line)


def _read(
    location: Location, line: str, match: re.Match[str], lines: frozenset[int]
) -> Suppression:
    codes: tuple[str, ...] = ()
    until, reason, mistake = None, "", ""
    if not match["codes"]:
        mistake = "a suppression names the codes that it is about"
    else:
        codes = tuple(word.strip() for word in match["codes"].split(","))
        try:
            words = dict(word.split("=", 1) for word in shlex.split(match["words"]))
            until = date.fromisoformat(words.pop("until")) if "until" in words else None
            reason = words.pop("reason", "").strip()
            mistake = f"no word '{next(iter(words))}' in a suppression" if words else ""
        except ValueError:
            mistake = "this suppression cannot be read"
    return Suppression(
        location=location,
        excerpt=line,
        codes=codes,
        lines=lines,
        until=until,
        reason=reason,
        mistake=mistake,
    )


def _hidden(comment: Suppression, problems: Sequence[Problem], today: date | None) -> set[Problem]:
    expired = today is not None and comment.until is not None and comment.until < today
    if comment.mistake or expired:
        return set()
    known = catalogue()
    return {
        problem
        for problem in problems
        if problem.code in comment.codes
        and problem.location.line in comment.lines
        and problem.code in known
        and not known[problem.code].locked
    }


def _complaints(
    comment: Suppression, hidden: set[Problem], today: date | None, *, readable: bool
) -> Iterator[Problem]:
    if comment.mistake:
        yield comment.problem("SF902", comment.mistake, Severity.WARNING, _FORM)
        return
    if today is not None and comment.until is not None and comment.until < today:
        message = f"this suppression ended on {comment.until}"
        hint = "mend what it hides, or say anew until when and why"
        yield comment.problem("SF903", message, Severity.ERROR, hint)
        return
    wanted = {"until": comment.until, "reason": comment.reason}
    if missing := " and ".join(name for name, given in wanted.items() if not given):
        message = f"a suppression without {missing}"
        yield comment.problem("SF902", message, Severity.WARNING, _FORM)
    known, used = catalogue(), {problem.code for problem in hidden}
    unused = []
    for code in comment.codes:
        if code in known and known[code].locked:
            message = f"{code} ({known[code].title}) cannot be suppressed"
            hint = f"mend what it says; shopflow rule {code}"
            yield comment.problem("SF904", message, Severity.ERROR, hint)
        elif code not in used:
            unused.append(code)
    for code in unused if readable else ():
        yield _unused(comment, code, unused)


def _unused(comment: Suppression, code: str, unused: Sequence[str]) -> Problem:
    message, hint = f"nothing here has {code}", "take the suppression out"
    if code not in catalogue():
        message, hint = f"no code '{code}'", did_you_mean(code, catalogue(), label="codes")
    left = ", ".join(each for each in comment.codes if each not in unused)
    start, end = comment.named if left else comment.whole
    edit = Edit(path=comment.location.path, start=start, end=end, text=left)
    title = f"suppress {left} alone" if left else "take the suppression out"
    return comment.problem(
        "SF901", message, Severity.WARNING, hint, Fix(title=title, edits=(edit,))
    )


def _blocks(lines: Sequence[str]) -> list[set[int]]:
    """The lines of each block of text, with the one that it begins in, counted from 1."""
    found: list[set[int]] = []
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if not _BLOCK_BEGINS.search(line.rstrip()):
            continue
        block, depth = {number}, _depth(line)
        while number < len(lines) and (not lines[number].strip() or _depth(lines[number]) > depth):
            number += 1
            block.add(number)
        found.append(block)
    return found


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _next_content(lines: Sequence[str], number: int) -> int:
    """The first line behind that one that is neither empty nor a comment."""
    for later, line in enumerate(lines[number:], number + 1):
        if line.strip() and not line.lstrip().startswith(("#", "{#")):
            return later
    return number


def _front_matter(lines: Sequence[str]) -> int:
    """How many lines stand before the body of a template; 0 where no front matter begins."""
    if not lines or lines[0].rstrip() != "---":
        return 0
    for number, line in enumerate(lines[1:], 2):
        if line.rstrip() == "---":
            return number
    return 0
