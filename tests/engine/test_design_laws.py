"""Laws of time: how often the clock looks changes nothing that is decided."""

from dataclasses import replace
from datetime import time, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.engine import (
    DAY,
    HOUR,
    T0,
    Life,
    a_customer,
    a_send,
    a_wait,
    a_workflow,
    an_event,
    cel,
    on,
)

from shopflow.domain.event import Event, Tick
from shopflow.domain.journal import JournalEntry, Kind, Queue, Tell
from shopflow.domain.policy import FrequencyCap, IfCapped, QuietWindow
from shopflow.domain.step import Emit, SendMode, WaitFor
from shopflow.domain.trait import Aggregate, Segment, Trait, TraitType
from shopflow.domain.trigger import DateTrigger, EventTrigger, ScheduleTrigger, SegmentTrigger
from shopflow.domain.workflow import Exit, Goal, Reentry, Since
from shopflow.engine import calendar
from shopflow.lang.calendars import CronSchedule

#: What our own workflows emit; those that it starts emit nothing, or time would never end.
TOLD = "shop.told"
LIFE = 3 * DAY
TYPES = ("cart.updated", "product.viewed", "order.placed", "customer.updated")
QUICK = settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TRAITS = {
    "views": Trait(
        name="views",
        type=TraitType.INTEGER,
        pattern=on("product.viewed"),
        aggregate=Aggregate.COUNT,
        window=DAY,
    )
}
SEGMENTS = {"keen": Segment(name="keen", when=cel("customer.views >= 2"), timed=True)}
BOUGHT = Exit(id="bought", pattern=on("order.placed"), when=None, outcome="converted")
GOAL = Goal(pattern=on("order.placed"), when=None, within=DAY, since=Since.LAST_SEND, value=None)


def a_marketing_send(step_id="reminder", next_step=None, **more):
    return a_send(
        step_id, next_step, **{"channels": ("sms", "email"), "purpose": "marketing", **more}
    )


@st.composite
def triggers(draw):
    """One of every kind of trigger."""
    kind = draw(st.integers(0, 5))
    if kind == 0:
        return DateTrigger(
            date=cel("customer.birthday"),
            at=time(draw(st.integers(0, 23)), 30),
            yearly=draw(st.booleans()),
            offset=draw(st.sampled_from([timedelta(), -DAY, DAY])),
        )
    if kind == 1:
        cron = f"0 {draw(st.integers(0, 23))} * * *"
        spread = draw(st.sampled_from([timedelta(), 5 * HOUR]))
        audience = draw(st.sampled_from([None, cel("customer.views >= 1")]))
        return ScheduleTrigger(
            recurrence=CronSchedule(cron, "Europe/Paris"), spread=spread, audience=audience
        )
    if kind == 2:
        return SegmentTrigger(segment="keen", enters=draw(st.booleans()))
    return EventTrigger(pattern=on(draw(st.sampled_from([*TYPES[:2], TOLD]))))


@st.composite
def workflows(draw, number):
    """Waits, waits for events, holds, emits and sends, in every order."""
    steps = []
    kinds = draw(st.lists(st.sampled_from(["wait", "for", "send", "each"]), min_size=2, max_size=5))
    names = [f"{kind}{position}" for position, kind in enumerate(kinds)]
    for position, (kind, name) in enumerate(zip(kinds, names, strict=True)):
        after = names[position + 1] if position + 1 < len(names) else None
        if kind == "wait":
            length = draw(st.sampled_from(["0m", "25m", "3h", "26h"]))
            steps.append(a_wait(name, length, after))
        elif kind == "for":
            steps.append(
                WaitFor(
                    id=name,
                    next=None,
                    pattern=on("product.viewed"),
                    timeout=cel('duration("5h")'),
                    then=after,
                    otherwise=after if draw(st.booleans()) else None,
                )
            )
        else:
            mode = SendMode.EACH_OF if kind == "each" else SendMode.FIRST_OF
            steps.append(a_marketing_send(name, after, mode=mode, skip_held=draw(st.booleans())))
    trigger = draw(triggers())
    starts_on_ours = isinstance(trigger, EventTrigger) and trigger.pattern.matches(TOLD)
    if not starts_on_ours and not isinstance(steps[-1], WaitFor):
        steps[-1] = replace(steps[-1], next="tell")
        steps.append(Emit(id="tell", next=None, event_type=TOLD, data={}))
    return a_workflow(
        f"w{number}",
        steps=steps,
        purpose="marketing",
        priority=draw(st.integers(0, 100)),
        trigger=trigger,
        reentry=draw(st.sampled_from(list(Reentry))),
        cooldown=draw(st.sampled_from([timedelta(), HOUR, DAY])),
        holdout=draw(st.sampled_from([0.0, 0.5])),
        exits=(BOUGHT,) if draw(st.booleans()) else (),
        goal=draw(st.sampled_from([None, GOAL])),
    )


