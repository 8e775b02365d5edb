"""What is no condition, and what is too much of one, says so with its place."""

import random

import pytest

from shopflow.lang.cel import CompileError, EvaluationError, Limits, compile_expression
from shopflow.lang.cel.arithmetic import bounded
from shopflow.lang.cel.limits import MAX_VALUE_SIZE


def error(source, **options):
    with pytest.raises(CompileError) as caught:
        compile_expression(source, **options)
    return caught.value


@pytest.mark.parametrize(
    ("source", "column", "length", "message", "hint"),
    [
        ("a and b", 3, 3, "unexpected 'and'", "write && for 'and'"),
        ("a or b", 3, 2, "unexpected 'or'", "write || for 'or'"),
        ("not a", 1, 3, "unexpected 'not'", "write ! for 'not'"),
        ("b && not a", 6, 3, "unexpected 'not'", "write ! for 'not'"),
        ("a = 1", 3, 1, "unexpected '='", "a single = is no operator; == compares"),
        ("a & b", 3, 1, "unexpected '&'", "write && for 'and'"),
        ("a | b", 3, 1, "unexpected '|'", "write || for 'or'"),
        ("a <> b", 3, 2, "unexpected '<>'", "write != for 'differs from'"),
        ("a > > b", 5, 1, "unexpected '>'", ""),
        (
            "a is null",
            3,
            2,
            "unexpected 'is'",
            "write == to compare, or has(x.y) to ask whether a field is there",
        ),
        ("a # b", 3, 1, "unexpected '#'", "a comment starts with //"),
        ("a == 'x", 6, 2, "this string is not closed", "close it with '"),
        ('a == "x', 6, 2, "this string is not closed", 'close it with "'),
        ("a == “x”", 6, 1, "unexpected '“'", "strings stand between straight quotes, \" or '"),
        ("a § b", 3, 1, "unexpected '§'", ""),
        ("`a`", 1, 1, "unexpected '`'", "back quotes may only follow a dot, around a field's name"),
        ("", 1, 1, "the condition is empty", ""),
        ("  // nothing", 13, 1, "the condition ends too early", ""),
        ("a ==", 5, 1, "the condition ends too early", ""),
        ("a 50", 3, 2, "unexpected '50'", ""),
        ("while", 1, 5, "'while' is a reserved word", ""),
        ("1 + 99999999999999999999", 5, 20, "this number does not fit 64 bits", ""),
        ("9223372036854775808", 1, 19, "this number does not fit 64 bits", ""),
        ("-9223372036854775809", 2, 19, "this number does not fit 64 bits", ""),
        ("18446744073709551616u", 1, 21, "this number does not fit 64 bits", ""),
        (r"a == '\q'", 6, 4, r"unknown escape \q", ""),
        (r"'\uD800'", 1, 8, r"\uD800 is no character", ""),
        (r"b'\u0041'", 1, 9, r"\u0041 does not belong in bytes", ""),
        (
            "Order{id: 1}",
            1,
            11,
            "messages cannot be built here",
            "a map is written {'name': value}",
        ),
        ("has(a)", 1, 6, "has() asks for one field of something", "write has(event.coupon)"),
        (
            "x.all(1, true)",
            7,
            1,
            "the first argument of a macro is a plain name",
            "write x.all(item, …)",
        ),
        (
            "x.map(.a, true)",
            8,
            1,
            "the first argument of a macro is a plain name",
            "write x.map(item, …)",
        ),
    ],
)
def test_syntax_errors_have_a_place_and_a_hint(source, column, length, message, hint):
    found = error(source)
    assert (found.code, found.line, found.column, found.length) == ("SF101", 1, column, length)
    assert (found.message, found.hint) == (message, hint)


def test_places_count_lines():
    found = error("event.total > 1\n  && event.coupon = 'x'")
    assert (found.line, found.column) == (2, 19)


SHORTER = "give parts of it a name under let, or make them segments"


@pytest.mark.parametrize(
    "source",
    [
        "(" * 4000 + "1" + ")" * 4000,
        "[" * 4000 + "]" * 4000,
        "!" * 8000 + "x",
        "-" * 8000 + "x",
        "a" + ".b" * 4000,
        "a" + "[0]" * 2700,
        "x" + "+x" * 4000,
        "a?b:" * 2000 + "c",
        "{'a':" * 1300 + "1" + "}" * 1300,
        "f(" * 2700 + ")" * 2700,
        "x && (" * 1000 + "y" + ")" * 1000,
    ],
)
def test_deep_conditions_are_refused(source):
    found = error(source)
    assert found.code == "SF116"
    assert found.message == "this condition nests deeper than 48 levels"
    assert found.hint == SHORTER


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("(", ")"),
        ("[", "][0]"),
        ("!", ""),
        ("-", ""),
        ("x.f + (", ")"),
        ("x == (", ")"),
        ("x < 1 && (true || ", ")"),
        ("x > 5 ? 1 : ", ""),
        ("{'a': ", "}.a"),
        ("x[", "]"),
        ("size(", ")"),
        ("string(x).startsWith(", ")"),
        ("1 in [", "]"),
        ("[x].exists(y, y == 1) || !", ""),
    ],
)
def test_every_depth_that_is_allowed_compiles_and_runs(opening, closing):
    deepest = 0
    for levels in range(1, 60):
        source = opening * levels + "x" + closing * levels
        try:
            program = compile_expression(source)
        except CompileError as refused:
            assert refused.message.startswith("this condition nests deeper")  # noqa: PT017
            break
        deepest = levels
        program._exact  # noqa: B018 - compiled on first use
        try:
            program.evaluate({"x": 1})
        except EvaluationError:
            continue
    assert deepest >= 12


