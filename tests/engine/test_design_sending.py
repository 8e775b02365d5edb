"""Sends that hold, hold out, come back or fail: each passes its gates and counts as it should."""

from datetime import UTC, datetime, time, timedelta

import pytest
from support.engine import (
    DAY,
    HOUR,
    PURPOSES,
    T0,
    Life,
    a_customer,
    a_send,
    a_wait,
    a_workflow,
    cel,
    on,
)

from shopflow.domain.customer import SlotState
from shopflow.domain.event import DeliveryReport, Outcome
from shopflow.domain.journal import Cancel, JournalEntry, Kind, Queue, Requeue
from shopflow.domain.policy import FrequencyCap, IfCapped, MessageClass, Purpose, QuietWindow
from shopflow.domain.step import Branch, Choose, SendMode, WaitFor
from shopflow.domain.trigger import EventTrigger
from shopflow.domain.workflow import Exit, Goal, Reentry, Since, Status

MINUTE = timedelta(minutes=1)
EMAIL, SMS = ("email", "marketing"), ("sms", "marketing")
NIGHT = QuietWindow(id="night", start=time(20), end=time(8), timezone="UTC")
SMS_NIGHT = QuietWindow(
    id="night", channels=frozenset({"sms"}), start=time(20), end=time(8), timezone="UTC"
)
MORNING = datetime(2026, 3, 4, 8, tzinfo=UTC)
WEEK = FrequencyCap(id="week", limit=1, window=7 * DAY)
GOAL = Goal(
    pattern=on("order.placed"), when=None, within=2 * DAY, since=Since.LAST_SEND, value=None
)


def a_marketing_send(step_id="reminder", next_step=None, **more):
    defaults = {"channels": ("sms", "email"), "purpose": "marketing"}
    return a_send(step_id, next_step, **{**defaults, **more})


def living(*workflows, event_clock=False, **more):
    return Life(
        *workflows, customer=a_customer(consent=[EMAIL, SMS]), event_clock=event_clock, **more
    )


def each_of(*then, **more):
    next_step = then[0].id if then else None
    send = a_marketing_send(next_step=next_step, mode=SendMode.EACH_OF)
    defaults = {"purpose": "marketing", "steps": [send, *then], "exits": ()}
    return a_workflow(**{**defaults, **more})


def told(life, outcome, at, message, reason=""):
    return life.give(DeliveryReport(message=message, outcome=outcome, at=T0 + at, reason=reason))


def entries(life, kind):
    return [entry for entry in life.of(JournalEntry) if entry.kind is kind]


def reasons(life, kind=Kind.DROPPED):
    return [entry.reason for entry in entries(life, kind)]


def channels(life):
    return [effect.message.channel for effect in life.of(Queue)]


# Hold-outs


@pytest.mark.parametrize("at", [0 * HOUR, 11 * HOUR])
def test_no_channel_of_an_each_of_reaches_a_hold_out_not_even_after_a_hold(at):
    life = living(each_of(holdout=1.0), quiet_windows=(SMS_NIGHT,))
    life.event(at=at)
    life.tick(MORNING)
    assert channels(life) == []
    assert set(reasons(life)) == {"holdout"}


@pytest.mark.parametrize(
    "flow",
    [
        each_of,
        lambda **more: a_workflow(
            **{"steps": [a_marketing_send()], "purpose": "marketing", **more}
        ),
    ],
)
def test_hold_outs_take_the_same_way_as_those_who_are_sent_to(flow):
    def way(holdout):
        life = living(
            flow(holdout=holdout, cooldown=7 * DAY, goal=GOAL, reentry=Reentry.RESTART),
            event_clock=True,
        )
        life.event()
        life.event(at=HOUR)
        life.event("order.placed", DAY)
        life.event(at=3 * DAY)
        life.event(at=8 * DAY)
        return [
            (e.kind, e.reason, e.at)
            for e in life.of(JournalEntry)
            if e.kind not in (Kind.QUEUED, Kind.DROPPED)
        ]

    assert way(1.0) == way(0.0)
    assert Kind.CONVERTED in {kind for kind, _, _ in way(1.0)}


def test_what_a_hold_out_would_have_been_sent_can_be_asked_later():
    choose = Choose(
        id="which",
        next=None,
        branches=(
            Branch(
                name="recent",
                target=None,
                when=cel(
                    'now - steps.reminder.sent_at < duration("3h") '
                    '&& steps.reminder.channel == "sms"'
                ),
            ),
        ),
        otherwise=None,
    )
    steps = [a_marketing_send(next_step="cool"), a_wait("cool", "2h", "which"), choose]
    for holdout in (0.0, 1.0):
        life = living(a_workflow(steps=steps, holdout=holdout, exits=()), event_clock=True)
        life.event()
        life.tick(2 * HOUR)
        assert reasons(life, Kind.STEP) == ["recent"]


