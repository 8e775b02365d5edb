"""From YAML to the domain: flat steps, resolved options, digests that see meaning only."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest

from shopflow.domain.policy import CalendarWindow, IfCapped, MessageClass
from shopflow.domain.step import Choose, End, Repeat, Send, SendMode, Split, Wait, WaitFor
from shopflow.domain.trait import Aggregate, TraitType
from shopflow.domain.trigger import DateTrigger, EventTrigger, ScheduleTrigger, SegmentTrigger
from shopflow.domain.workflow import OnChange, Reentry, Since, Status
from shopflow.errors import RulesInvalid
from shopflow.lang.build import build
from shopflow.lang.compiler.context import InstalledChannel
from shopflow.lang.older import compile_workflow
from shopflow.lang.project import Project
from shopflow.lang.reading import parse
from shopflow.lang.repository import read_repository

PROJECT = Path(__file__).parents[1] / "rules" / "project"


@pytest.fixture(scope="module")
def built():
    channels = {name: InstalledChannel(name=name) for name in ("email", "sms", "webpush")}
    channels["hook"] = InstalledChannel(name="hook", needs_address=False)
    project = Project(root=PROJECT, timezone="Europe/Paris", locale="fr")
    return build(read_repository(PROJECT), project, channels)


@pytest.fixture(scope="module")
def workflow(built):
    return built.ruleset.workflows["abandoned-cart"]


@pytest.fixture
def compiled(built):
    """Compiles a workflow given as YAML without its head."""

    def compile_it(text: str, **head):
        base = {
            "apiVersion": "shopflow/v1",
            "kind": "Workflow",
            "id": "w",
            "owner": "me",
            "status": "live",
            "purpose": "service",
        }
        return compile_workflow(base | head | parse("w.yaml", text).root.data, built.context)

    return compile_it


def test_the_complete_example_has_every_option_resolved(workflow):
    assert (workflow.status, workflow.priority, workflow.holdout) == (Status.LIVE, 60, 0.05)
    assert workflow.values == {
        "first_wait": timedelta(hours=1),
        "second_wait": timedelta(hours=23),
        "offer_from": 60,
    }
    assert isinstance(workflow.trigger, EventTrigger)
    assert workflow.trigger.pattern.types == {"cart.updated"}
    assert workflow.reentry is Reentry.RESTART
    assert workflow.cooldown == timedelta(days=7)
    assert not workflow.cooldown_per_key
    assert [(rule.id, rule.outcome) for rule in workflow.exits] == [
        ("purchased", "converted"),
        ("emptied", "lost"),
    ]
    assert workflow.goal.since is Since.LAST_SEND
    assert workflow.in_flight.on_change is OnChange.PIN
    assert workflow.in_flight.max_age == timedelta(days=30)


def test_steps_are_flat_and_name_what_follows(workflow):
    steps = workflow.steps
    assert workflow.start == "settle"
    assert list(steps) == ["settle", "reminder", "cool_off", "second_touch", "offer", "nudge"]
    assert steps["settle"].next == "reminder"
    assert isinstance(steps["second_touch"], Choose)
    assert [branch.target for branch in steps["second_touch"].branches] == ["offer"]
    assert steps["second_touch"].otherwise == "nudge"
    assert steps["offer"].next is None
    assert steps["offer"].channels == ("webpush", "sms", "email")
    assert steps["reminder"].max_lateness == timedelta(hours=6)
    assert steps["nudge"].max_lateness == timedelta(hours=24)
    assert steps["settle"].length.evaluate({"values": dict(workflow.values)}) == timedelta(hours=1)


def test_only_the_fields_that_are_read_later_are_kept(workflow):
    assert workflow.trigger_fields == {"cart_id", "items", "cart_url", "total"}


@pytest.mark.parametrize("text", ["size(gathered) > 1", "has(trigger.items) && trigger != {}"])
def test_a_payload_that_is_read_whole_is_kept_whole(compiled, text):
    steps = (
        f"steps: [{{id: a, wait: {{for: 1h, gather: 3}}}}, {{id: b, wait: 1h, only_if: '{text}'}}]"
    )
    assert compiled(f"trigger: {{event: order.placed}}\n{steps}").trigger_fields is None


def test_branches_join_again_and_ends_do_not(compiled):
    made = compiled("""
trigger: {event: order.placed}
steps:
  - id: way
    choose:
      - {when: segments.vip, then: [{id: early, end: gone}]}
      - {when: "!segments.vip", then: []}
      - {else: [{id: other, wait: 1h}]}
  - {id: last, wait: 1h}
""")
    way = made.steps["way"]
    assert [branch.target for branch in way.branches] == ["early", "last"]
    assert way.otherwise == "other"
    assert made.steps["other"].next == "last"
    assert made.steps["early"] == End(id="early", next=None, outcome="gone")
    assert made.steps["last"].next is None


def test_the_body_of_a_repeat_comes_back_to_it(compiled):
    made = compiled("""