def test_a_condition_python_cannot_compile_is_refused_too():
    limits = Limits(depth=400)
    found = error("size(" * 300 + "x" + ")" * 300, limits=limits)
    assert found.code == "SF116"
    assert found.message == "this condition nests too deeply to be compiled"


def test_a_long_chain_is_one_level():
    program = compile_expression(" || ".join(f"x == {n}" for n in range(600)))
    assert program.evaluate({"x": 599}) is True
    assert program._exact({"x": -1}) is False


def test_long_conditions_are_refused():
    found = error("x" * 9000)
    assert found.code == "SF116"
    assert found.message == "this condition has 9,000 characters, the limit is 8,192"
    assert error("x == 1", limits=Limits(length=5)).code == "SF116"


def test_macros_nest_three_levels():
    assert compile_expression("[1].all(a, [a].all(b, [b].all(c, c == 1)))").evaluate({}) is True
    found = error("[1].all(a, [a].all(b, [b].all(c, [c].all(d, true))))")
    assert found.message == "macros nest deeper than 3 levels"
    assert (found.code, found.column) == ("SF116", 34)


def test_macros_inside_macros_visit_only_so_much():
    source = "xs.all(a, xs.all(b, xs.all(c, a == b || b == c || true)))"
    small, large = {"xs": list(range(20))}, {"xs": list(range(542))}
    assert compile_expression(source).evaluate(small) is True
    with pytest.raises(EvaluationError, match="visit too many elements"):
        compile_expression(source).evaluate(large)
    tight = compile_expression("xs.map(a, xs.map(b, b))", limits=Limits(iterations=100))
    with pytest.raises(EvaluationError, match="visit too many elements"):
        tight.evaluate(small)


@pytest.mark.parametrize(
    "source",
    [
        "'a'" + ".replace('a', 'aaaaaaaaaaaaaaaaaaaa')" * 10,
        "[text]" + ".map(x, x + x)" * 12,
        "[[text]]" + ".map(x, x + x)" * 22,
        "[text, text].join(text)",
    ],
)
def test_values_cannot_grow_without_bound(source):
    with pytest.raises(EvaluationError, match="more than 1,000,000 characters or elements"):
        compile_expression(source).evaluate({"text": "x" * 500_000})


def test_what_is_within_bounds_is_left_alone():
    assert bounded("a" * MAX_VALUE_SIZE) == "a" * MAX_VALUE_SIZE


def test_user_text_never_becomes_code():
    nasty = "x']+__import__('os').system('false')+b['"
    program = compile_expression(repr(nasty).replace("\\'", "'") + " == event.x")
    assert program.evaluate({"event": {"x": nasty}}) is True
    with pytest.raises(EvaluationError):
        compile_expression("__import__('os')").evaluate({})
    with pytest.raises(EvaluationError):
        compile_expression("event.__class__").evaluate({"event": {}})


def test_whatever_is_written_compiles_or_is_refused_with_a_place():
    rng = random.Random(7)
    whole = (
        "has(event.a) && event.items.exists(i, i.p >= 1.5) || 'x' in [\"y\", b'\\x00'] ? -1u : {}"
    )
    for _ in range(2_000):
        text = list(whole)
        for _ in range(rng.randint(1, 5)):
            place = rng.randrange(len(text))
            text[place : place + rng.randint(0, 3)] = rng.choice("()[]{}.,!&|=<>'\"\\`#@$ \n09eé")
        source = "".join(text)
        try:
            compile_expression(source)
        except CompileError as refused:
            lines = source.split("\n")
            assert 1 <= refused.line <= len(lines)  # noqa: PT017
            assert 1 <= refused.column <= len(lines[refused.line - 1]) + 1  # noqa: PT017


def test_names_with_dots_and_containers_resolve_to_the_longest():
    names = {"shop.order.total": 5, "order": {"total": 7}}
    inside = compile_expression("order.total", container="shop", variables=names)
    assert inside.evaluate(names) == 5
    assert inside.reads == {("shop.order.total",)}
    outside = compile_expression(".order.total", container="shop", variables=names)
    assert outside.evaluate(names) == 7
