"""What is remembered of the calendar decides as working everything out anew would."""

from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from support.engine import (
    DAY,
    HOUR,
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
from shopflow.domain.step import SetValues
from shopflow.domain.trait import Aggregate, Segment, Trait, TraitType
from shopflow.domain.trigger import DateTrigger, ScheduleTrigger, SegmentTrigger
from shopflow.domain.workflow import Exit, Reentry
from shopflow.engine import audiences
from shopflow.engine.agenda import Agenda
from shopflow.engine.calendar import Dates
from shopflow.engine.upcoming import Upcoming
from shopflow.lang.calendars import CronSchedule

#: Four days before the spring change in Paris.
BEGIN = datetime(2026, 3, 25, 7, tzinfo=UTC)
LIFE = 12 * DAY
ZONES = ("Europe/Paris", "America/New_York", "Asia/Kathmandu")

EXAMPLES = settings(
    max_examples=250,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
AS_FOUND = settings(EXAMPLES, phases=[Phase.generate])


def a_trait(name, kind, *, event="product.viewed", value=None, window=None):
    stamp = TraitType.TIMESTAMP if value else TraitType.INTEGER
    made = cel(value) if value else None
    return Trait(
        name=name, type=stamp, pattern=on(event), aggregate=kind, value=made, window=window
    )


TRAITS = {
    trait.name: trait
    for trait in (
        a_trait("views", Aggregate.COUNT),
        a_trait("views_2d", Aggregate.COUNT, window=2 * DAY),
        a_trait("seen_at", Aggregate.LAST, value="event.occurred_at"),
        a_trait("seen_3d", Aggregate.FIRST, value="event.occurred_at", window=3 * DAY),
        a_trait("bought_at", Aggregate.MAX, value="event.occurred_at", event="order.placed"),
    )
}
SEGMENTS = {
    "viewer": Segment(name="viewer", when=cel("customer.views >= 2"), timed=False),
    "keen": Segment(name="keen", when=cel("customer.views_2d >= 2"), timed=True),
    "fresh": Segment(
        name="fresh",
        when=cel("has(customer.seen_at) && now - customer.seen_at < duration('30h')"),
        timed=True,
    ),
}
AUDIENCES = (
    None,
    "has(customer.bought_at) && now - customer.bought_at < duration('48h')",
    "now - customer.seen_at < duration('48h') && has(customer.seen_at)",
    "customer.views >= 2",
    "customer.views_2d >= 1",
    "customer.country == 'FR'",
    "has(customer.country) && customer.country == 'FR'",
    "segments.viewer || segments.fresh",
    "!segments.keen && segments.viewer",
    "'keen' in customer.tags",
    "reachable.email && has(customer.bought_at)",
    "in_stock(['lamp']) && customer.views > 3",
    "event.scheduled_at > customer.bought_at",
)
DATES = (
    "customer.birthday",
    "customer.seen_at",
    "customer.seen_3d",
    "customer.bought_at",
    "customer.views_2d > 1 ? customer.seen_at : customer.bought_at",
    "segments.fresh ? customer.seen_at : now",
)


@st.composite
def triggers(draw):
    kind = draw(st.sampled_from(["schedule", "schedule", "date", "date", "segment"]))
    if kind == "segment":
        return SegmentTrigger(
            segment=draw(st.sampled_from(sorted(SEGMENTS))), enters=draw(st.booleans())
        )
    if kind == "date":
        return DateTrigger(
            date=cel(draw(st.sampled_from(DATES))),
            at=time(draw(st.integers(0, 23)), draw(st.sampled_from([0, 30]))),
            yearly=draw(st.booleans()),
            offset=draw(st.sampled_from([timedelta(), DAY, 3 * DAY])),
        )
    cron = draw(st.sampled_from(["0 10 * * *", "30 2 * * *", "0 */6 * * *", "0 9 * * 1"]))
    audience = draw(st.sampled_from(AUDIENCES))
    return ScheduleTrigger(
        recurrence=CronSchedule(cron, draw(st.sampled_from(ZONES))),
        audience=cel(audience) if audience else None,
        spread=draw(st.sampled_from([timedelta(), 5 * HOUR])),
    )


@st.composite
def workflows(draw, number):
    """A wait and a send; some make themselves known in an attribute or a tag on their way."""
    told = {
        "nothing": {},
        "country": {"attributes": {"country": cel("'FR'")}},
        "zone": {"attributes": {"timezone": cel("'America/New_York'")}},
        "tag": {"add_tags": ("keen",)},
    }[draw(st.sampled_from(["nothing", "country", "zone", "tag"]))]
    steps = [
        a_wait("settle", draw(st.sampled_from(["0m", "4h", "26h"])), "tell"),
        SetValues(id="tell", next="reminder", **told),
        a_send(channels=("log", "email"), purpose="service"),
    ]
    bought = Exit(id="bought", pattern=on("order.placed"), when=None, outcome="converted")
    return a_workflow(
        f"w{number}",
        steps=steps,
        trigger=draw(triggers()),
        reentry=draw(st.sampled_from(list(Reentry))),
        exits=draw(st.sampled_from([(), (bought,)])),
    )


@st.composite
def inputs(draw):
    at = BEGIN + timedelta(minutes=draw(st.integers(0, LIFE // timedelta(minutes=30)))) * 30
    kind = draw(st.sampled_from(["tick", "product.viewed", "order.placed", "customer.updated"]))
    if kind == "tick":
        return Tick(at=at)
    told = {
        "birthday": st.sampled_from(["1990-03-27", "1992-02-29", "1991-04-02", "soon"]),
        "timezone": st.sampled_from(ZONES),
        "country": st.sampled_from(["FR", "BE"]),
    }
    data = {}
    if kind == "customer.updated":
        names = draw(st.sets(st.sampled_from(sorted(told)), min_size=1))
        data = {name: draw(told[name]) for name in sorted(names)}
    return an_event(kind, at, event_id=f"{draw(st.integers(0, 10**6))}", **data)


def when(given_):
    return given_.occurred_at if isinstance(given_, Event) else given_.at


@st.composite
def worlds(draw):
    """Rules, facts and a life; now and then an event comes late."""
    rules = [draw(workflows(number)) for number in range(draw(st.integers(1, 4)))]
    life = draw(st.lists(inputs(), min_size=2, max_size=9))
    facts = {}
    if draw(st.booleans()):
        facts["live_since"] = {"w0": BEGIN + draw(st.integers(0, 9)) * DAY}
    if draw(st.integers(0, 3)) == 0:
        facts["swept_to"] = BEGIN + draw(st.integers(0, 200)) * HOUR
    in_order = draw(st.integers(0, 3)) > 0
    return rules, sorted(life, key=when) if in_order else life, facts


def play(world):
    """What was decided at each input, and the customer after it."""
    rules, life, facts = world
    lived = Life(*rules, customer=a_customer(), facts=facts, traits=TRAITS, segments=SEGMENTS)
    return [(lived.give(given_), lived.customer) for given_ in life]


@contextmanager
def nothing_remembered():
    """Each instant, date and audience is worked out when it is asked for, at every instant."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(audiences, "is_out_of_reach", lambda *_: False)
        patched.setattr(Dates, "holds", lambda *_: False)
        patched.setattr(Agenda, "_reaching_past", lambda self, at: self._longer(at, ()))
        patched.setattr(Upcoming, "after", lambda _self, _key, moment, work_out: work_out(moment))
        yield


def differs(world):
    with nothing_remembered():
        anew = play(world)
    return play(world) != anew


@EXAMPLES
@given(worlds())
def test_what_is_remembered_decides_as_working_it_out_anew_does(world):
    assert not differs(world)


@pytest.mark.parametrize(
    ("memory", "name", "wrong"),
    [
        (audiences, "is_out_of_reach", lambda *_: True),
        (Dates, "holds", lambda self, _, after: self.after <= after < self.first),
        (Dates, "holds", lambda self, turn, _: self.traits is turn.customer.traits),
    ],
    ids=["everybody is out of reach", "dates of a changed customer", "dates that have come"],
)
def test_a_memory_that_is_wrong_breaks_the_law(memory, name, wrong, monkeypatch):
    def is_noticed(world):
        with nothing_remembered():
            anew = play(world)
        with monkeypatch.context() as patched:
            patched.setattr(memory, name, wrong)
            # Dates that have come may well never end.
            try:
                return play(world) != anew
            except RuntimeError:
                return True

    assert find(worlds(), is_noticed, settings=AS_FOUND)


class Every:
    """Every so many hours since a beginning."""

    source = "every"

    def __init__(self, hours):
        self.step = hours * HOUR

    def next_after(self, moment):
        return BEGIN + ((moment - BEGIN) // self.step + 1) * self.step


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(-2000, 2000), st.integers(1, 90)), min_size=1, max_size=6),
)
def test_an_agenda_has_every_start_in_order_whoever_asked_before(hours, asked):
    scheduled = [
        a_workflow(f"w{n}", trigger=ScheduleTrigger(recurrence=Every(h)))
        for n, h in enumerate(hours)
    ]
    agenda = Agenda(Life(*scheduled).rulebook.ruleset, scheduled, looks=False)
    for begin, count in asked:
        moment = BEGIN + begin * HOUR
        found = agenda.after(moment)
        for _ in range(count):
            comes = {one.id: one.trigger.recurrence.next_after(moment) for one in scheduled}
            start = next(found)
            moment = min(comes.values())
            assert start.at == moment
            begun = [each.workflow.id for each in start.occurrences]
            assert begun == [name for name, at in comes.items() if at == moment]


def test_an_agenda_forgets_rather_than_to_grow_without_end(monkeypatch):
    monkeypatch.setattr("shopflow.engine.agenda.MOST", 10)
    hourly = a_workflow("w", trigger=ScheduleTrigger(recurrence=Every(1)))
    found = Agenda(Life(hourly).rulebook.ruleset, [hourly], looks=False).after(BEGIN)
    assert [next(found).at for _ in range(50)] == [BEGIN + n * HOUR for n in range(1, 51)]
