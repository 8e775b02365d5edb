"""The templates of a rules repository: finding one for a locale, and rendering it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from shopflow.domain.recommendation import Strategy
from shopflow.errors import TemplateError

from .asking import FUNCTION, Asker
from .environment import Environments, Part
from .front_matter import Variable
from .recommending import recommends

#: What every template may read besides its declared variables, and what stands in for it.
STANDARD: Mapping[str, object] = {
    "customer": {},
    "shop": {},
    "values": {},
    "unsubscribe_url": "",
    "links": {"confirm": "", "preferences": ""},
    "locale": "",
    "coupon": None,
}

_BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+\n")
_SPACES = re.compile(r" {2,}")
_LINE_ENDS = re.compile(r"[ \t]*[\r\n]+[ \t]*")
#: Parts that may run over several lines.
_LONG = frozenset({"text", "html", "body"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """The compiled text of one message for one channel and locale."""

    name: str
    channel: str
    locale: str
    #: Its main file, from the project's folder.
    path: str
    endings: tuple[str, ...]
    purposes: tuple[str, ...]
    variables: Mapping[str, Variable]
    parts: Mapping[str, Part]
    #: A value for each variable that is as long as it can get, where the template says so.
    longest: Mapping[str, object] = field(default_factory=dict)
    #: Whether its text part comes from its html, rather than from a file.
    derives_text: bool = False
    #: By what it recommends products, as far as it is written out.
    strategies: frozenset[Strategy] = frozenset()
    #: The questions that it asks, by id.
    questions: frozenset[str] = frozenset()


class TemplateSet:
    """All templates, ready to render from any thread."""

    def __init__(
        self, templates: Iterable[Template], environments: Environments, *, locale: str
    ) -> None:
        self._by_place: dict[tuple[str, str], dict[str, Template]] = {}
        for template in templates:
            place = self._by_place.setdefault((template.name, template.channel), {})
            place[template.locale] = template
        self._environments = environments
        self._locale = locale

    def __iter__(self) -> Iterator[Template]:
        return (each for place in self._by_place.values() for each in place.values())

    def names(self) -> frozenset[str]:
        """The names of all templates, such as `cart/offer`."""
        return frozenset(name for name, _ in self._by_place)

    def channels(self, name: str) -> frozenset[str]:
        """The channels that the template of that name is written for."""
        return frozenset(channel for each, channel in self._by_place if each == name)

    def recommending(self) -> frozenset[tuple[str, str]]:
        """Name and channel of the templates that may look for products as they are rendered."""
        return frozenset(
            (template.name, template.channel)
            for template in self
            if any(recommends(part.text) for part in template.parts.values())
        )

    def locales(self, name: str, channel: str) -> frozenset[str]:
        """The locales that the template of that name is written in for that channel."""
        return frozenset(self._by_place.get((name, channel), ()))

    def written(self, name: str, channel: str) -> list[Template]:
        """The template of that name for the channel, in every language it is written in."""
        return [each for _, each in sorted(self._by_place.get((name, channel), {}).items())]

    def find(self, name: str, channel: str, locale: str) -> Template | None:
        """The template nearest to the locale: itself, its language, the project's, any."""
        place = self._by_place.get((name, channel))
        if not place:
            return None
        for wanted in (*fallbacks(locale), *fallbacks(self._locale)):
            if wanted in place:
                return place[wanted]
        return place[min(place)]

    def render(
        self, name: str, channel: str, locale: str, variables: Mapping[str, object]
    ) -> Mapping[str, str]:
        """The parts of the message, such as subject, preheader, html and text.

        Raises:
            TemplateError: There is no such template, or it cannot be rendered with these values;
                the message names the template and the variable, and no value.
        """
        template = self.find(name, channel, locale)
        if template is None:
            raise TemplateError(f"no template '{name}' for the channel '{channel}'")
        values = {**STANDARD, **variables, "locale": template.locale}
        if isinstance(asker := values.get(FUNCTION), Asker):
            values[FUNCTION] = asker.speaking(template.locale)
        for variable in template.variables.values():
            if variable.name not in values:
                if variable.required:
                    raise TemplateError(f"{template.path}: '{variable.name}' is not given")
                values[variable.name] = None
        return {
            part_name: _tidy(template, part_name, self._environments.render(part, values))
            for part_name, part in template.parts.items()
        }

    def variables(self, name: str, channel: str, locale: str) -> frozenset[str]:
        """What the template reads, such as `items` and `customer.first_name`; empty if unknown."""
        template = self.find(name, channel, locale)
        if template is None:
            return frozenset()
        return frozenset().union(
            *(self._environments.variables(part) for part in template.parts.values())
        )


def fallbacks(locale: str) -> list[str]:
    """The locale and what stands in for it, nearest first: `fr-CA`, then `fr`."""
    parts = locale.replace("_", "-").split("-")
    return ["-".join(parts[:length]) for length in range(len(parts), 0, -1)]


def _tidy(template: Template, part_name: str, text: str) -> str:
    if part_name == "text":
        if template.derives_text:
            text = _SPACES.sub(" ", text).replace("\n ", "\n").replace(" \n", "\n")
        return _BLANK_LINES.sub("\n\n", text).strip() + "\n"
    return text if part_name in _LONG else _LINE_ENDS.sub(" ", text).strip()
