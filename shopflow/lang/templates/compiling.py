"""From the files of one template, channel and locale to parts that can be rendered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape

from shopflow.domain.recommendation import Strategy
from shopflow.lang.reading import parse
from shopflow.lang.tree import Kind
from shopflow.problem import Problem

from . import mjml
from .asking import check_questions
from .assembly import Assembler
from .environment import Environments, Part
from .front_matter import FrontMatter, Variable, read, text_of
from .plain_text import plain_text
from .recommending import check_recommendations
from .source import Place, Source, joined
from .tags import Shield

#: The endings that make a template by themselves; `txt` also stands beside the first two.
ENDINGS = ("mjml", "html", "txt", "json", "yaml", "yml")

_BODY = re.compile(r"<body\b[^>]*>", re.IGNORECASE)
_HEAD = re.compile(r"<mj-head\b[^>/]*>")
_MJML = re.compile(r"<mjml\b(?P<given>[^>]*)>")
_MJ_BODY = re.compile(r"<mj-body\b")
_HIDDEN = "display:none;max-height:0;overflow:hidden"


@dataclass(slots=True)
class Compilation:
    """One template being compiled: its parts so far, and what it says about itself."""

    #: Names the parts in the environments.
    key: str
    environments: Environments
    assembler: Assembler
    problems: list[Problem]
    parts: dict[str, Part] = field(default_factory=dict)
    purposes: tuple[str, ...] = ()
    variables: dict[str, Variable] = field(default_factory=dict)
    longest: dict[str, object] = field(default_factory=dict)
    derives_text: bool = False
    #: The strategies by which it recommends products.
    strategies: set[Strategy] = field(default_factory=set)
    #: The questions that it asks, by id.
    questions: set[str] = field(default_factory=set)

    def file(self, path: str, ending: str, text: str) -> None:
        """Compiles one file into its parts; what is wrong goes to the problems."""
        front = read(path, text)
        self.problems += front.problems
        self.purposes = self.purposes or front.purposes
        self.variables.update(front.variables)
        self.longest.update(front.longest)
        for name, source in front.texts.items():
            self._plain(name, source)
        if ending in ("mjml", "html"):
            self._markup(front, ending)
        elif ending in ("yaml", "yml"):
            self._by_key(path, front)
        else:
            name, kind = ("body", "json") if ending == "json" else ("text", "text")
            self._plain(name, self._whole(front), kind)

    def _whole(self, front: FrontMatter) -> Source:
        whole = self.assembler.whole(front.body)
        self.problems += self.assembler.problems
        self.assembler.problems.clear()
        return whole

    def _plain(self, name: str, source: Source, kind: str = "text") -> None:
        if self._is_sound(source):
            self._add(name, kind, source.text, _Direct(source))

    def _is_sound(self, source: Source) -> bool:
        self.strategies |= check_recommendations(source, self.variables, self.problems)
        self.questions |= check_questions(source, self.problems)
        return self.environments.check(source, self.problems)

    def _add(self, name: str, kind: str, text: str, place: _Direct | _Shielded) -> None:
        part = Part(kind=kind, key=f"{self.key}:{name}", text=text, place=place)
        if self.environments.add(part, self.problems):
            self.parts[name] = part

    def _markup(self, front: FrontMatter, ending: str) -> None:
        source = self._whole(front)
        if not source.text or not self._is_sound(source):
            return
        source = _with_words_ahead(source, front.texts, ending, self.key)
        shield = Shield(source.text)
        if ending == "mjml":
            html = mjml.to_html(source, shield, self.problems)
        else:
            html = shield.cover(source.text)
        if not html:
            return
        text, places = shield.uncover(html)
        self._add("html", "html", text, _Shielded(source, shield, places))
        if "text" not in self.parts:
            text, places = shield.uncover(plain_text(html), _literal)
            self._add("text", "text", text, _Shielded(source, shield, places))
            self.derives_text = True

    def _by_key(self, path: str, front: FrontMatter) -> None:
        ahead = front.body.place(0).line - 1
        document = parse(path, "\n" * ahead + front.body.text)
        self.problems += document.problems
        root = document.root
        if root is None:
            return
        if root.kind is not Kind.MAP:
            self.problems.append(document.problem("SF004", root, "a template in YAML is a map"))
            return
        for key, node in root.pairs():
            if node.kind is Kind.SCALAR:
                self._plain(key, text_of(path, node))
            else:
                self.problems.append(document.problem("SF004", node, f"'{key}' must be text"))


class _Direct:
    """Places of a part that is its source."""

    __slots__ = ("_source",)

    def __init__(self, source: Source) -> None:
        self._source = source

    def __call__(self, byte: int) -> Place:
        text = self._source.text
        return self._source.place(len(text.encode()[:byte].decode(errors="ignore")))


class _Shielded:
    """Places of a part made from its source: each tag knows where it comes from."""

    __slots__ = ("_places", "_shield", "_source")

    def __init__(self, source: Source, shield: Shield, places: Mapping[int, int]) -> None:
        self._source, self._shield, self._places = source, shield, places

    def __call__(self, byte: int) -> Place:
        before = [number for at, number in self._places.items() if at <= byte]
        return self._source.place(self._shield.tags[before[-1]].start if before else 0)


def _with_words_ahead(source: Source, texts: Mapping[str, Source], ending: str, key: str) -> Source:
    """The source with the preheader hidden at its top, and in MJML also title and language."""
    if ending == "html":
        found = _BODY.search(source.text)
        at = found.end() if found else 0
        return _inserted(source, at, _hidden(texts, f'<div style="{_HIDDEN}">', "</div>"))
    for name, element in (("subject", "mj-title"), ("preheader", "mj-preview")):
        if name in texts and f"<{element}" not in source.text:
            more = _escaped(texts[name], f"<{element}>", f"</{element}>")
            if head := _HEAD.search(source.text):
                source = _inserted(source, head.end(), [more])
            elif body := _MJ_BODY.search(source.text):
                source = _inserted(source, body.start(), [_as_head(more)])
    opening = _MJML.search(source.text)
    if opening and "lang=" not in opening["given"]:
        lang = f' lang="{key.rpartition(".")[2]}"'
        source = _inserted(source, opening.start("given"), [(lang, source.place(0))])
    return source


def _hidden(texts: Mapping[str, Source], opening: str, closing: str) -> list[tuple[str, Place]]:
    return [_escaped(texts["preheader"], opening, closing)] if "preheader" in texts else []


def _escaped(source: Source, opening: str, closing: str) -> tuple[str, Place]:
    shield = Shield(source.text)
    text, _ = shield.uncover(shield.cover(source.text), escape)
    return f"{opening}{text}{closing}", source.place(0)


def _as_head(piece: tuple[str, Place]) -> tuple[str, Place]:
    return f"<mj-head>{piece[0]}</mj-head>", piece[1]


def _inserted(source: Source, at: int, pieces: list[tuple[str, Place]]) -> Source:
    return joined([source.cut(0, at), Source(pieces), source.cut(at, len(source.text))])


def _literal(text: str) -> str:
    """The text so that the template language takes none of it for a tag."""
    return re.sub(r"\{[{%#]", lambda match: "{{ '" + match[0] + "' }}", text)
