"""Computed traits: what events fold into and what conditions read."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.engine import DAY, HOUR, T0, Life, a_customer, a_send, a_workflow, an_event, cel, on

from shopflow.domain.event import Merge
from shopflow.domain.journal import JournalEntry, Kind, Queue
from shopflow.domain.trait import Aggregate, Trait, TraitType
from shopflow.domain.trigger import EventTrigger
from shopflow.domain.workflow import Reentry
from shopflow.engine import traits

MINUTE = timedelta(minutes=1)


def trait(aggregate, *, of=None, kind=TraitType.ANY, **more):
    return Trait(
        name="x",
        type=kind,
        pattern=on("order.placed"),
        aggregate=aggregate,
        value=cel(of) if of else None,
        **more,
    )


def asking():
    return a_workflow(
        "ask",
        trigger=EventTrigger(pattern=on("ask.now")),
        exits=(),
        reentry=Reentry.PARALLEL,
        steps=[a_send(variables={"x": cel("customer.x")})],
    )


def value(definition, *events, at=10 * DAY, currency="EUR"):
    """What `customer.x` reads after the orders, each (offset, data)."""
    life = Life(asking(), traits={"x": definition}, currency=currency)
    for offset, data in events:
        life.event("order.placed", offset, **data)
    life.event("ask.now", at)
    queued = life.of(Queue)
    return queued[0].message.variables["x"] if queued else None


ORDERS = [(1 * DAY, {"total": 0.1}), (2 * DAY, {"total": 0.2}), (3 * DAY, {"total": 0.3})]


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        (trait(Aggregate.COUNT), 3),
        (trait(Aggregate.SUM, of="event.total"), 0.6),
        (trait(Aggregate.MIN, of="event.total"), 0.1),
        (trait(Aggregate.MAX, of="event.total"), 0.3),
        (trait(Aggregate.FIRST, of="event.total"), 0.1),
        (trait(Aggregate.LAST, of="event.total"), 0.3),
        (trait(Aggregate.COLLECT, of="event.total"), [0.1, 0.2, 0.3]),
        (trait(Aggregate.COLLECT, of="event.total", limit=2), [0.2, 0.3]),
        (trait(Aggregate.COUNT, when=cel("event.total > 0.15")), 2),
        (trait(Aggregate.COUNT, window=8 * DAY), 2),
        (trait(Aggregate.SUM, of="event.total", window=8 * DAY), 0.5),
        (trait(Aggregate.MAX, of="event.total", window=7 * DAY - MINUTE), None),
    ],
)
def test_orders_fold_into(definition, expected):
    assert value(definition, *ORDERS) == expected


def test_sums_of_money_are_exact_where_floats_pile_up():
    orders = [(number * MINUTE, {"total": 0.1}) for number in range(1000)]
    assert value(trait(Aggregate.SUM, of="event.total"), *orders) == 100.0
    assert sum([0.1] * 1000) != 100.0


def test_a_money_sum_adds_the_projects_currency_only():
    orders = [
        (1 * DAY, {"total": 10, "currency": "EUR"}),
        (2 * DAY, {"total": 99, "currency": "USD"}),
        (3 * DAY, {"total": 1}),
    ]
    assert value(trait(Aggregate.SUM, of="event.total", money=True), *orders) == 11


def test_nothing_yet_reads_as_nothing():
    assert value(trait(Aggregate.COUNT)) == 0
    assert value(trait(Aggregate.SUM, of="event.total")) == 0
    assert value(trait(Aggregate.COLLECT, of="event.total")) == []
    assert value(trait(Aggregate.LAST, of="event.total")) is None


def test_by_makes_a_map_of_bounded_size_and_the_oldest_use_goes():
    definition = trait(Aggregate.COUNT, by=cel("event.sku"), limit=2)
    orders = [(number * HOUR, {"sku": sku}) for number, sku in enumerate("ABAC")]
    assert value(definition, *orders) == {"A": 2, "C": 1}


def test_a_window_by_key_counts_the_last_while_only():
    definition = trait(Aggregate.COUNT, by=cel("event.sku"), window=HOUR)
    orders = [(0 * MINUTE, {"sku": "A"}), (50 * MINUTE, {"sku": "A"}), (70 * MINUTE, {"sku": "B"})]
    assert value(definition, *orders, at=80 * MINUTE) == {"A": 1, "B": 1}


def test_a_window_includes_its_far_end():
    definition = trait(Aggregate.COUNT, window=30 * DAY)
    assert value(definition, (0 * DAY, {}), at=30 * DAY) == 1
    assert value(definition, (0 * DAY, {}), at=30 * DAY + timedelta(seconds=1)) == 0


def test_top_is_what_came_most_often():
    definition = trait(Aggregate.TOP, of="event.brand")
    orders = [(number * HOUR, {"brand": brand}) for number, brand in enumerate("abbac" * 2 + "b")]
    assert value(definition, *orders) == "b"


def test_a_trait_that_cannot_take_an_event_stays_as_it_is_and_says_so():
    life = Life(asking(), traits={"x": trait(Aggregate.SUM, of="event.total")})
    life.event("order.placed", total=5)
    life.event("order.placed", HOUR, total="five")
    life.event("ask.now", DAY)
    assert life.of(Queue)[0].message.variables["x"] == 5
    assert len([e for e in life.of(JournalEntry) if e.kind is Kind.ERROR]) == 1


@given(
    st.lists(st.integers(0, 10_000), min_size=1, max_size=200),
    st.integers(1, 5000),
)
def test_a_windowed_count_is_exact_for_few_and_never_too_low_for_many(minutes, window):
    definition = trait(Aggregate.COUNT, window=timedelta(minutes=window))
    states = {}
    for number, minute in enumerate(minutes):
        event = an_event("order.placed", minute * MINUTE, event_id=str(number))
        states = traits.fold(states, [definition], event, {}, "EUR", lambda *_: None)
    newest = max(minutes)
    exact = sum(1 for minute in minutes if newest - minute <= window)
    life = Life(asking(), traits={"x": definition}, customer=a_customer(traits=states))
    life.event("ask.now", newest * MINUTE)
    got = life.of(Queue)[0].message.variables["x"]
    assert got >= exact
    if len(minutes) <= traits.WINDOW_ENTRIES:
        assert got == exact


@pytest.mark.parametrize("aggregate", list(Aggregate))
def test_merging_two_persons_is_as_if_all_events_had_been_ones(aggregate):
    definition = trait(aggregate, of=None if aggregate is Aggregate.COUNT else "event.n")
    kinds = ["a", "b", "b"] if aggregate is Aggregate.TOP else [1, 2, 2]
    ours = Life(asking(), traits={"x": definition})
    visitor = Life(asking(), traits={"x": definition}, customer=a_customer("visitor"))
    together = Life(asking(), traits={"x": definition})
    for number, n in enumerate(kinds):
        who = visitor if number == 1 else ours
        who.event("order.placed", number * HOUR, n=n)
        together.event("order.placed", number * HOUR, n=n)
    ours.give(Merge(customer=visitor.customer, at=T0 + 4 * HOUR))
    for life in (ours, together):
        life.event("ask.now", 5 * HOUR)
    assert ours.of(Queue)[0].message.variables["x"] == together.of(Queue)[0].message.variables["x"]
