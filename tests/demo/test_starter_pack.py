"""The shipped workflows over the simulated shop: each does its work, and none stumbles."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import orjson
import pytest

from shopflow.demo.shop import simulate_shop
from shopflow.domain.event import Facts
from shopflow.domain.journal import Effect, JournalEntry, Kind, Queue
from shopflow.engine import Rulebook
from shopflow.gitops.rehearsal import Stage
from shopflow.gitops.scenario import read_scenarios
from shopflow.gitops.virtual import VirtualShop
from shopflow.lang.templates import TemplateSet
from shopflow.rulebook import LoadedProject, load_project
from shopflow.runtime.ingest import Accepted, Ingest

ROOT = Path(__file__).parents[2]
START = datetime(2026, 3, 1, tzinfo=UTC)


#: What starts them does not happen in the simulated month, or not within it.
NOT_IN_THE_MONTH = frozenset(
    {
        "account-closed",
        "backorder",
        "birthday",
        "child-birthday",
        "contest",
        "coupon-user-privilege",
        "email-change",
        "event-invitation",
        "interest-welcome",
        "invoice-unpaid",
        "lead-magnet",
        "loyalty-points",
        "newsletter",
        "password-changed",
        "password-reset",
        "points-expiring",
        "re-engage-and-sunset",
        "replacement",
        "return-missing-info",
        "return-status",
        "sale-lovers",
        "seasonal-return",
        "support-survey",
        "vip-private-sale",
    }
)


class InBothLanguages:
    """Templates that are written in French and in English whenever one of the two is asked for."""

    def __init__(self, templates: TemplateSet) -> None:
        self._templates = templates

    def render(self, name, channel, locale, values):
        written = {one: self._templates.render(name, channel, one, values) for one in ("fr", "en")}
        for parts in written.values():
            assert 1 <= len(parts["subject"]) <= 60
            assert "http" in parts["html"]
        return written[locale]


@cache
def project() -> LoadedProject:
    return load_project(ROOT, env={})


@cache
def effects() -> tuple[Effect, ...]:
    """What the rules decide over a month of three hundred customers."""
    found: list[Effect] = []
    loaded = project().require()
    ingest = Ingest(loaded.events.schemas, event_clock=True)
    shop = VirtualShop(Rulebook(loaded.ruleset), Facts(event_clock=True), found.append)
    for told in simulate_shop(customers=300, days=30, seed=3, start=START):
        read = ingest.read(orjson.dumps(told), received_at=START)
        assert isinstance(read, Accepted), read
        assert read.event.concerns is not None
        shop.give(read.event.concerns, read.event)
    return tuple(found)


def entries(kind: Kind) -> list[JournalEntry]:
    return [each for each in effects() if isinstance(each, JournalEntry) and each.kind is kind]


def test_the_shipped_project_has_no_problem_at_all():
    assert project().problems == ()


def test_each_workflow_sends_whose_events_the_month_has():
    sent = {each.message.workflow for each in effects() if isinstance(each, Queue)}
    assert sent == set(project().ruleset.workflows) - NOT_IN_THE_MONTH


@pytest.mark.parametrize("workflow", sorted(project().ruleset.workflows))
def test_each_send_leaves_in_the_tests_of_its_workflow_and_is_written_in_both_languages(workflow):
    loaded = project()
    documents = [one for one in loaded.tests if one.root["workflow"].text == workflow]
    stage = Stage(loaded.ruleset, InBothLanguages(loaded.templates))
    rehearsals = [stage.rehearse(one) for one in read_scenarios(documents, loaded.ruleset)]
    sent = {step for one in rehearsals for step, _ in one.rendered}
    steps = loaded.ruleset.workflows[workflow].steps
    assert sent == {name for name, step in steps.items() if hasattr(step, "template")}
    # A condition or a template that fails is told in words.
    assert [note for one in rehearsals for note in one.notes if "failed:" in note] == []


def test_no_condition_and_no_value_fails():
    assert [(each.workflow, each.values) for each in entries(Kind.ERROR)] == []


def test_who_did_not_agree_is_left_in_peace_and_the_reason_is_written_down():
    reasons = {each.reason for each in entries(Kind.DROPPED)}
    assert {"no_consent", "no_address", "capped"} <= reasons
    assert "quiet_hours" in {each.reason for each in entries(Kind.HELD)}


def test_every_message_can_be_written():
    standard = {"shop": {}, "unsubscribe_url": "https://boutique.example/leave"}
    written = Counter()
    for effect in effects():
        if isinstance(effect, Queue):
            message = effect.message
            parts = project().templates.render(
                message.template,
                message.channel,
                message.locale,
                {**message.variables, **standard},
            )
            assert parts["subject"].strip()
            assert "http" in parts["html"]
            written[message.locale] += 1
    assert written["fr"] > written["en"] > 0