def test_messages_to_our_own_tools_are_never_held_out():
    purposes = {**PURPOSES, "internal": Purpose(id="internal", message_class=MessageClass.INTERNAL)}
    flow = a_workflow(holdout=1.0, steps=[a_send(purpose="internal")])
    life = Life(flow, purposes=purposes)
    life.event()
    assert channels(life) == ["log"]


# Holds of an each_of


def test_what_was_held_counts_like_any_other_send_once_it_goes():
    wait = a_wait("cool", "20h", "second")
    flow = each_of(wait, a_send("second"), cooldown=7 * DAY, goal=GOAL)
    life = living(flow, quiet_windows=(NIGHT,), event_clock=True)
    life.event(at=11 * HOUR)
    life.tick(MORNING)
    [enrolment] = life.customer.enrolments
    assert enrolment.sent
    assert enrolment.results["reminder"].sent_at == MORNING
    [watch] = life.customer.goals
    assert watch.since_at == MORNING
    mark = life.customer.marks["abandoned-cart", None]
    assert mark.last_message_at == MORNING


def test_an_exit_calls_back_what_the_last_step_holds():
    bought = Exit(id="purchased", pattern=on("order.placed"), when=None, outcome="converted")
    life = living(each_of(exits=(bought,)), quiet_windows=(SMS_NIGHT,))
    life.event(at=11 * HOUR)
    assert channels(life) == ["email"]
    life.event("order.placed", 12 * HOUR)
    life.tick(2 * DAY)
    assert channels(life) == ["email"]
    assert reasons(life, Kind.EXITED) == ["converted"]


def test_an_enrolment_ends_when_the_last_thing_it_holds_has_gone():
    life = living(each_of(), quiet_windows=(SMS_NIGHT,))
    life.event(at=11 * HOUR)
    assert reasons(life, Kind.EXITED) == []
    life.tick(MORNING)
    assert channels(life) == ["email", "sms"]
    [ended] = entries(life, Kind.EXITED)
    assert (ended.reason, ended.at) == ("completed", MORNING)
    assert life.customer.enrolments == ()


def test_a_held_message_passes_every_gate_when_its_hold_ends():
    gone = Exit(id="gone", pattern=None, when=cel('customer.country == "AQ"'), outcome="gone")
    guarded = a_marketing_send(mode=SendMode.EACH_OF, only_if=cel('customer.country != "XX"'))
    flow = a_workflow(steps=[guarded], exits=(gone,), purpose="marketing")
    for country, expected in [("FR", None), ("XX", "guard"), ("AQ", "exited")]:
        customer = a_customer(consent=[EMAIL, SMS])
        customer = type(customer)(
            id="anna",
            consents=customer.consents,
            attributes={**customer.attributes, "country": "FR"},
        )
        life = Life(flow, customer=customer, quiet_windows=(NIGHT,))
        life.event(at=11 * HOUR)
        life.event("customer.updated", 12 * HOUR, country=country)
        life.tick(MORNING)
        assert len(channels(life)) == (2 if expected is None else 0)
        if expected == "guard":
            assert set(reasons(life)) == {"guard"}
        if expected == "exited":
            assert reasons(life, Kind.EXITED) == ["gone"]


def test_a_workflow_that_is_paused_keeps_back_what_it_holds():
    live = each_of()
    life = living(live, quiet_windows=(NIGHT,))
    life.event(at=11 * HOUR)
    paused = living(each_of(status=Status.PAUSED), quiet_windows=(NIGHT,))
    life.rulebook = paused.rulebook
    life.tick(MORNING)
    assert channels(life) == []
    assert set(reasons(life)) == {"paused"}


# Channel lists


def test_a_silence_longer_than_any_hold_gives_way_too_where_quiet_hours_do():
    shut = QuietWindow(
        id="shut", channels=frozenset({"sms"}), days=frozenset(range(7)), timezone="UTC"
    )
    flow = a_workflow(steps=[a_marketing_send(skip_held=True)], purpose="marketing")
    life = living(flow, quiet_windows=(shut,))
    life.event()
    assert channels(life) == ["email"]
    life = living(
        a_workflow(steps=[a_marketing_send()], purpose="marketing"), quiet_windows=(shut,)
    )
    life.event()
    assert reasons(life) == ["stale"]


# Word from the deliverer


