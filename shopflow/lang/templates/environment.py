"""MiniJinja set up for messages: strict, limited, and its errors told without personal data."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import minijinja

from shopflow.errors import TemplateError
from shopflow.problem import Problem

from .filters import FilterError, filters
from .source import Place, Source, problem_at
from .tags import Tag, find_tags

#: Steps that one part of one message may take; a mail with 1,000 lines takes some 50,000.
FUEL = 1_000_000
#: A part longer than this is not a message.
MAX_PART = 2_000_000

#: The codes of problems with a template's own language.
SYNTAX, UNKNOWN = "SF320", "SF324"

_FILTER = re.compile(r"\|\s*([A-Za-z_]\w*)")
_TEST = re.compile(r"\bis\s+(?:not\s+)?([A-Za-z_]\w*)")
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_NAME = re.compile(r"`([^`]+)` is undefined")
_FUNCTIONS = frozenset(
    {"range", "dict", "debug", "namespace", "loop", "super", "self", "recommend", "question"}
)
_COMMON = ("default", "length", "upper", "lower", "title", "join", "first", "last", "round", "sort")
#: The longest piece of a template's code that an error repeats.
_LONGEST_QUOTE = 60

_KINDS: Mapping[str, str | None] = {"html": "html", "text": None, "json": "json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One compiled text of a template: how it is escaped, its key, and where its code stands."""

    kind: str
    key: str
    text: str
    #: The place in the files of a byte of `text`.
    place: Callable[[int], Place]


class Environments:
    """One MiniJinja environment for each way of escaping; safe to render from several threads."""

    def __init__(self, *, currency: str, timezone: str) -> None:
        self._own = filters(currency=currency, timezone=timezone)
        self._by_kind = {kind: self._environment(kind) for kind in _KINDS}

    def add(self, part: Part, problems: list[Problem]) -> bool:
        """Compiles a part; False when it is at fault, which `problems` tells."""
        try:
            self._by_kind[part.kind].add_template(part.key, part.text)
        except minijinja.TemplateError as e:
            # Its source was well-formed, so the markup has torn a block apart.
            message = f"{e.detail or e.kind}, once it is made into {part.kind}"
            hint = "begin and end each block at the same level of the markup"
            problems.append(problem_at(part.place(_start(e)), SYNTAX, message, hint=hint))
            return False
        return True

    def check(self, source: Source, problems: list[Problem]) -> bool:
        """Whether the source is well-formed and uses known filters and tests only."""
        before = len(problems)
        try:
            self._by_kind["text"].add_template("check", source.text)
        except minijinja.TemplateError as e:
            offset = len(source.text.encode()[: _start(e)].decode(errors="ignore"))
            problems.append(source.problem(offset, SYNTAX, f"{e.detail or e.kind}"))
            return False
        for tag in find_tags(source.text):
            if tag.kind in ("statement", "expression"):
                for what, pattern, form in (
                    ("filter", _FILTER, "''|{}"),
                    ("test", _TEST, "1 is {}"),
                ):
                    for match in pattern.finditer(tag.bare):
                        if not self._knows(form.format(match[1]), match[1]):
                            at = tag.start + match.start(1)
                            hint = _nearest(match[1], [*self._own, *_COMMON])
                            message = f"no {what} named '{match[1]}'"
                            problems.append(source.problem(at, UNKNOWN, message, hint))
        return len(problems) == before

    def render(self, part: Part, values: Mapping[str, object]) -> str:
        """The text of the part with these values.

        Raises:
            TemplateError: A value is missing or of the wrong kind, or the template runs too long.
        """
        try:
            text = self._by_kind[part.kind].render_template(part.key, **values)
        except minijinja.TemplateError as e:
            raise TemplateError(_told(part, e)) from None
        except FilterError as e:
            raise TemplateError(_told_of_filter(part, e)) from None
        except _NullError:
            raise TemplateError(_told_of_null(part, values)) from None
        except TemplateError as e:
            raise TemplateError(f"{part.place(0).path}: {e}") from None
        except TypeError:
            # What a filter raises when it is called with the wrong number of arguments.
            raise TemplateError(f"{part.place(0).path}: a filter with wrong arguments") from None
        if part.kind == "json" and not _is_json(text):
            raise TemplateError(f"{part.place(0).path}: gives no JSON")
        if len(text) > MAX_PART:
            raise TemplateError(f"{part.place(0).path}: more than {MAX_PART:,} characters")
        return text

    def variables(self, part: Part) -> set[str]:
        """The names that the part reads, such as `customer.first_name`."""
        names: set[str] = self._by_kind[part.kind].undeclared_variables_in_template(
            part.key, nested=True
        )
        return {name for name in names if name.partition(".")[0] not in _FUNCTIONS}

    def _environment(self, kind: str) -> minijinja.Environment:
        escaping = _KINDS[kind]
        return minijinja.Environment(
            filters=self._own,
            fuel=FUEL,
            undefined_behavior="strict",
            auto_escape_callback=lambda _name: escaping,
            # In JSON null is a value; in a text "None" is a mistake that a customer would read.
            finalizer=None if kind == "json" else _written,
            trim_blocks=kind == "text",
            lstrip_blocks=kind == "text",
        )

    def _knows(self, expression: str, name: str) -> bool:
        if name in self._own:
            return True
        try:
            self._by_kind["text"].eval_expr(expression)
        except minijinja.TemplateError as e:
            return e.kind not in ("UnknownFilter", "UnknownTest")
        return True


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