@st.composite
def lives(draw):
    """Rules, and events in order of time."""
    found = [draw(workflows(number)) for number in range(draw(st.integers(1, 3)))]
    minutes = sorted(
        draw(st.lists(st.integers(0, LIFE // timedelta(minutes=1)), min_size=3, max_size=14))
    )
    events = []
    for number, minute in enumerate(minutes):
        kind = draw(st.sampled_from(TYPES))
        data = {"birthday": f"1990-03-0{draw(st.integers(3, 8))}"} if kind == TYPES[3] else {}
        events.append(an_event(kind, timedelta(minutes=minute), event_id=f"e{number}", **data))
    caps = draw(
        st.sampled_from(
            [(), (FrequencyCap(id="one", limit=1, window=DAY, if_capped=IfCapped.DEFER),)]
        )
    )
    night = QuietWindow(id="night", start=time(21), end=time(8))
    rules = {
        "caps": caps,
        "quiet_windows": draw(st.sampled_from([(), (night,)])),
        "traits": TRAITS,
        "segments": SEGMENTS,
    }
    return found, rules, events


def a_life(found, rules):
    pairs = [("email", "marketing"), ("sms", "marketing")]
    return Life(*found, customer=a_customer(consent=pairs), **rules)


def told(life):
    """Everything that was decided, without the order in which it was written down."""
    return (
        sorted(repr(e) for e in life.effects),
        replace(life.customer, calendar_at=None, next_due_at=None),
    )


@QUICK
@given(lives(), st.lists(st.integers(0, LIFE // timedelta(minutes=1)), max_size=20))
def test_more_ticks_change_nothing(life, ticks):
    found, rules, events = life
    end = Tick(at=T0 + LIFE + 2 * DAY)
    plain = a_life(found, rules)
    for given_ in [*events, end]:
        plain.give(given_)
    ticked = a_life(found, rules)
    # In the stream a tick comes after everything of its own instant.
    first = events[0].occurred_at
    extra = [Tick(at=first + timedelta(minutes=minute)) for minute in ticks]
    for given_ in [*sorted([*events, *extra], key=_by_time), end]:
        ticked.give(given_)
    assert told(ticked) == told(plain)


def _by_time(given_):
    is_event = isinstance(given_, Event)
    return (given_.occurred_at if is_event else given_.at, not is_event)


@QUICK
@given(lives())
def test_looking_when_something_is_due_is_as_good_as_looking_every_hour(life):
    found, rules, events = life
    end = T0 + LIFE + 2 * DAY
    hourly = a_life(found, rules)
    # A row is there from its first event on.
    first = events[0].occurred_at
    hours = [Tick(at=first + hours * HOUR) for hours in range(int((end - first) / HOUR) + 1)]
    for given_ in [*sorted([*events, *hours], key=_by_time), Tick(at=end)]:
        hourly.give(given_)
    due = a_life(found, rules)
    for given_ in [*events, Tick(at=end)]:
        moment = _by_time(given_)[0]
        while (at := due.customer.next_due_at) is not None and at < moment:
            before = due.customer
            due.tick(at)
            assert due.customer.next_due_at != at, before
        due.give(given_)
    assert told(due) == told(hourly)


@QUICK
@given(lives())
def test_next_due_is_never_later_than_the_truth(life):
    """Nothing at all happens before the instant that was announced."""
    found, rules, events = life
    lived = a_life(found, rules)
    for given_ in events:
        lived.give(given_)
        at = given_.occurred_at
        # What starts for everybody is announced by the calendar, not by the customer.
        swept = calendar.next_sweep(lived.rulebook, lived.facts, lived.customer.calendar_at or at)
        ends = T0 + LIFE + 60 * DAY
        quiet_until = min(
            each for each in (lived.customer.next_due_at, swept, ends) if each is not None
        )
        if quiet_until <= at:
            continue
        looked = replace_life(lived)
        looked.tick(quiet_until - timedelta.resolution)
        assert looked.effects == []


def replace_life(life):
    other = a_life([], {})
    other.rulebook, other.customer, other.facts = life.rulebook, life.customer, life.facts
    return other


@QUICK
@given(lives())
def test_the_same_inputs_give_the_same_decisions_and_ids(life):
    found, rules, events = life

    def run():
        lived = a_life(found, rules)
        for given_ in events:
            lived.give(given_)
        return lived.effects, lived.customer

    assert run() == run()


@QUICK
@given(lives())
def test_every_message_has_a_key_of_its_own(life):
    found, rules, events = life
    lived = a_life(found, rules)
    for given_ in [*events, Tick(at=T0 + LIFE + 2 * DAY)]:
        lived.give(given_)
    ids = [queued.message.id for queued in lived.of(Queue)]
    assert len(ids) == len(set(ids))
    emitted = [tell.input.id for tell in lived.of(Tell)]
    assert len(emitted) == len(set(emitted))
    begun = [e.enrolment_id for e in lived.of(JournalEntry) if e.kind is Kind.ENTERED]
    assert len(begun) == len(set(begun))
