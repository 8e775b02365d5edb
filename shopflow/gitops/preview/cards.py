"""What the gallery shows: one message of one template, and what it was before a change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from shopflow.errors import TemplateError, TooFewProducts
from shopflow.gitops.preview.fixtures import Fixture, Fixtures
from shopflow.lang.templates import TemplateSet
from shopflow.lang.templates.templates import Template

Parts = Mapping[str, str]


class Change(StrEnum):
    """How a message differs from what it was."""

    NONE = "unchanged"
    CHANGED = "changed"
    NEW = "new"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One message, written out."""

    template: str
    channel: str
    locale: str
    fixture: str
    #: The test whose values these are, or were before they were stretched.
    test: str = ""
    parts: Parts
    #: Why it cannot be rendered; empty else.
    error: str = ""
    #: None where nothing was compared, or there was no such template.
    before: Parts | None = None
    change: Change | None = None
    #: The number that the channel adds to a text message for stopping it; empty where it does not.
    stop: str = ""

    @property
    def id(self) -> str:
        """A name for files and links."""
        words = (self.template, self.channel, self.locale, self.fixture)
        text = "-".join(words).lower()
        return "".join(char if char.isalnum() or char in "-_" else "-" for char in text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """What is to be shown."""

    templates: TemplateSet
    fixtures: Fixtures
    #: Names of fixtures; those that a template does not have are left out.
    names: tuple[str, ...]
    #: None: the locales that each template is written in.
    locales: tuple[str, ...] | None
    #: The templates as they were; None where nothing is compared.
    before: TemplateSet | None = None
    #: The number to which STOP is sent, and the purposes whose text messages say so.
    sms_stop: str = ""
    marketing: frozenset[str] = frozenset()


def cards(showing: Showing, templates: Iterable[str]) -> Iterator[Card]:
    """A card for each template, channel, locale and fixture, in this order."""
    for name in sorted(templates):
        for channel in sorted(showing.templates.channels(name)):
            locales = showing.locales or sorted(showing.templates.locales(name, channel))
            for locale in locales:
                template = showing.templates.find(name, channel, locale)
                # What falls back to another language is shown once, as that language.
                if template is not None and template.locale == locale:
                    for fixture in showing.fixtures.of(template):
                        if fixture.name in showing.names:
                            yield _card(showing, template, fixture)


def _card(showing: Showing, template: Template, fixture: Fixture) -> Card:
    parts, error = _rendered(showing.templates, template, fixture)
    before, change = None, None
    if showing.before is not None:
        before, change = _compared(showing.before, template, fixture, parts)
    return Card(
        template=template.name,
        channel=template.channel,
        locale=template.locale,
        fixture=fixture.name,
        test=fixture.test,
        parts=parts,
        error=error,
        before=before,
        change=change,
        stop=showing.sms_stop if showing.marketing & set(template.purposes) else "",
    )


def _compared(
    before: TemplateSet, template: Template, fixture: Fixture, parts: Parts
) -> tuple[Parts | None, Change]:
    old = before.find(template.name, template.channel, template.locale)
    if old is None or old.locale != template.locale:
        return None, Change.NEW
    # One that could not be rendered with these values shows nothing of what it was.
    was, _ = _rendered(before, old, fixture)
    return was, Change.NONE if was == parts else Change.CHANGED


def _rendered(templates: TemplateSet, template: Template, fixture: Fixture) -> tuple[Parts, str]:
    try:
        values = fixture.values
        return templates.render(template.name, template.channel, template.locale, values), ""
    except TooFewProducts:
        return {}, "it recommends products, and the test has too few of them"
    except TemplateError as e:
        return {}, str(e)
