"""Rule tests over the real engine: what they find, and what they set aside."""

from __future__ import annotations

import pytest
from support.small_project import FULL, ORDER

from shopflow.errors import TemplateError
from shopflow.gitops.expecting import judge
from shopflow.gitops.rehearsal import Stage
from shopflow.gitops.scenario import read_scenarios

REMINDED = {"sends": [{"at": "1h", "step": "reminder", "channel": "email"}]}
BY_LOG = {"sends": [{"at": "1h", "step": "reminder", "channel": "log"}]}
MARKETING = {"purpose": "marketing"}


def cart(expect, **more):
    return {"events": [FULL], "expect": expect, **more}


def at(when, event):
    return {**event, "at": when}


def test_what_comes_as_expected_is_no_problem(problems):
    assert problems(cart({**REMINDED, "end": {"at": "1h", "outcome": "completed"}})) == []


def test_an_event_at_the_due_time_comes_before_the_timer(problems):
    expect = {"sends": [], "end": {"at": "1h", "outcome": "converted", "by": "purchased"}}
    assert problems({"events": [FULL, at("1h", ORDER)], "expect": expect}) == []


@pytest.mark.parametrize(
    ("expect", "problem"),
    [
        ({"sends": []}, "send reminder email at 1h was not expected"),
        ({"sends": [{"at": "2h"}]}, "send: at 1h, expected 2h"),
        (
            {"sends": [{"step": "reminder", "channel": "log"}]},
            "send reminder log: channel 'email', expected 'log'",
        ),
        (
            {"sends": [{"step": "reminder", "with": {"total": 1, "more": 2}}]},
            "send reminder: with.total 90.0, expected 1; with.more is not there, expected 2",
        ),
        (
            {"sends": [{"at": "1h", "step": "reminder"}, {"at": "2h", "step": "reminder"}]},
            "send reminder at 2h did not come",
        ),
        ({"drops": [{"reason": "capped"}]}, "drop capped did not come"),
        ({"end": {"outcome": "lost"}}, "end lost: outcome 'completed', expected 'lost'"),
        ({"entered": 2}, "entered: 1 enrolments began, expected 2"),
        ({"entered": False}, "entered: 1 enrolments began, expected no"),
        ({"refused": ["cooldown"]}, "refused: [], expected ['cooldown']"),
        ({"active": True}, "active: no, expected yes"),
        ({"tags": ["vip"]}, "tags: [], expected ['vip']"),
        (
            {"attributes": {"level": "gold"}},
            "attributes.level is not there, expected 'gold'",
        ),
        ({"render": {"contains": "Total 91"}}, "render: 'Total 91' is not in any message"),
        (
            {"render": {"step": "reminder", "contains": ["Total 91"]}},
            "render: 'Total 91' is not in the message of reminder",
        ),
    ],
    ids=str,
)
def test_what_comes_otherwise_is_told(problems, expect, problem):
    assert problems(cart(expect)) == [problem]


def test_the_list_of_sends_is_complete_and_only_given_fields_count(problems):
    assert problems(cart({"sends": [{}]})) == []
    fields = {
        "template": "cart/reminder",
        "purpose": "service",
        "locale": "en",
        "to": "customer@example.com",
        "with": {"total": 90},
    }
    assert problems(cart({"sends": [fields]})) == []


def test_what_a_message_says_is_rendered(problems):
    assert problems(cart({"render": {"step": "reminder", "contains": ["Total 90", "cart"]}})) == []


def test_consent_decides_and_its_reason_is_known(problems):
    drop = {"step": "reminder", "channel": "email", "reason": "no_consent"}
    assert problems(cart({"sends": [], "drops": [drop]}), workflow=MARKETING) == []
    anna = {"consent": {"log": ["marketing"]}}
    assert problems(cart(BY_LOG, customer=anna), workflow=MARKETING) == []


