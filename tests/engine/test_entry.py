"""Who enters a workflow, who is refused, and which trigger an enrolment keeps."""

from datetime import timedelta

import pytest
from support.engine import DAY, HOUR, T0, Life, a_send, a_wait, a_workflow, an_event, cel, on

from shopflow.domain.journal import JournalEntry, Kind, Queue
from shopflow.domain.step import Wait
from shopflow.domain.trait import Aggregate, Segment, Trait, TraitType
from shopflow.domain.trigger import EventPattern, EventTrigger, ManualTrigger, SegmentTrigger
from shopflow.domain.workflow import Reentry, Status

MINUTE = timedelta(minutes=1)


def kinds(life, kind):
    return [entry for entry in life.of(JournalEntry) if entry.kind is kind]


def sends(life):
    return [(q.message.decided_at - T0, q.message.step) for q in life.of(Queue)]


def test_a_wait_counts_from_the_trigger_and_the_send_comes_at_its_end():
    life = Life(a_workflow())
    life.event()
    assert life.customer.next_due_at == T0 + HOUR
    life.tick(HOUR)
    assert sends(life) == [(HOUR, "reminder")]
    assert life.customer.enrolments == ()
    assert life.customer.next_due_at is None


def test_an_event_at_exactly_the_due_instant_comes_before_the_timer():
    life = Life(a_workflow())
    life.event()
    life.event("order.placed", HOUR)
    life.tick(2 * HOUR)
    assert sends(life) == []
    [ended] = kinds(life, Kind.EXITED)
    assert (ended.reason, ended.values) == ("converted", {"by": "purchased"})


def test_a_timer_due_before_an_event_fires_before_it():
    life = Life(a_workflow())
    life.event()
    life.event("order.placed", HOUR + MINUTE)
    assert sends(life) == [(HOUR, "reminder")]


def test_five_cart_edits_over_48_hours_give_one_reminder():
    life = Life(a_workflow(cooldown=7 * DAY, steps=[a_wait(length="24h"), a_send()]))
    for hours in (0, 10, 20, 30, 48):
        life.event(at=hours * HOUR, cart_id="k1")
    life.tick(10 * DAY)
    assert sends(life) == [(72 * HOUR, "reminder")]


def test_restart_replaces_what_has_not_sent_whatever_the_cooldown():
    life = Life(a_workflow(cooldown=7 * DAY))
    life.event()
    life.event(at=30 * MINUTE)
    [first, second] = kinds(life, Kind.ENTERED)
    assert (first.reason, second.reason) == ("", "restarted")
    assert len(life.customer.enrolments) == 1
    assert life.customer.next_due_at == T0 + 90 * MINUTE


def test_restart_ignores_triggers_once_it_has_sent():
    steps = [a_wait(), a_send(next_step="cool"), a_wait("cool", "23h", "second"), a_send("second")]
    life = Life(a_workflow(steps=steps))
    life.event()
    life.event(at=2 * HOUR)
    [refused] = kinds(life, Kind.REFUSED)
    assert refused.reason == "active"
    life.tick(3 * DAY)
    assert sends(life) == [(HOUR, "reminder"), (24 * HOUR, "second")]


@pytest.mark.parametrize(
    ("per_key", "second_key", "count"),
    [(False, "k1", 1), (False, "k2", 1), (True, "k1", 1), (True, "k2", 2)],
)
def test_cooldown_counts_from_the_last_message_whatever_the_key_unless_told(
    per_key, second_key, count
):
    workflow = a_workflow(key=cel("event.cart_id"), cooldown=7 * DAY, cooldown_per_key=per_key)
    life = Life(workflow)
    life.event(cart_id="k1")
    life.event(at=2 * DAY, cart_id=second_key)
    life.tick(5 * DAY)
    assert len(sends(life)) == count


def test_a_cooldown_that_is_over_lets_the_next_trigger_in():
    life = Life(a_workflow(cooldown=7 * DAY))
    life.event()
    life.event(at=7 * DAY + HOUR)
    life.tick(9 * DAY)
    assert [moment for moment, _ in sends(life)] == [HOUR, 7 * DAY + 2 * HOUR]


def test_ignore_keeps_the_first_trigger():
    life = Life(a_workflow(reentry=Reentry.IGNORE))
    life.event()
    life.event(at=30 * MINUTE)
    life.tick(DAY)
    assert sends(life) == [(HOUR, "reminder")]


def test_parallel_runs_side_by_side_but_twenty_at_most():
    life = Life(a_workflow(reentry=Reentry.PARALLEL))
    for number in range(25):
        life.event(at=number * MINUTE)
    assert len(life.customer.enrolments) == 20
    assert {entry.reason for entry in kinds(life, Kind.REFUSED)} == {"too_many"}


def test_once_never_enters_the_same_key_again():
    life = Life(a_workflow(reentry=Reentry.ONCE, key=cel("event.cart_id")))
    for days, cart in [(0, "k1"), (30, "k1"), (60, "k2")]:
        life.event(at=days * DAY, cart_id=cart)
    life.tick(90 * DAY)
    assert [moment for moment, _ in sends(life)] == [HOUR, 60 * DAY + HOUR]


def test_each_enrols_once_per_element_seen_as_item():
    workflow = a_workflow(
        trigger=EventTrigger(pattern=on("order.placed"), each=cel("event.items")),
        key=cel("item.sku"),
        exits=(),
        steps=[a_wait(), a_send(variables={"sku": cel("item.sku")})],
    )
    life = Life(workflow)
    life.event("order.placed", items=[{"sku": "A"}, {"sku": "B"}, {"sku": "A"}])
    life.tick(DAY)
    assert [q.message.variables["sku"] for q in life.of(Queue)] == ["B", "A"]


