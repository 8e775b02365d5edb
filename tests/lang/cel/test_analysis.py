"""What a program says of itself without being run."""

import pytest

from shopflow.domain.expression import Atom
from shopflow.lang.cel import NOT_CONSTANT, compile_expression


@pytest.mark.parametrize(
    ("source", "paths"),
    [
        ("event.total > 1", {"event.total"}),
        ("event.a.b.c == event.a.d", {"event.a.b.c", "event.a.d"}),
        ("has(event.coupon) && has(event.a.b)", {"event.coupon", "event.a.b"}),
        ("event['total'] > event.items[0].price", {"event.total", "event.items"}),
        ("customer.views[event.sku] > 3", {"customer.views", "event.sku"}),
        ("event.items.exists(i, i.sku == trigger.sku)", {"event.items", "trigger.sku"}),
        ("event.name.startsWith(vars.prefix)", {"event.name", "vars.prefix"}),
        ("segments.vip ? now : event.at", {"segments.vip", "now", "event.at"}),
        ("has({'a': event.x}.a)", {"event.x"}),
        ("[event.x, -event.y]", {"event.x", "event.y"}),
        ("in_stock(trigger.items)", {"trigger.items"}),
        ("1 + 1 == 2", set()),
        ("[1].all(x, x > 0)", set()),
    ],
)
def test_reads_are_the_longest_static_paths(source, paths):
    assert compile_expression(source).reads == {tuple(path.split(".")) for path in paths}


TOTAL = ("event", "total")
COUNTRY = ("event", "country")


@pytest.mark.parametrize(
    ("source", "atoms"),
    [
        ("event.total == 5", [Atom(TOTAL, "==", 5)]),
        ("5 == event.total", [Atom(TOTAL, "==", 5)]),
        ("event.total >= 5 && 9.5 > event.total", [Atom(TOTAL, ">=", 5), Atom(TOTAL, "<", 9.5)]),
        ("5 <= event.total && 5 < event.total", [Atom(TOTAL, ">=", 5), Atom(TOTAL, ">", 5)]),
        ("event.total <= 5", [Atom(TOTAL, "<=", 5)]),
        ("event.country > 'A'", [Atom(COUNTRY, ">", "A")]),
        ("event['country'] == null", [Atom(COUNTRY, "==", None)]),
        ("event.country in ['FR', 'BE']", [Atom(COUNTRY, "in", ("FR", "BE"))]),
        ("'a' in event.tags", [Atom(("event", "tags"), "contains", "a")]),
        ("has(event.coupon)", [Atom(("event", "coupon"), "has")]),
        ("segments.vip", [Atom(("segments", "vip"), "==", value=True)]),
        ("!segments.vip", [Atom(("segments", "vip"), "==", value=False)]),
        ("segments.vip == true", [Atom(("segments", "vip"), "==", value=True)]),
        (
            "event.country == 'FR' || event.country in ['BE', 'CH']",
            [Atom(COUNTRY, "in", ("FR", "BE", "CH"))],
        ),
        (
            "(event.total > 1 && (event.a == 'x' && event.total > 1)) && event.b",
            [
                Atom(TOTAL, ">", 1),
                Atom(("event", "a"), "==", "x"),
                Atom(("event", "b"), "==", True),
            ],
        ),
        ("event.country == 'FR' || event.total == 1", []),
        ("event.country == 'FR' || event.total > 1", []),
        ("event.total != 5", []),
        ("event.total == event.other && event.total in event.others", []),
        ("event.total in [1, event.x]", []),
        ("event.total == 5u && event.total > true", [Atom(TOTAL, ">", value=True)]),
        ("event.total == [1] || has({}.a)", []),
        ("!(event.total > 5) && size(event.items) > 1 && event.total * 2 > 3", []),
        ("event.items.exists(i, i.price > 5) && !has(event.x)", []),
        ("event.total > 5 ? true : false", []),
        ("has({}.a) && 'a' in {} && 5 in [5]", []),
    ],
)
def test_atoms_hold_whenever_the_condition_is_true(source, atoms):
    assert list(compile_expression(source).atoms) == atoms


def test_a_constant_is_known_without_bindings():
    assert compile_expression("1 + 1 == 2").constant is True
    assert compile_expression("'a'").constant == "a"
    assert compile_expression("duration('1h')").is_constant
    assert compile_expression("[1, 2].exists(x, x == 2)").constant is True


def test_what_reads_a_binding_or_fails_has_no_constant():
    assert compile_expression("event.x").constant is NOT_CONSTANT
    assert not compile_expression("in_stock('A1')").is_constant
    assert compile_expression("1 / 0").constant is NOT_CONSTANT
    assert compile_expression("1 / 0").is_constant
    assert repr(NOT_CONSTANT) == "NOT_CONSTANT"


def test_equal_sources_are_compiled_once():
    assert compile_expression("event.total > 1") is compile_expression("event.total > 1")