def test_a_message_that_left_before_it_could_be_called_back_counts():
    flow = a_workflow(
        steps=[a_marketing_send(next_step="cool"), a_wait("cool", "23h", None)],
        purpose="marketing",
        reentry=Reentry.PARALLEL,
    )
    for outcome in (Outcome.ACCEPTED, Outcome.UNCERTAIN):
        life = living(flow, caps=(WEEK,))
        life.event()
        life.event("order.placed", MINUTE)
        assert len(life.of(Cancel)) == 1
        told(life, outcome, 2 * MINUTE, life.of(Queue)[0].message)
        life.event(at=HOUR)
        assert channels(life) == ["sms"]
        assert reasons(life) == ["capped"]


def test_a_message_handed_back_after_its_exit_is_let_go_of():
    flow = a_workflow(steps=[a_marketing_send(next_step="cool"), a_wait("cool", "23h", None)])
    life = living(flow)
    life.event()
    life.event("order.placed", MINUTE)
    effects = told(life, Outcome.RETURNED, DAY, life.of(Queue)[0].message)
    assert [type(effect) for effect in effects] == [Cancel]


def test_a_receipt_after_all_moves_the_slot_of_a_doubtful_send():
    life = living(a_workflow(steps=[a_marketing_send()]), caps=(WEEK,))
    life.event()
    [queued] = life.of(Queue)
    told(life, Outcome.UNCERTAIN, MINUTE, queued.message)
    told(life, Outcome.ACCEPTED, 3 * HOUR, queued.message)
    [record] = life.customer.sent
    assert (record.state, record.accepted_at) == (SlotState.ACCEPTED, T0 + 3 * HOUR)


@pytest.mark.parametrize("country", ["XX", "AQ"])
def test_a_message_handed_back_passes_the_gates_of_its_step_again(country):
    gone = Exit(id="gone", pattern=None, when=cel('customer.country == "AQ"'), outcome="gone")
    guarded = a_marketing_send(next_step="cool", only_if=cel('customer.country != "XX"'))
    flow = a_workflow(steps=[guarded, a_wait("cool", "23h", None)], exits=(gone,))
    life = living(flow)
    life.event("customer.updated", country="FR")
    life.event()
    [queued] = life.of(Queue)
    life.event("customer.updated", HOUR, country=country)
    told(life, Outcome.RETURNED, 2 * HOUR, queued.message)
    assert life.of(Requeue) == []
    assert next(cancel.message_id for cancel in life.of(Cancel)) == queued.message.id


def test_a_fallback_is_not_sent_by_a_workflow_that_is_paused():
    life = living(a_workflow(steps=[a_marketing_send()], purpose="marketing"))
    life.event()
    life.rulebook = living(
        a_workflow(steps=[a_marketing_send()], purpose="marketing", status=Status.PAUSED)
    ).rulebook
    told(life, Outcome.FAILED, MINUTE, life.of(Queue)[0].message, "rejected")
    assert channels(life) == ["sms"]
    assert reasons(life) == ["paused"]


def test_a_fallback_after_a_deploy_finds_its_step_in_the_new_version():
    life = living(a_workflow(steps=[a_marketing_send()], purpose="marketing"))
    life.event()
    life.rulebook = living(
        a_workflow(steps=[a_marketing_send()], purpose="marketing", version=2, digest="new")
    ).rulebook
    told(life, Outcome.FAILED, MINUTE, life.of(Queue)[0].message, "rejected")
    assert channels(life) == ["sms", "email"]


def test_a_workflow_that_went_back_to_draft_sends_nothing_more():
    life = Life(a_workflow())
    life.event()
    life.rulebook = Life(a_workflow(status=Status.DRAFT)).rulebook
    life.tick(HOUR)
    assert channels(life) == []
    assert reasons(life) == ["paused"]


def test_sends_of_one_instant_go_by_priority_however_they_came_about():
    """A timer, an event that was waited for and a trigger at one instant: one slot for the best."""
    cap = FrequencyCap(id="one", limit=1, window=DAY, if_capped=IfCapped.SKIP)
    send = a_marketing_send(channels=("email",))
    waiting = WaitFor(
        id="paid",
        next=None,
        pattern=on("payment.received"),
        timeout=cel('duration("2h")'),
        then="reminder",
        otherwise=None,
    )
    met = a_workflow("met", priority=10, steps=[waiting, send], exits=())
    new = a_workflow(
        "new",
        priority=90,
        steps=[send],
        exits=(),
        trigger=EventTrigger(pattern=on("payment.received")),
    )
    life = living(met, new, caps=(cap,), event_clock=True)
    life.event()
    life.event("payment.received", HOUR)
    assert [q.message.workflow for q in life.of(Queue)] == ["new"]
