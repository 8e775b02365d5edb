"""The rule index may return too many rules, never too few."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.engine import cel, on

from shopflow.domain.trigger import EventPattern
from shopflow.engine.index import IndexedRule, RuleIndex, hash_key
from shopflow.errors import EvaluationError

PATHS = ["event.a", "event.b", "event.c.d", "event.tags", "event.c"]
#: Values that are easily taken for each other: 1, 1.0, true and "1"; lists and maps of them.
SCALARS = st.sampled_from(
    [0, 1, 2, 1.0, 1.5, -1, 2**53 + 1, float(2**53), True, False, None, "1", "", "x", "y", "d"]
)
WORDS = st.sampled_from(
    (
        "0",
        "1",
        "2",
        "1.0",
        "1.5",
        "-1",
        "9007199254740993",
        "true",
        "false",
        "null",
        '"1"',
        '""',
        '"x"',
        '"y"',
        '"d"',
    )
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["d", "x", "1"]), inner, max_size=2),
    ),
    max_leaves=5,
)
PAYLOADS = st.dictionaries(st.sampled_from(["a", "b", "c", "tags"]), VALUES)


@st.composite
def clauses(draw):
    path = draw(st.sampled_from(PATHS))
    words = draw(st.lists(WORDS, min_size=1, max_size=3))
    return draw(
        st.sampled_from(
            [
                f"{path} == {words[0]}",
                f"{words[0]} == {path}",
                f"{path} != {words[0]}",
                f"{path} in [{', '.join(words)}]",
                f"{words[0]} in {path}",
                f"{path} >= {words[0]}",
                f"{path} > {words[0]}",
                f"{words[0]} >= {path}",
                f"{path} < {words[0]}",
                f"has({path})",
                f"!has({path})",
                path,
                f"!{path}",
                f"size({path}) > 1",
                f"({path} == {words[0]} || {path} == {words[-1]})",
                f"({path} == {words[0]} || has(event.b))",
            ]
        )
    )


def conditions():
    return st.lists(clauses(), min_size=1, max_size=4).map(" && ".join)


def index_of(*sources, event_types=("t.seen",)):
    return RuleIndex(IndexedRule(on(*event_types), cel(source).atoms, source) for source in sources)


def is_true(source, payload):
    try:
        return cel(source).evaluate({"event": payload}) is True
    except EvaluationError:
        return False


@given(st.lists(conditions(), max_size=25), st.lists(PAYLOADS, min_size=1, max_size=4))
def test_every_rule_that_matches_is_found(sources, payloads):
    # Several rules of a kind, so that some equalities are rare and others are not.
    index = index_of(*sources, *(sources[:3] * 9))
    for payload in payloads:
        found = index.lookup("t.seen", payload)
        missed = [s for s in sources if is_true(s, payload) and s not in found]
        assert missed == []


@given(st.lists(conditions(), max_size=10), PAYLOADS)
def test_a_rule_is_found_once(sources, payload):
    numbered = [
        IndexedRule(on("t.seen"), cel(source).atoms, number)
        for number, source in enumerate(sources)
    ]
    found = RuleIndex(numbered).lookup("t.seen", payload)
    assert len(found) == len(set(found))


FEW = ['event.sku == "a"', 'event.sku == "b"', 'event.sku == "a" && event.total >= 50']
#: So many rules share each of these equalities that they go to the bitset.
MANY = [f'event.country == "FR" && event.total >= {n}' for n in range(0, 100, 10)]
MANY += [f'event.country == "BE" && event.total < {n}' for n in range(0, 100, 10)]


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        ({"sku": "a"}, [FEW[0], FEW[2]]),
        ({"sku": "a", "total": 50}, [FEW[0], FEW[2]]),
        ({"sku": "b", "total": 50}, [FEW[1]]),
        ({"sku": "c"}, []),
        ({"sku": ["a"]}, []),
        ({}, []),
        ({"country": "FR", "total": 25}, MANY[:3]),
        ({"country": "FR", "total": 25.5}, MANY[:3]),
        ({"country": "FR", "total": 20}, MANY[:3]),
        ({"country": "FR", "total": "25"}, []),
        ({"country": "FR", "total": True}, []),
        ({"country": "FR"}, []),
        ({"country": "BE", "total": 75}, MANY[18:]),
        ({"country": "DE", "total": 25}, []),
    ],
    ids=str,
)
def test_lookup_narrows_to_the_rules_that_can_match(payload, found):
    assert index_of(*FEW, *MANY).lookup("t.seen", payload) == found


def test_a_rule_that_says_nothing_of_the_payload_is_always_found():
    source = "customer.orders_count == 0"
    assert index_of(source).lookup("t.seen", {}) == [source]


def test_reserved_names_of_the_envelope_are_not_looked_for_in_the_payload():
    source = 'event.type == "t.seen"'
    assert index_of(source).lookup("t.seen", {}) == [source]


@pytest.mark.parametrize(
    ("source", "payload"),
    [
        ('"x" in event.tags && "y" in event.tags', {"tags": ["y", "x"]}),
        ('"x" in event.tags', {"tags": {"x": 1}}),
        ('"x" in event.tags && "y" in event.tags', {"tags": {"x": 1, "y": None}}),
        ("event.a in [1, true]", {"a": True}),
        ("event.a == 1", {"a": 1.0}),
        ("event.a == null", {"a": None}),
        ("event.a >= 9007199254740993", {"a": 2**53 + 1}),
    ],
)
def test_what_is_easily_missed_is_found(source, payload):
    assert is_true(source, payload)
    for copies in (1, 20):
        assert source in index_of(*([source] * copies)).lookup("t.seen", payload)


def test_other_types_and_prefixes():
    index = RuleIndex(
        [
            IndexedRule(on("order.placed", "cart.updated"), (), "both"),
            IndexedRule(EventPattern(prefixes=("order.",)), (), "orders"),
        ]
    )
    assert index.lookup("order.placed", {}) == ["both", "orders"]
    assert index.lookup("cart.updated", {}) == ["both"]
    assert index.lookup("order.refunded", {}) == ["orders"]
    assert index.lookup("product.viewed", {}) == []
    assert index.all_rules("order.placed") == ["both", "orders"]


def test_values_that_cel_tells_apart_have_keys_of_their_own():
    assert hash_key(1) == hash_key(1.0)
    assert len({hash_key(1), hash_key(True), hash_key("1")}) == 3