class _NullError(TemplateError):
    """Raised where a null would be printed."""


def _written(value: Any) -> Any:
    if value is None:
        raise _NullError
    return value


def _told_of_null(part: Part, values: Mapping[str, object]) -> str:
    # The library does not say what it was about to print, so the plain names are looked up.
    names = {
        tag.code: tag
        for tag in find_tags(part.text)
        if tag.kind == "expression" and _DOTTED.fullmatch(tag.code) and _is_null(tag.code, values)
    }
    where = _place(part, *names.values()) if len(names) == 1 else part.place(0).path
    who = " or ".join(f"'{name}'" for name in names) or "a value"
    return f"{where}: {who} is null and would be printed; write {{{{ name or '' }}}}"


def _is_null(name: str, values: Mapping[str, object]) -> bool:
    value: object = values
    for step in name.split("."):
        value = value.get(step, value) if isinstance(value, Mapping) else value
    return value is None


def _told_of_filter(part: Part, error: FilterError) -> str:
    users = [
        tag
        for tag in find_tags(part.text)
        if any(match[1] == error.filter_name for match in _FILTER.finditer(tag.bare))
    ]
    if not users:
        return f"{part.place(0).path}: {error}"
    codes = " or ".join(f"'{tag.code[:_LONGEST_QUOTE]}'" for tag in users[:3])
    return f"{_place(part, users[0])}: {error}, in {codes}"


def _place(part: Part, tag: Tag) -> str:
    place = part.place(len(part.text[: tag.start].encode()))
    return f"{place.path}:{place.line}"


def _told(part: Part, error: minijinja.TemplateError) -> str:
    place = part.place(_start(error))
    where = f"{place.path}:{place.line}"
    kind, detail = str(error.kind), str(error.detail or "")
    if kind == "OutOfFuel":
        return f"{where}: takes more than {FUEL:,} steps; a loop that does not end?"
    if kind == "UndefinedError":
        match = _NAME.search(detail)
        name = match[1] if match else _quoted(part, error)
        return f"{where}: '{name}' is undefined"
    # The library's own words may repeat a value, and values are about people.
    return f"{where}: cannot evaluate {_quoted(part, error)} ({kind})"


def _quoted(part: Part, error: minijinja.TemplateError) -> str:
    code = part.text.encode()[slice(*(error.range or (0, 0)))].decode(errors="ignore")
    return f"'{' '.join(code.split())[:_LONGEST_QUOTE]}'"


def _start(error: minijinja.TemplateError) -> int:
    return int(error.range[0]) if error.range else 0


def _nearest(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"did you mean '{close[0]}'?" if close else ""
