"""The normal form against the compiled condition: what it is certain of is so at every event."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shopflow.errors import EvaluationError
from shopflow.lang.cel import (
    BOOL,
    DOUBLE,
    DURATION,
    INT,
    STRING,
    TIMESTAMP,
    compile_expression,
    list_of,
    one_of,
    record,
    type_from_schema,
)
from shopflow.lang.normal import Reader
from shopflow.lang.normal.form import MOST

COUNT = type_from_schema({"type": "integer", "minimum": 0, "maximum": 4})
EVENT = record(
    {
        "total": DOUBLE,
        "count": COUNT,
        "colour": one_of(["red", "green", "blue"]),
        "word": STRING,
        "gift": BOOL,
        "tags": list_of(STRING),
        "address": record({"city": STRING, "floor": INT}, required={"city"}),
    },
    required={"count", "colour", "address"},
)
NAMES = {"event": EVENT, "age": DURATION, "now": TIMESTAMP, "segments": record({"big": BOOL})}
SEGMENTS = {"big": compile_expression("event.total >= 2.0 || event.gift")}
LET = {"twice": compile_expression("event.count * 2"), "some": compile_expression("event.total")}
VALUES = {"limit": 2, "words": ["a", "red"]}
READER = Reader(names=NAMES, segments=SEGMENTS, let=LET, values=VALUES)

NUMBERS = st.sampled_from(["0", "1", "2", "2.5", "3", "-1", "values.limit"])
NUMERIC = st.sampled_from(
    [
        "event.total",
        "event.count",
        "event.address.floor",
        "size(event.tags)",
        "vars.some",
        "vars.twice",
    ]
)
TEXTUAL = st.sampled_from(["event.colour", "event.word", "event.address.city"])
WORDS = st.sampled_from(["'red'", "'green'", "'a'", "'b'"])
ORDERS = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
EQUALITIES = st.sampled_from(["==", "!="])
HOURS = st.sampled_from(["duration('1h')", "duration('2h')", "duration('90m')"])
DAYS = st.sampled_from(["timestamp('2026-01-01T00:00:00Z')", "timestamp('2026-02-01T00:00:00Z')"])


def joined(*parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(" ".join)


ATOMS = st.one_of(
    joined(NUMERIC, ORDERS, NUMBERS),
    joined(NUMBERS, ORDERS, NUMERIC),
    joined(NUMERIC, ORDERS, NUMERIC),
    joined(TEXTUAL, EQUALITIES, WORDS),
    joined(TEXTUAL, st.just("<"), WORDS),
    joined(TEXTUAL, st.just("in"), st.sampled_from(["['red', 'a']", "[]", "values.words"])),
    joined(NUMERIC, st.just("in"), st.sampled_from(["[0, 1]", "[2.0]"])),
    joined(st.just("age"), ORDERS, HOURS),
    joined(st.just("now"), ORDERS, DAYS),
    st.sampled_from(
        ["event.gift", "event.gift == true", "segments.big", "event.word == null", "true"]
        + [f"has({path})" for path in ("event.total", "event.gift", "event.address.floor")]
        + ["event.tags.exists(t, t == 'a')", "'a' in event.tags", "event.word.startsWith('a')"]
    ),
)
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        inner.map(lambda one: f"!({one})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}) && ({two[1]})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}) || ({two[1]})"),
        st.tuples(inner, inner, inner).map(lambda all_: "({}) ? ({}) : ({})".format(*all_)),
    ),
    max_leaves=6,
)
EVENTS = st.fixed_dictionaries(
    {
        "count": st.integers(0, 4),
        "colour": st.sampled_from(["red", "green", "blue"]),
        "address": st.fixed_dictionaries(
            {"city": st.sampled_from(["a", "b", "red"])}, optional={"floor": st.integers(-1, 4)}
        ),
    },
    optional={
        "total": st.one_of(st.integers(-1, 4), st.sampled_from([0.5, 2.0, 2.25, 2.5])),
        "word": st.sampled_from(["a", "b", "red", "green", ""]),
        "gift": st.booleans(),
        "tags": st.lists(st.sampled_from(["a", "b"]), max_size=3),
    },
)
MOMENTS = st.tuples(
    EVENTS,
    st.sampled_from(["30m", "1h", "90m", "3h"]),
    st.sampled_from(["2025-12-31", "2026-01-01", "2026-01-15", "2026-03-01"]),
)


def world(moment) -> dict[str, object]:
    event, age, day = moment
    names = {"event": event, "values": VALUES}
    names["age"] = compile_expression(f"duration('{age}')").evaluate({})
    names["now"] = compile_expression(f"timestamp('{day}T00:00:00Z')").evaluate({})
    for group, named in (("segments", SEGMENTS), ("vars", LET)):
        names[group] = {}
        for name, expression in named.items():
            try:
                names[group][name] = expression.evaluate(names)
            except EvaluationError:
                continue  # Reading it fails, as it does in the engine.
    return names


def is_true(program, names) -> bool:
    try:
        return program.evaluate(names) is True
    except EvaluationError:
        return False


TIMES = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@TIMES
@given(CONDITIONS, st.lists(MOMENTS, min_size=12, max_size=12))
def test_what_cannot_be_met_is_never_true_and_what_always_holds_never_fails(source, moments):
    program = compile_expression(source)
    true, untrue = READER.true(program.tree), READER.untrue(program.tree)
    answers = [is_true(program, world(moment)) for moment in moments]
    assert not (true.is_empty and any(answers))
    assert not (untrue.is_empty and not all(answers))
    assert max(len(true.clauses), len(untrue.clauses)) <= MOST


@TIMES
@given(CONDITIONS, CONDITIONS, st.lists(MOMENTS, min_size=12, max_size=12))
def test_what_is_implied_holds_and_what_is_disjoint_never_holds_at_once(one, other, moments):
    first, second = compile_expression(one), compile_expression(other)
    implied = (READER.true(first.tree) & READER.untrue(second.tree)).is_empty
    disjoint = (READER.true(first.tree) & READER.true(second.tree)).is_empty
    for names in map(world, moments):
        both = is_true(first, names), is_true(second, names)
        assert not (implied and both == (True, False))
        assert not (disjoint and both == (True, True))


@pytest.mark.parametrize(
    "source",
    [
        "event.total > 3 && event.total < 2",
        "event.count > 1 && event.count < 2",
        "event.count > 4",
        "event.colour != 'red' && !(event.colour in ['green', 'blue'])",
        "event.gift && !event.gift",
        "event.total < event.count && event.count <= event.total",
        "size(event.tags) < 0",
        "has(event.total) ? event.total > 3 && event.total < 2 : event.total > 1",
        "age > duration('2h') && age < duration('1h')",
        "vars.some > 3 && event.total < values.limit",
        "segments.big && event.total < 2 && !event.gift",
        "event.tags.exists(t, t == 'a') && !event.tags.exists(t, t == 'a')",
    ],
)
def test_it_sees_what_nothing_can_meet(source):
    assert READER.true(compile_expression(source).tree).is_empty


@pytest.mark.parametrize(
    "source",
    [
        "event.count >= 0",
        "event.count < 2 || event.count >= 1",
        "has(event.colour)",
        "event.colour in ['red', 'green'] || event.colour == 'blue'",
        "has(event.total) || !has(event.total)",
    ],
)
def test_it_sees_what_always_holds(source):
    assert READER.untrue(compile_expression(source).tree).is_empty


@pytest.mark.parametrize(
    "source",
    ["event.total < 2 || event.total >= 2", "event.word == 'a' || event.word != 'a'"],
)
def test_a_field_that_may_be_missing_makes_nothing_sure(source):
    assert not READER.untrue(compile_expression(source).tree).is_empty


def test_many_alternatives_are_given_up_and_not_worked_out():
    source = " && ".join(f"(event.total == {n} || event.count == {n})" for n in range(40))
    form = READER.true(compile_expression(source).tree)
    assert len(form.clauses) <= MOST