def test_a_customer_is_reachable_unless_the_test_says_otherwise(problems):
    assert problems(cart(BY_LOG, customer={"attributes": {"email": None}})) == []
    assert problems(cart(BY_LOG, customer={"suppressed": ["email"]})) == []


def test_traits_of_a_customer_are_as_given(problems):
    traits = {
        "orders_count": 4,
        "total_spent": 99.5,
        "last_order_at": "2026-01-01T00:00:00Z",
        "skus": ["A1"],
        "views_7d": {"A1": 3},
        "favourite": "A1",
    }
    condition = (
        "customer.orders_count == 4 && customer.total_spent == 99.5 && 'A1' in customer.skus"
        " && customer.views_7d['A1'] == 3 && customer.favourite == 'A1'"
        " && customer.last_order_at < now && customer.level == 'gold'"
    )
    steps = [{"id": "only", "end": "yes"}]
    workflow = {
        "trigger": {"event": "cart.updated", "when": condition},
        "steps": steps,
        "exit_on": [],
    }
    anna = {"traits": {**traits, "level": "gold"}}
    assert problems(cart({"end": {"outcome": "yes"}}, customer=anna), workflow=workflow) == []


def test_given_traits_go_on_with_the_events(problems):
    workflow = {
        "trigger": {"event": "order.placed", "when": "customer.orders_count == 5"},
        "steps": [{"id": "only", "end": "fifth"}],
        "exit_on": [],
    }
    test = {
        "customer": {"traits": {"orders_count": 4}},
        "events": [at("0s", ORDER)],
        "expect": {"end": {"outcome": "fifth"}},
    }
    assert problems(test, workflow=workflow) == []


def test_a_segment_that_a_customer_is_in_is_not_entered(problems):
    segments = {
        "apiVersion": "shopflow/v1",
        "kind": "Segments",
        "segments": {"buyer": {"when": "customer.orders_count >= 1"}},
    }
    workflow = {
        "trigger": {"segment": "buyer"},
        "steps": [{"id": "only", "end": "yes"}],
        "exit_on": [],
    }
    more = {"workflow": workflow, "rules/segments.yaml": segments}
    bought = {"events": [at("0s", ORDER)]}
    assert problems({**bought, "expect": {"entered": 1}}, **more) == []
    known = {**bought, "customer": {"traits": {"orders_count": 1}}}
    assert problems({**known, "expect": {"entered": 0}}, **more) == []


def test_who_is_in_a_segment_before_the_scenario_starts_where_the_rule_asks(problems):
    segments = {
        "apiVersion": "shopflow/v1",
        "kind": "Segments",
        "segments": {"buyer": {"when": "customer.orders_count >= 1"}},
    }
    workflow = {
        "trigger": {"segment": "buyer", "backfill": True},
        "steps": [{"id": "only", "end": "yes"}],
        "exit_on": [],
    }
    more = {"workflow": workflow, "rules/segments.yaml": segments}
    known = {"customer": {"traits": {"orders_count": 1}}}
    once = {"entered": 1, "end": {"at": "0s", "outcome": "yes"}}
    assert problems({**known, "events": [at("0s", ORDER)], "expect": once}, **more) == []
    assert problems({**known, "events": [at("1h", ORDER)], "expect": once}, **more) == []
    assert problems({**known, "until": "1d", "expect": once}, **more) == []
    stranger = {"events": [at("1h", ORDER)]}
    later = {"entered": 1, "end": {"at": "1h", "outcome": "yes"}}
    assert problems({**stranger, "expect": later}, **more) == []


def test_a_date_of_the_customer_starts_its_workflow(problems):
    workflow = {
        "trigger": {"date": "customer.birthday", "every": "year", "at": "09:00"},
        "exit_on": [],
        "steps": [{"id": "only", "end": "congratulated"}],
    }
    test = {
        "customer": {"attributes": {"birthday": "1990-03-05"}},
        "until": "3d",
        "expect": {"entered": 1, "end": {"at": "47h", "outcome": "congratulated"}},
    }
    assert problems(test, workflow=workflow) == []