trigger: {event: order.placed}
steps:
  - id: chase
    repeat: {every: 3d, max: 4, steps: [{id: one, wait: 1h}, {id: two, wait: 1h}]}
  - {id: last, wait: 1h}
""")
    chase = made.steps["chase"]
    assert isinstance(chase, Repeat)
    assert (chase.body, chase.limit, chase.next) == ("one", 4, "last")
    assert made.steps["two"].next == "chase"


def test_a_wait_for_keeps_the_fields_that_are_read(compiled):
    made = compiled("""
trigger: {event: order.placed}
steps:
  - id: sent
    wait_for: [order.shipped, order.delivered]
    match: {order_id: trigger.order_id}
    timeout: 3d
    then: [{id: tell, emit: {event: order.delayed, data: {order_id: steps.sent.event.order_id}}}]
  - {id: last, wait: 1h}
""")
    sent = made.steps["sent"]
    assert isinstance(sent, WaitFor)
    assert (sent.keep, sent.then, sent.otherwise) == ({"order_id"}, "tell", "last")
    assert set(sent.match) == {"order_id"}


def test_waits_in_their_forms(compiled):
    made = compiled("""
trigger: {event: order.placed}
steps:
  - {id: one, wait: {until_time: "09:00", days: [mon, sun]}}
  - {id: two, wait: {until: now}}
  - {id: three, wait: {for: 2h, gather: 5}}
""")
    one, two, three = made.steps.values()
    assert (one.until_time, one.days, one.length) == (time(9), {0, 6}, None)
    assert isinstance(two, Wait)
    assert two.until.source == "now"
    assert (three.gather, three.length.evaluate({})) == (5, timedelta(hours=2))


def test_weights_of_a_split_add_up_to_one(compiled):
    made = compiled("""
trigger: {event: order.placed}
steps:
  - id: tone
    split: [{name: a, weight: 1, then: []}, {name: b, weight: 3, then: []}]
""")
    assert isinstance(made.steps["tone"], Split)
    assert [branch.weight for branch in made.steps["tone"].branches] == [0.25, 0.75]


def test_sends_resolve_mode_purpose_and_lateness(compiled):
    made = compiled("""
trigger: {event: order.placed}
steps:
  - {id: a, send: {each_of: [email, sms]}, template: t/t, purpose: marketing, if_held: next}
  - {id: b, send: email, template: t/t, with: {n: 3, text: "'x'", yes: true}}
""")
    a, b = made.steps.values()
    assert isinstance(a, Send)
    assert (a.mode, a.purpose, a.skip_held) == (SendMode.EACH_OF, "marketing", True)
    assert a.max_lateness == timedelta(hours=24)
    assert b.max_lateness == timedelta(days=7), "service messages are worth more patience"
    values = {name: each.evaluate({}) for name, each in b.variables.items()}
    assert values == {"n": 3, "text": "x", "yes": True}


def test_triggers_in_their_forms(compiled):
    steps = "\nsteps: [{id: a, wait: 1h}]"
    date = compiled(
        "trigger: {date: customer.birthday, every: year, offset: -7d, at: '08:00'}" + steps
    ).trigger
    assert isinstance(date, DateTrigger)
    assert (date.offset, date.at, date.yearly) == (timedelta(days=-7), time(8), True)
    schedule = compiled("trigger: {schedule: '0 10 * * *', spread: 4h}" + steps).trigger
    assert isinstance(schedule, ScheduleTrigger)
    assert schedule.recurrence.source == "0 10 * * * Europe/Paris", "the project's zone"
    assert schedule.recurrence.next_after(datetime(2026, 7, 1, tzinfo=UTC)).hour == 8
    segment = compiled("trigger: {segment: vip, on: leaves}" + steps).trigger
    assert segment == SegmentTrigger(segment="vip", enters=False)
    prefix = compiled("trigger: {event: [order.*, refund.issued]}" + steps).trigger.pattern
    assert prefix.matches("order.placed")
    assert prefix.matches("refund.issued")
    assert not prefix.matches("cart.updated")


def test_max_age_is_never_shorter_than_the_longest_way(compiled):
    made = compiled("trigger: {event: order.placed}\nsteps: [{id: a, wait: 500d}]")
    assert made.in_flight.max_age > timedelta(days=500)
    short = compiled("trigger: {event: order.placed}\nsteps: [{id: a, wait: 1d}]")
    assert short.in_flight.max_age == timedelta(days=400)


BASE = """
values: {pause: 1h}
trigger: {event: order.placed, when: "event.order_id == 'a b' && has(event.total)"}
steps: [{id: a, wait: values.pause}]
"""
SAME = [
    """
steps:
  # another layout
  - wait: values.pause
    id: a
