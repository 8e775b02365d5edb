"""From MJML with template tags in it to HTML with the same tags, once at load.

mrml knows no template tags and drops what stands between elements, so tags are shielded by words,
and a statement between two elements goes through as `<mj-raw>`. mrml is also silent about unknown
elements and tells no place, so the nesting is checked here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches

import mrml

from shopflow.problem import Problem

from .source import Source
from .tags import Shield

#: The code of problems with MJML.
CODE = "SF321"

_LAYOUT = frozenset(
    {
        *("mjml", "mj-head", "mj-body", "mj-wrapper", "mj-section", "mj-column", "mj-group"),
        *("mj-hero", "mj-navbar", "mj-social", "mj-accordion", "mj-accordion-element"),
        *("mj-carousel", "mj-attributes"),
    }
)
#: Elements that hold text, or nothing at all.
_CONTENT = frozenset(
    {
        *("mj-text", "mj-button", "mj-table", "mj-raw", "mj-title", "mj-preview", "mj-style"),
        *("mj-navbar-link", "mj-accordion-title", "mj-accordion-text", "mj-social-element"),
        *("mj-image", "mj-divider", "mj-spacer", "mj-carousel-image", "mj-font", "mj-breakpoint"),
        *("mj-all", "mj-class"),
    }
)
_HEAD = frozenset({"mjml", "mj-head", "mj-attributes"})
_VOID = frozenset({"br", "hr", "img", "input", "meta", "link", "col", "area", "base", "wbr"})
_MARKUP = re.compile(
    r"<!--.*?-->|<!\w[^>]*>"
    r"|<(?P<close>/?)(?P<name>[A-Za-z][\w:-]*)"
    r"(?P<rest>(?:\"[^\"]*\"|'[^']*'|[^'\"<>])*?)(?P<empty>/?)>"
    r"|<(?!/?[A-Za-z]+\s*$)",
    re.DOTALL,
)


@dataclass(slots=True)
class _Reading:
    """One walk over the markup: what is open, what is wrong, where statements need a wrapping."""

    covered: str
    open: list[tuple[str, int]] = field(default_factory=list)
    #: Offset and message.
    faults: list[tuple[int, str]] = field(default_factory=list)
    #: Offsets of shielded tags by the element that they stand directly in.
    loose: list[tuple[int, int, str]] = field(default_factory=list)


def to_html(source: Source, shield: Shield, problems: list[Problem]) -> str:
    """The HTML with words for tags; empty when the MJML is at fault, which `problems` tells."""
    covered = shield.cover(source.text)
    offsets = _Offsets(source, shield, covered)
    reading = _read(covered, shield)
    before = len(problems)
    for offset, message in reading.faults:
        problems.append(source.problem(offsets.original(offset), CODE, message))
    wrapped, ahead = _wrap(reading, shield, source, problems)
    if len(problems) > before:
        return ""
    try:
        html: str = mrml.to_html(wrapped, None, _OPTIONS).content
    except OSError as e:
        # What follows is a place in the shielded text, which nobody wrote.
        told = str(e).partition(" in root template")[0]
        problems.append(source.problem(0, CODE, f"no MJML: {told}"))
        return ""
    _report_lost(ahead + html, shield, source, problems)
    return ahead + html if len(problems) == before else ""


#: No web fonts: fetching them would tell a third party who opens a mail, and when.
_OPTIONS = mrml.RenderOptions(disable_comments=True, fonts={})


class _Offsets:
    """From offsets in the covered text back to those in the source."""

    def __init__(self, source: Source, shield: Shield, covered: str) -> None:
        self._marks = [(0, 0)]
        for offset, number in shield.words(covered):
            tag = shield.tags[number]
            self._marks += [(offset, tag.start), (offset + len(shield.word(number)), tag.end)]
        self._length = len(source.text)

    def original(self, offset: int) -> int:
        """The offset in the source; near it, where a comment was taken out."""
        mark, start = max(pair for pair in self._marks if pair[0] <= offset)
        return min(start + offset - mark, self._length)


def _read(covered: str, shield: Shield) -> _Reading:
    reading = _Reading(covered)
    last = 0
    for match in _MARKUP.finditer(covered):
        _note_loose(reading, shield, last, match.start())
        last = match.end()
        name = (match["name"] or "").lower()
        if match[0] == "<":
            reading.faults.append((match.start(), "a bare '<'; write &lt;"))
        elif name and match["close"]:
            _close(reading, name, match.start())
        elif name:
            _open(reading, name, match.start(), empty=bool(match["empty"]))
    _note_loose(reading, shield, last, len(covered))
    reading.faults += [(offset, f"<{name}> is never closed") for name, offset in reading.open]
    if not reading.faults and "<mjml" not in covered:
        reading.faults.append((0, "no <mjml> element"))
    return reading


def _open(reading: _Reading, name: str, offset: int, *, empty: bool) -> None:
    known = _LAYOUT | _CONTENT
    if name.startswith("mj") and name not in known:
        close = get_close_matches(name, sorted(known), n=1)
        hint = f"; did you mean <{close[0]}>?" if close else ""
        reading.faults.append((offset, f"no MJML element named <{name}>{hint}"))
    if not empty and name not in _VOID:
        reading.open.append((name, offset))


def _close(reading: _Reading, name: str, offset: int) -> None:
    names = [open_name for open_name, _ in reading.open]
    if names and names[-1] == name:
        reading.open.pop()
    elif name in names:
        while reading.open[-1][0] != name:
            inner, at = reading.open.pop()
            reading.faults.append((at, f"<{inner}> is never closed"))
        reading.open.pop()
    else:
        reading.faults.append((offset, f"</{name}> closes nothing"))


def _note_loose(reading: _Reading, shield: Shield, start: int, end: int) -> None:
    parent = reading.open[-1][0] if reading.open else ""
    if parent in _LAYOUT or not parent:
        for offset, number in shield.words(reading.covered[start:end]):
            reading.loose.append((start + offset, number, parent))


def _wrap(
    reading: _Reading, shield: Shield, source: Source, problems: list[Problem]
) -> tuple[str, str]:
    parts, ahead, last = [], "", 0
    for offset, number, parent in reading.loose:
        tag, word = shield.tags[number], shield.word(number)
        parts.append(reading.covered[last:offset])
        last = offset + len(word)
        if tag.kind != "statement":
            message = f"a value directly inside <{parent or 'the file'}> is never shown"
            hint = "put it into <mj-text> or <mj-raw>"
            problems.append(source.problem(tag.start, CODE, message, hint))
        elif not parent and "<mjml" not in reading.covered[:offset]:
            ahead += word
        elif not parent or parent in _HEAD:
            message = f"'{tag.word}' cannot stand {f'inside <{parent}>' if parent else 'here'}"
            problems.append(source.problem(tag.start, CODE, message, "move it into <mj-body>"))
        else:
            parts.append(f"<mj-raw>{word}</mj-raw>")
    return "".join([*parts, reading.covered[last:]]).strip(), ahead


def _report_lost(html: str, shield: Shield, source: Source, problems: list[Problem]) -> None:
    kept = {number for _, number in shield.words(html)}
    for tag in _missing(shield, kept):
        message = "MJML leaves this out: it takes no such value here"
        problems.append(source.problem(tag, CODE, message))


def _missing(shield: Shield, kept: set[int]) -> Iterator[int]:
    return (tag.start for number, tag in enumerate(shield.tags) if number not in kept)
