"""The shipped workflows over the simulated shop: each does its work, and none stumbles."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import orjson
import pytest
import yaml
from support.shipped import shipped

from shopflow.demo.catalogue import catalogue, rankings
from shopflow.demo.shop import simulate_shop
from shopflow.domain.event import Facts
from shopflow.domain.journal import Effect, JournalEntry, Kind, Queue
from shopflow.domain.step import Send, WaitFor
from shopflow.domain.trigger import EventTrigger
from shopflow.engine import Rulebook
from shopflow.errors import TooFewProducts
from shopflow.gitops.mocked_links import mocked_links
from shopflow.gitops.rehearsal import Stage
from shopflow.gitops.scenario import read_scenarios
from shopflow.gitops.virtual import VirtualShop
from shopflow.lang.templates import TemplateSet
from shopflow.recommend import FixedShelves, Recommender
from shopflow.runtime.ingest import Accepted, Ingest

ROOT = Path(__file__).parents[2]
START = datetime(2026, 3, 1, tzinfo=UTC)


#: Their day of the year is not in the month.
NOT_IN_THE_MONTH = frozenset({"event-invitation", "seasonal-return"})
#: Events that name no customer, and what follows from one.
ABOUT_NOBODY = frozenset(
    {"product.restocked", "product.price_dropped", "coupon_pool.opened", "price.found"}
)
#: Row of the catalogue -> its workflows.
ROWS = yaml.safe_load((ROOT / "tests/e2e/catalogue.yaml").read_text(encoding="utf-8"))
#: Rows of the catalogue that the month lets send, at least.
EXERCISED = 40


class InBothLanguages:
    """Templates that are written in French and in English whenever one of the two is asked for."""

    def __init__(self, templates: TemplateSet) -> None:
        self._templates = templates

    def render(self, name, channel, locale, values):
        written = {one: self._templates.render(name, channel, one, values) for one in ("fr", "en")}
        for parts in written.values():
            if channel == "email":
                assert 1 <= len(parts["subject"]) <= 60
            # What stands on the shop's own pages leads to others of them.
            assert ("/" if channel == "onsite" else "http") in " ".join(parts.values())
        return written[locale]


@cache
def effects() -> tuple[Effect, ...]:
    """What the rules decide over a month of five hundred customers."""
    found: list[Effect] = []
    loaded = shipped()
    ingest = Ingest(loaded.events.schemas, event_clock=True)
    facts = Facts(products=catalogue(START), event_clock=True)
    shop = VirtualShop(Rulebook(loaded.ruleset), facts, found.append)
    now = START
    for told in simulate_shop(customers=500, days=30, seed=3, start=START):
        read = ingest.read(orjson.dumps(told), received_at=START)
        assert isinstance(read, Accepted), read
        now = read.event.occurred_at
        if read.event.concerns is not None:
            shop.give(read.event.concerns, read.event)
    shop.tick(now)
    return tuple(found)


def entries(kind: Kind) -> list[JournalEntry]:
    return [each for each in effects() if isinstance(each, JournalEntry) and each.kind is kind]


def test_the_shipped_project_has_no_problem_at_all():
    assert shipped().problems == ()


def sending() -> set[str]:
    return {each.message.workflow for each in effects() if isinstance(each, Queue)}


def test_each_workflow_sends_whose_day_is_in_the_month():
    silent = set(shipped().ruleset.workflows) - sending()
    # What concerns the shop's own tools has steps that are no messages.
    silent = {name for name in silent if has_sends(name) and not hangs_on_the_shop(name)}
    assert silent == NOT_IN_THE_MONTH


def hangs_on_the_shop(workflow: str) -> bool:
    """True for what an event about a product or a pool starts: here customers are decided alone."""
    rules = shipped().ruleset.workflows[workflow]
    patterns = [step.pattern for step in rules.steps.values() if isinstance(step, WaitFor)]
    if isinstance(rules.trigger, EventTrigger):
        if rules.trigger.audience is not None or rules.trigger.subject:
            return True
        patterns.append(rules.trigger.pattern)
    types = {name for pattern in patterns for name in pattern.types}
    return bool(types & ABOUT_NOBODY)


def has_sends(workflow: str) -> bool:
    steps = shipped().ruleset.workflows[workflow].steps.values()
    return any(isinstance(step, Send) and step.template for step in steps)


def test_the_month_exercises_most_rows_of_the_catalogue():
    exercised = [row for row, workflows in ROWS.items() if sending() & set(workflows)]
    assert len(exercised) >= EXERCISED


@pytest.mark.parametrize("workflow", sorted(shipped().ruleset.workflows))
def test_each_send_leaves_in_the_tests_of_its_workflow_and_is_written_in_both_languages(workflow):
    loaded = shipped()
    documents = [one for one in loaded.tests if one.root["workflow"].text == workflow]
    stage = Stage(loaded.ruleset, InBothLanguages(loaded.templates))
    rehearsals = [stage.rehearse(one) for one in read_scenarios(documents, loaded.ruleset)]
    sent = {step for one in rehearsals for step, _ in one.rendered}
    steps = loaded.ruleset.workflows[workflow].steps
    # A ticket or a call is no text.
    assert sent == {name for name, step in steps.items() if getattr(step, "template", "")}
    # A condition or a template that fails is told in words.
    assert [note for one in rehearsals for note in one.notes if "failed:" in note] == []


def test_no_condition_and_no_value_fails():
    assert [(each.workflow, each.values) for each in entries(Kind.ERROR)] == []


def test_who_did_not_agree_is_left_in_peace_and_the_reason_is_written_down():
    reasons = {each.reason for each in entries(Kind.DROPPED)}
    assert {"no_consent", "no_address", "capped"} <= reasons
    assert "quiet_hours" in {each.reason for each in entries(Kind.HELD)}


def test_every_message_can_be_written():
    standard = {"shop": {}}
    shelves = FixedShelves(rankings(START), catalogue(START))
    written, kept_back = Counter(), Counter()
    for effect in effects():
        # A ticket or a call is no text.
        if isinstance(effect, Queue) and effect.message.template:
            message = effect.message
            given = {
                **message.variables,
                **standard,
                **mocked_links(shipped().ruleset),
                "recommend": Recommender(shelves),
            }
            try:
                parts = shipped().templates.render(
                    message.template, message.channel, message.locale, given
                )
            except TooFewProducts:
                kept_back[message.workflow] += 1
                continue
            if message.channel == "email":
                assert parts["subject"].strip()
                assert "http" in parts["html"]
            assert all(part.strip() for part in parts.values())
            written[message.locale] += 1
    assert written["fr"] > written["en"] > 0
    # What has nothing to recommend does not leave, and that is seldom.
    assert set(kept_back) <= {"compatible-parts", "cross-sell", "search-abandonment", "upsell"}
    assert kept_back.total() * 20 < written.total()
