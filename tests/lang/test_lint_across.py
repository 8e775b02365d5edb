"""What lint finds between workflows: the same event answered twice, circles of events."""

from __future__ import annotations

import pytest
from support.sound_project import SoundProject

CAPS = """apiVersion: shopflow/v1
kind: FrequencyCaps
caps:
  - {id: week, max: 5, in_any: 7d}
"""
ONE_A_DAY = CAPS + "  - {id: day, max: 1, each: day, if_capped: defer}\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return SoundProject(tmp_path_factory.mktemp("project"))


@pytest.fixture
def codes(project):
    """The codes of the problems of a project with these workflows, and these caps."""

    def found(*workflows, caps=CAPS):
        files = {f"rules/workflows/new/{name}.yaml": text for name, text in workflows}
        loaded = project.load({**files, "rules/policies/caps.yaml": caps})
        return [problem.code for problem in loaded.problems]

    return found


def writing(name, trigger, wait="1h", status="live", send="email", coupon=""):
    """A workflow of one message."""
    steps = f"""
  - {{id: settle, wait: {wait}}}
  - {{id: mail, send: {send}, template: cart/{"offer" if coupon else "nudge"}{coupon}}}
"""
    return name, a_workflow(name, trigger, steps, status=status, purpose="marketing")


def a_workflow(name, trigger, steps, *, status="live", purpose="service"):
    return f"""apiVersion: shopflow/v1
kind: Workflow
id: {name}
owner: team
status: {status}
purpose: {purpose}
trigger: {trigger}
steps: {steps}
"""


PLACED = "{event: order.placed, cooldown: 7d%s}"
FIRST = writing("first", PLACED % "")


def when(condition):
    return PLACED % f", when: '{condition}'"


def test_two_answers_to_one_event_are_told(codes):
    assert codes(FIRST, writing("second", PLACED % "", wait="2h")) == ["SF501"]


def test_the_finding_names_both_with_their_times(project):
    files = {
        f"rules/workflows/new/{name}.yaml": text
        for name, text in (FIRST, writing("second", PLACED % "", wait="2h"))
    }
    (problem,) = project.load({**files, "rules/policies/caps.yaml": CAPS}).problems
    assert str(problem) == (
        "rules/workflows/new/second.yaml:10:10: warning[SF501]: 'first' and 'second' write to one "
        "customer twice by email: 1h and 2h after order.placed"
    )
    assert str(problem.related.location) == "rules/workflows/new/first.yaml:10:10"


def test_a_cap_of_one_a_day_keeps_them_apart(codes):
    assert codes(FIRST, writing("second", PLACED % "", wait="2h"), caps=ONE_A_DAY) == []


@pytest.mark.parametrize(
    "other",
    [
        writing("second", PLACED % "", wait="30h"),
        writing("second", PLACED % "", wait="2h", status="shadow"),
        writing("second", PLACED % "", wait="2h", send="webpush"),
        writing("second", PLACED % "", wait="{until_time: '09:00'}"),
        writing("second", "{event: order.canceled, cooldown: 7d}", wait="2h"),
        writing("second", "{event: order.*, when: 'event.type == \"order.paid\"'}", wait="2h"),
    ],
    ids=["a day later", "in the shadow", "elsewhere", "not known when", "another", "never this"],
)
def test_messages_that_do_not_meet_are_no_finding(codes, other):
    found = codes(FIRST, other)
    assert "SF501" not in found


@pytest.mark.parametrize(
    ("one", "other", "meets"),
    [
        ("customer.orders_count == 1", "customer.orders_count > 1", False),
        ("segments.vip", "customer.total_spent < 1000", False),
        ("segments.vip", "customer.orders_count > 3", True),
        ("size(event.items) > 3", "size(event.items) <= 3", False),
        ("has(event.total) && event.total > 20", "!has(event.total)", False),
        ("has(event.total) && event.total > 20", "has(event.total) && event.total < 50", True),
        # One looks at the sku in a way that may or may not exclude the other.
        ('event.order_id.startsWith("a")', 'event.order_id.endsWith("b")', False),
        ('event.order_id.startsWith("a")', "customer.orders_count > 1", True),
    ],
)
def test_only_conditions_that_can_both_hold_meet(codes, one, other, meets):
    found = codes(writing("first", when(one)), writing("second", when(other), wait="2h"))
    assert ("SF501" in found) is meets
    assert not {code for code in found if code not in ("SF501", "SF801")}


def test_another_coupon_is_told_even_where_a_cap_defers(codes):
    offers = [
        writing("first", PLACED % "", coupon=", coupon: cart10"),
        writing("second", PLACED % "", wait="2h", coupon=", coupon: other"),
    ]
    assert "SF502" in codes(*offers, caps=ONE_A_DAY)


def test_a_circle_through_others_is_told_once_with_its_way(project):
    files = {
        f"rules/workflows/new/{name}.yaml": a_workflow(
            name, f"{{event: {event}, key: event.id}}", f"[{{id: tell, emit: {{{emitted}}}}}]"
        )
        for name, event, emitted in (
            ("late", "order.delayed", "event: order.canceled, data: {order_id: trigger.order_id}"),
            ("gone", "order.canceled", "event: order.delayed, data: {order_id: trigger.order_id}"),
        )
    }
    problems = [each for each in project.load(files).problems if each.code == "SF208"]
    assert [each.message for each in problems] == [
        "this goes round for ever: gone -> order.delayed -> late -> order.canceled -> gone"
    ]


@pytest.mark.parametrize(
    ("trigger", "step"),
    [
        ("{event: order.delayed, key: event.id, reentry: once}", ""),
        ("{event: order.delayed, key: event.id, cooldown: 1d}", ""),
        ("{event: order.delayed, when: event.order_id == 'a'}", ""),
        ("{event: order.delayed, key: event.id}", ", only_if: segments.vip"),
    ],
    ids=["once", "cooldown", "another order", "a guard"],
)
def test_what_comes_to_rest_is_no_circle(project, trigger, step):
    emit = f"{{id: tell, emit: {{event: order.delayed, data: {{order_id: \"'b'\"}}}}{step}}}"
    files = {"rules/workflows/new/again.yaml": a_workflow("again", trigger, f"[{emit}]")}
    assert "SF208" not in [each.code for each in project.load(files).problems]
