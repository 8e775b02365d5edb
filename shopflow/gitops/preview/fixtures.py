"""Values to look at a template with: what the tests of its workflows send, short and longest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from shopflow.gitops.preview.stretching import stretched
from shopflow.gitops.rehearsal import Stage
from shopflow.gitops.scenario import read_scenarios
from shopflow.gitops.versions import changed_by
from shopflow.lang.templates import TemplateSet
from shopflow.lang.templates.templates import Template
from shopflow.rulebook import LoadedProject

#: The fixtures that every template has.
SHORT, LONGEST = "short", "longest"

Values = Mapping[str, object]
#: The name of a template, and a channel that it is written for.
Place = tuple[str, str]

_INSTANT = datetime(2026, 3, 3, 10, tzinfo=UTC)
#: What stands in for a variable of that type where no test gives one.
_INVENTED: Mapping[str, object] = {
    "integer": 3,
    "number": 49.9,
    "boolean": True,
    "list": [],
    "object": {},
    "timestamp": _INSTANT,
    "duration": timedelta(days=2),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixture:
    """Values for one template on one channel."""

    name: str
    values: Values
    #: The test that sends them; empty where none does.
    test: str = ""


class Fixtures:
    """What the tests send: by template and channel, in the order of the tests."""

    def __init__(self, sent: Mapping[Place, list[Fixture]]) -> None:
        self._sent = sent
        self._by_name: dict[str, list[Fixture]] = {}
        for (name, _), fixtures in sent.items():
            self._by_name.setdefault(name, []).extend(fixtures)

    def of(self, template: Template) -> list[Fixture]:
        """`short` and `longest`, then those of each test by its name."""
        sent = self._sent.get((template.name, template.channel), [])
        # One step gives the same values to whichever channel takes its message.
        sent = sent or self._by_name.get(template.name, [])
        if not sent:
            values = _invented(template)
            return [_short(values, ""), _longest(values, template, "")]
        by_size = sorted(sent, key=lambda each: len(_text(each.values)))
        first, last = by_size[0], by_size[-1]
        return [
            _short(first.values, first.test),
            _longest(last.values, template, last.test),
            *sent,
        ]


def sent_by(loaded: LoadedProject) -> Fixtures:
    """The fixtures that the tests of a project give; raises RulesInvalid where they are broken."""
    listener = _Listener(loaded.templates)
    stage = Stage(loaded.ruleset, listener, asdict(loaded.project.sender))
    for scenario in read_scenarios(loaded.tests, loaded.ruleset, changed_by(loaded)):
        listener.test = scenario.name
        stage.rehearse(scenario)
    return Fixtures(listener.sent)


class _Listener:
    """Templates that keep what they were rendered with."""

    def __init__(self, inner: TemplateSet) -> None:
        self._inner = inner
        self.test = ""
        self.sent: dict[Place, list[Fixture]] = {}

    def render(
        self, name: str, channel: str, locale: str, variables: Values, /
    ) -> Mapping[str, str]:
        """As the templates render it."""
        parts = self._inner.render(name, channel, locale, variables)
        fixture = Fixture(name=self.test, values=dict(variables), test=self.test)
        self.sent.setdefault((name, channel), []).append(fixture)
        return parts


def _short(values: Values, test: str) -> Fixture:
    return Fixture(name=SHORT, values=values, test=test)


def _longest(values: Values, template: Template, test: str) -> Fixture:
    longer = {name: stretched(value, name) for name, value in values.items()}
    return Fixture(name=LONGEST, values={**longer, **template.longest}, test=test)


def _invented(template: Template) -> Values:
    """A value for each variable that the template declares."""
    return {
        name: template.longest.get(name, _INVENTED.get(variable.type, name.replace("_", " ")))
        for name, variable in template.variables.items()
    }


def _text(values: Values) -> str:
    return json.dumps(values, default=str)