def test_the_past_counts_and_is_not_part_of_the_answer(problems):
    caps = {
        "apiVersion": "shopflow/v1",
        "kind": "FrequencyCaps",
        "caps": [{"id": "week", "max": 1, "in_any": "7d", "if_capped": "skip"}],
    }
    anna = {"consent": {"email": ["marketing"]}}
    sent = {"at": "2d", "channel": "email", "purpose": "marketing"}
    test = {
        "customer": anna,
        "history": {"events": [at("30m", FULL)], "sends": [sent]},
        "expect": {"sends": [], "drops": [{"at": "30m", "reason": "capped"}], "entered": 0},
    }
    more = {"workflow": MARKETING, "rules/policies/caps.yaml": caps}
    assert problems(test, **more) == []
    test["history"]["sends"] = [{**sent, "at": "8d"}]
    test["expect"] = {"sends": [{"at": "30m", "channel": "email"}]}
    assert problems(test, **more) == []


def test_a_cooldown_counts_from_a_past_message_of_the_workflow(problems):
    trigger = {"event": "cart.updated", "cooldown": "7d"}
    sent = {"at": "2d", "channel": "email", "purpose": "service", "workflow": "cart"}
    test = cart({"sends": [], "refused": ["cooldown"]}, history={"sends": [sent]})
    assert problems(test, workflow={"trigger": trigger}) == []


def test_a_channel_that_gives_up_gives_way_to_the_next(problems):
    mocks = {"channels": {"email": "rejected"}}
    assert problems(cart(BY_LOG, mocks=mocks)) == []
    both = {"channels": {"email": "rejected", "log": "settings"}}
    expect = {"sends": [], "drops": [{"step": "reminder", "reason": "failed"}]}
    assert problems(cart(expect, mocks=both)) == []


def test_a_channel_may_give_up_on_the_first_messages_only(problems):
    mocks = {"channels": {"email": {"fail": "rejected", "times": 1}}}
    events = [FULL, at("2h", FULL)]
    sends = [{"at": "1h", "channel": "log"}, {"at": "3h", "channel": "email"}]
    assert problems({"events": events, "mocks": mocks, "expect": {"sends": sends}}) == []


def test_products_can_be_out_of_stock(problems):
    steps = [
        {
            "id": "reminder",
            "send": "log",
            "template": "cart/reminder",
            "with": {"total": "trigger.total"},
            "only_if": "in_stock(trigger.items)",
        }
    ]
    event = {**FULL, "data": {"total": 90.0, "items": [{"sku": "A1"}]}}
    test = {"events": [event], "expect": {"sends": [{}]}}
    assert problems(test, workflow={"steps": steps}) == []
    gone = {"products": {"A1": {"in_stock": False}}}
    test = {**test, "mocks": gone, "expect": {"sends": [], "drops": [{"reason": "guard"}]}}
    assert problems(test, workflow={"steps": steps}) == []


def test_nobody_is_held_out_unless_the_test_asks_for_it(problems):
    workflow = {"purpose": "marketing", "holdout": "50%"}
    anna = {"consent": {"email": ["marketing"]}}
    for number in range(4):
        test = cart(REMINDED, customer=f"anna{number}", customers={f"anna{number}": anna})
        assert problems(test, workflow=workflow) == []
    held = cart({"sends": [], "drops": [{"reason": "holdout"}]}, customer=anna)
    assert problems({**held, "mocks": {"holdout": True}}, workflow=workflow) == []


@pytest.mark.parametrize("status", ["draft", "shadow", "paused"])
def test_a_workflow_is_tested_as_if_it_were_live(problems, status):
    assert problems(cart(REMINDED), workflow={"status": status}) == []


