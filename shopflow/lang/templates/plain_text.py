"""The text part of a mail, derived from its HTML: what is said, in order, links as `text (url)`."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_SPACES = re.compile(r"[ \t\r\n\f]+")
_HIDDEN = re.compile(r"display\s*:\s*none")
_SKIPPED = frozenset({"head", "style", "script", "title", "noscript", "xml"})
_VOID = frozenset({"br", "hr", "img", "input", "meta", "link", "col", "area", "base", "wbr"})
_APART = frozenset(
    {
        *("p", "div", "table", "ul", "ol", "blockquote", "section", "article", "header"),
        *("footer", "h1", "h2", "h3", "h4", "h5", "h6", "pre"),
    }
)
_LINES = frozenset({"tr", "li", "dt", "dd"})


class _Writer(HTMLParser):
    """Collects the text; between two pieces stand the most line ends that any element asked for."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden: list[str] = []
        self._breaks = 0
        self._space = False
        #: The address, and where in `parts` the text of the link begins.
        self._link: tuple[str, int] | None = None
        self._alt = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if self._hidden:
            if tag not in _VOID:
                self._hidden.append(tag)
        elif tag in _SKIPPED or (tag not in _VOID and _HIDDEN.search(given.get("style", ""))):
            self._hidden.append(tag)
        elif tag == "a":
            self._link, self._alt = (given.get("href", "").strip(), len(self.parts)), ""
        elif tag == "img":
            self._alt = given.get("alt", "")
        elif tag == "br":
            self._break(1)
        elif tag == "hr":
            self._break(2)
            self._write("---")
            self._break(2)
        else:
            self._around(tag)
            if tag == "li":
                self._write("- ")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            if tag in self._hidden:
                while self._hidden.pop() != tag:
                    pass
        elif tag == "a":
            self._end_link()
        elif tag in ("td", "th"):
            self._space = True
        else:
            self._around(tag)

    def handle_data(self, data: str) -> None:
        if self._hidden or not data:
            return
        text = _SPACES.sub(" ", data)
        if text == " ":
            self._space = True
        else:
            self._space = self._space or text[0] == " "
            self._write(text.strip(" "))
            self._space = text[-1] == " "

    def _around(self, tag: str) -> None:
        if tag in _APART:
            self._break(2)
        elif tag in _LINES:
            self._break(1)

    def _break(self, lines: int) -> None:
        self._breaks = max(self._breaks, lines)

    def _write(self, text: str) -> None:
        if self._breaks:
            if self.parts:
                self.parts.append("\n" * self._breaks)
        elif self._space and self.parts and not self.parts[-1].endswith((" ", "\n")):
            self.parts.append(" ")
        self._breaks, self._space = 0, False
        self.parts.append(text)

    def _end_link(self) -> None:
        if self._link is None:
            return
        (target, begin), self._link = self._link, None
        label = "".join(self.parts[begin:]).strip()
        target = target.removeprefix("mailto:")
        if not label:
            label = self._alt
            if label:
                self._write(label)
        if not target or target.startswith("#") or target == label:
            return
        self._space = bool(label)
        self._write(f"({target})" if label else target)


def plain_text(html: str) -> str:
    """The HTML's text for a reader without HTML."""
    writer = _Writer()
    writer.feed(html)
    writer.close()
    return "".join(writer.parts).strip() + "\n"