def test_the_condition_of_a_trigger_with_each_is_asked_of_every_element():
    trigger = EventTrigger(
        pattern=on("order.placed"), each=cel("event.items"), when=cel("item.price >= 10")
    )
    steps = [a_wait(), a_send(variables={"sku": cel("item.sku")})]
    life = Life(a_workflow(trigger=trigger, exits=(), steps=steps, reentry=Reentry.IGNORE))
    items = [{"sku": "A", "price": 5}, {"sku": "B", "price": 15}, {"sku": "C", "price": 25}]
    life.event("order.placed", items=items)
    life.event("order.placed", HOUR / 2, items=[{"sku": "D", "price": 30}, items[1]])
    life.tick(DAY)
    assert [q.message.variables["sku"] for q in life.of(Queue)] == ["B", "C", "D"]


def test_a_prefix_covers_all_types_below_it():
    pattern = EventPattern(prefixes=("order.",))
    life = Life(a_workflow(trigger=EventTrigger(pattern=pattern), exits=()))
    life.event("order.shipped")
    life.event("orders.other", HOUR)
    assert len(kinds(life, Kind.ENTERED)) == 1


def test_a_condition_that_fails_does_not_match_and_is_written_down():
    trigger = EventTrigger(pattern=on("cart.updated"), when=cel("event.a + event.b > 3"))
    life = Life(a_workflow(trigger=trigger))
    life.event(a=1)
    life.event(at=MINUTE, a=1, b="much")
    assert [entry.reason for entry in kinds(life, Kind.ERROR)] == ["condition", "condition"]
    life.event(at=2 * MINUTE, a=1, b=3)
    assert len(kinds(life, Kind.ENTERED)) == 1


@pytest.mark.parametrize("status", [Status.DRAFT, Status.PAUSED])
def test_a_workflow_that_is_not_on_duty_starts_nobody(status):
    life = Life(a_workflow(status=status))
    life.event()
    assert life.of(JournalEntry) == []


def test_a_manual_workflow_starts_when_it_is_named():
    workflow = a_workflow(
        "newsletter",
        trigger=ManualTrigger(),
        exits=(),
        steps=[a_send(variables={"n": cel("trigger.n")})],
    )
    life = Life(workflow)
    life.event("workflow.requested", workflow="other")
    life.event("workflow.requested", HOUR, workflow="newsletter", data={"n": 7})
    [queued] = life.of(Queue)
    assert queued.message.variables["n"] == 7


def test_entering_a_segment_starts_and_leaving_it_starts_the_other():
    spent = Trait(
        name="spent",
        type=TraitType.NUMBER,
        pattern=on("order.placed"),
        aggregate=Aggregate.SUM,
        value=cel("event.total"),
    )
    vip = Segment(name="vip", when=cel("customer.spent >= 100 && customer.spent < 200"))
    arrive = a_workflow("arrive", trigger=SegmentTrigger(segment="vip"), exits=(), steps=[a_send()])
    leave = a_workflow(
        "leave", trigger=SegmentTrigger(segment="vip", enters=False), exits=(), steps=[a_send()]
    )
    life = Life(arrive, leave, traits={"spent": spent}, segments={"vip": vip})
    for hours in range(5):
        life.event("order.placed", hours * HOUR, total=50)
    assert [q.message.workflow for q in life.of(Queue)] == ["arrive", "leave"]
    assert [q.message.decided_at - T0 for q in life.of(Queue)] == [HOUR, 3 * HOUR]


def test_only_the_trigger_fields_that_are_read_are_kept():
    workflow = a_workflow(trigger_fields=frozenset({"total"}))
    life = Life(workflow)
    life.event(total=5, items=[1] * 100)
    [enrolment] = life.customer.enrolments
    assert enrolment.trigger == {"total": 5}


def test_gathering_takes_further_triggers_in_up_to_its_number():
    wait = Wait(id="settle", next="reminder", length=cel('duration("1h")'), gather=2)
    send = a_send(variables={"skus": cel("gathered.map(g, g.sku)")})
    life = Life(a_workflow(steps=[wait, send]))
    for minutes, sku in enumerate("ABCD"):
        life.event(at=minutes * MINUTE, sku=sku)
    life.tick(DAY)
    [queued] = life.of(Queue)
    assert queued.message.variables["skus"] == ["B", "C"]
    assert queued.message.decided_at == T0 + HOUR


def test_higher_priority_is_decided_first():
    low = a_workflow("a-low", priority=10, steps=[a_send()])
    high = a_workflow("z-high", priority=90, steps=[a_send()])
    life = Life(low, high)
    life.event()
    assert [q.message.workflow for q in life.of(Queue)] == ["z-high", "a-low"]


def test_the_same_input_gives_the_same_decision():
    def run():
        life = Life(a_workflow(holdout=0.5, key=cel("event.cart_id")))
        life.event(cart_id="k1")
        life.tick(DAY)
        return life.effects, life.customer

    assert run() == run()


def test_a_hold_out_enters_and_is_never_sent_to():
    life = Life(a_workflow(holdout=1.0, purpose="marketing", steps=[a_send(purpose="review")]))
    life.give(an_event())
    [dropped] = kinds(life, Kind.DROPPED)
    assert dropped.reason == "holdout"
    assert life.of(Queue) == []