def test_a_test_hears_of_its_own_workflow_only(problems):
    other = {
        "apiVersion": "shopflow/v1",
        "kind": "Workflow",
        "id": "other",
        "owner": "tests",
        "status": "live",
        "purpose": "service",
        "trigger": {"event": "cart.updated"},
        "steps": [{"id": "only", "end": "yes"}],
    }
    more = {"rules/workflows/shop/other.yaml": other}
    assert problems(cart({**REMINDED, "entered": 1}), **more) == []


def test_of_several_enrolments_one_has_to_end_as_told(problems):
    events = [FULL, at("1h", ORDER), at("2h", FULL)]
    for end in ({"at": "1h", "outcome": "converted"}, {"at": "3h", "outcome": "completed"}):
        assert problems({"events": events, "expect": {"end": end}}) == []
    wrong = {"events": events, "expect": {"end": {"at": "2h"}}}
    assert problems(wrong) == ["end: at 3h, expected 2h"]


def test_several_customers_and_visitors_take_part(problems):
    events = [
        {**FULL, "customer": "ben"},
        {**FULL, "at": "10m", "anonymous": "v1"},
        {"at": "20m", "type": "customer.identified", "data": {}, "anonymous": "v1"},
    ]
    test = {
        "customers": {"anna": {}, "ben": {}},
        "customer": "anna",
        "events": events,
        "expect": {
            "sends": [
                {"at": "1h", "to": "ben@example.com"},
                {"at": "1h10m", "to": "anna@example.com"},
            ]
        },
    }
    assert problems(test) == []


def test_a_table_runs_once_for_each_row(judged):
    test = {
        "name": "a cart of {total}",
        "cases": [
            {"total": 90.0, "expect": {"entered": 1}},
            {"total": 20, "expect": {"entered": 1}},
            {"total": 19.99, "expect": {"entered": 0}},
        ],
        "events": [{**FULL, "data": {"total": "{total}", "items": []}}],
        "expect": {"refused": []},
    }
    results = judged(test)
    assert [result.problems for result in results] == [(), (), ()]
    assert results[2].scenario.name == "a cart of 19.99 [total=19.99]"


def test_the_clock_runs_no_further_than_it_is_told(problems):
    assert problems(cart({"sends": [], "active": True}, until="59m")) == []
    assert problems(cart(REMINDED, until="1h")) == []


class BrokenMail:
    """Templates of which the mails cannot be rendered."""

    def render(self, name, channel, locale, variables):
        if channel == "email":
            raise TemplateError(f"{name}: 'first_name' is not given")
        return {"text": f"{locale} {variables['total']}"}


def test_a_message_that_cannot_be_rendered_gives_way_to_the_next(project):
    loaded = project(None, [cart(BY_LOG)])
    (scenario,) = read_scenarios(loaded.tests, loaded.ruleset)
    rehearsal = Stage(loaded.ruleset, BrokenMail()).rehearse(scenario)
    assert judge(rehearsal).passed
    assert rehearsal.rendered == [("reminder", {"text": "en 90.0"})]
    assert "cart/reminder: 'first_name' is not given" in rehearsal.notes[0]


def test_conditions_that_said_no_are_told_with_what_they_saw(judged):
    exits = [
        {
            "id": "purchased",
            "event": "order.placed",
            "when": "has(event.total) && event.total > trigger.total",
            "outcome": "converted",
        }
    ]
    order = {**ORDER, "at": "10m", "data": {"order_id": "o1", "items": [], "total": 5.0}}
    small = {**FULL, "at": "20m", "data": {"total": 3, "items": []}}
    (result,) = judged(
        {"events": [FULL, order, small], "expect": {"sends": []}}, workflow={"exit_on": exits}
    )
    notes = "\n".join(result.notes)
    assert "exit rule `purchased` saw order.placed and said no" in notes
    assert "event.total = 5.0, trigger.total = 90.0" in notes
    assert "the trigger saw cart.updated and said no" in notes
    assert "event.total = 3" in notes