trigger:
  when: |
    event.order_id == 'a b'
      && has(event.total)   // a comment of CEL
  event: [order.placed]
values: {pause: 60m}
""",
]
OTHER = [
    BASE.replace("1h", "2h"),
    BASE.replace("'a b'", "'a  b'"),
    BASE.replace("id: a", "id: b"),
    BASE.replace("order.placed", "order.shipped"),
    BASE + "priority: 3\n",
]


@pytest.mark.parametrize("text", SAME)
def test_layout_and_comments_do_not_change_the_digest(compiled, text):
    assert compiled(text).digest == compiled(BASE).digest


@pytest.mark.parametrize(
    "head", [{"owner": "you"}, {"title": "X"}, {"version": 9}, {"status": "paused"}]
)
def test_what_is_for_people_does_not_change_the_digest(compiled, head):
    assert compiled(BASE, **head).digest == compiled(BASE).digest


@pytest.mark.parametrize("text", OTHER)
def test_another_meaning_is_another_digest(compiled, text):
    assert compiled(text).digest != compiled(BASE).digest


def test_a_kept_document_compiles_to_the_same_workflow(built, workflow):
    document = built.repository.files["rules/workflows/cart/abandoned-cart.yaml"].document
    assert compile_workflow(document.root.data, built.context).digest == workflow.digest


def test_a_kept_document_may_refer_to_what_is_gone(compiled):
    text = "trigger: {event: order.gone}\nsteps: [{id: a, wait: 1h, only_if: segments.gone}]"
    assert compiled(text).steps["a"].only_if is not None


@pytest.mark.parametrize(
    "text",
    [
        "trigger: {event: order.placed}\nsteps: [{id: a, wait: '1 +'}]",
        "trigger: {event: order.placed}\nsteps: [{id: a}]",
        "steps: [{id: a, wait: 1h}]",
    ],
)
def test_a_kept_document_that_cannot_be_run_is_refused(compiled, text):
    with pytest.raises(RulesInvalid):
        compiled(text)


def test_traits_take_their_type_from_the_value(built):
    traits = built.ruleset.traits
    assert traits["orders_count"].aggregate is Aggregate.COUNT
    assert traits["orders_count"].type is TraitType.INTEGER
    assert traits["total_spent"].type is TraitType.NUMBER
    assert traits["total_spent"].money, "amounts of an event with a currency"
    assert traits["last_order_at"].type is TraitType.TIMESTAMP
    assert traits["bought_categories"].type is TraitType.LIST
    assert traits["views"].by is not None
    assert traits["views_7d"].window == timedelta(days=7)
    assert traits["dearest"].aggregate is Aggregate.MAX
    assert traits["dearest"].limit == 50


def test_attributes_of_every_shop_are_there(built):
    attributes = built.ruleset.attributes
    assert {"email", "phone", "first_name", "last_name", "locale", "timezone"} <= set(attributes)
    assert attributes["birthday"].type is TraitType.DATE


def test_a_segment_with_a_window_is_timed_and_so_is_what_reads_it(built):
    segments = built.ruleset.segments
    assert segments["browsing"].timed
    assert not segments["vip"].timed
    assert not segments["promo_hunter"].timed


def test_purposes_have_their_parents_channels(built):
    purposes = built.ruleset.purposes
    assert set(purposes["cart_recovery"].channels) == {"email", "sms", "webpush"}
    assert purposes["marketing"].channels["email"].soft_opt_in.event_type == "order.placed"
    assert purposes["review"].message_class is MessageClass.RELATIONSHIP
    assert not purposes["service"].channels


def test_caps_and_quiet_windows(built):
    week, day = built.ruleset.caps
    assert (week.window, week.reserved_slots, week.reserved_priority) == (timedelta(days=7), 1, 80)
    assert (day.window, day.if_capped) == (CalendarWindow.DAY, IfCapped.DEFER)
    assert day.classes == {MessageClass.MARKETING, MessageClass.RELATIONSHIP}
    night, sunday = built.ruleset.quiet_windows
    assert (night.start, night.end, night.timezone) == (time(20), time(8), None)
    assert (sunday.days, sunday.holidays.code) == ({6}, "FR")


def test_addresses_of_channels(built):
    channels = built.ruleset.channels
    assert channels["email"].address_attribute == "email"
    assert channels["sms"].address_attribute == "phone"
    assert channels["webpush"].address_attribute == "webpush"
    assert channels["hook"].address_attribute is None


def test_the_digest_of_the_ruleset_follows_its_parts(built):
    channels = {name: InstalledChannel(name=name) for name in ("email", "sms", "webpush")}
    other = build(read_repository(PROJECT), Project(root=PROJECT, timezone="Europe/Rome"), channels)
    assert other.ruleset.digest != built.ruleset.digest
    assert len(built.ruleset.digest) == 32
