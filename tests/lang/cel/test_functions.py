"""The functions a condition may call."""

from datetime import UTC, datetime, timedelta

import pytest

from shopflow.lang.cel import EvaluationError, compile_expression


def value(source, **bindings):
    return compile_expression(source).evaluate(bindings)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("size('é☺') + size(b'ab') + size([1]) + size({'a': 1})", 6),
        ("int('42') + int(2.9) + int(3u) + int(true)", 48),
        ("int(timestamp('1970-01-01T00:01:00Z'))", 60),
        ("uint(2.9) + uint('3') + uint(1)", 6),
        ("double('1.5') + double(1) + double(2u)", 4.5),
        ("double('-inf') < 0.0 && double('inf') > 0.0", True),
        ("string(1) + string(2.5) + string(true) + string(3u) + string(b'x')", "12.5true3x"),
        ("string(duration('-90s')) + string(timestamp('2026-03-01T09:00:00.5Z'))", None),
        ("string(1e6) + string(-123456.789) + string(-1.5e-7)", "1e+06-123456.789-1.5e-07"),
        ("string(0.0 / 0.0) + string(1.0 / 0.0) + string(-1.0 / 0.0)", "naninf-inf"),
        ("string(-0.0) + string(2e21)", "-02e+21"),
        ("bytes('é') == b'é' && bytes(b'a') == b'a'", True),
        ("bool('True') && !bool('0') && bool(true)", True),
        ("timestamp(60) == timestamp('1970-01-01T00:01:00Z')", True),
        ("duration('1h30m') == duration('5400s') && duration('0') == duration('-0s')", True),
        (
            "duration('1.5h') + duration('+1ms') + duration('1us1ns') > hours(1.5)",
            True,
        ),
        ("days(1) == hours(24) && days(0.5) == hours(12)", True),
        ("dyn(1) == 1.0", True),
        ("type(null) == null_type && type(1u) == uint && type(b'') == bytes", True),
        ("type(duration('1s')) == google.protobuf.Duration && type(type(1)) == type", True),
        ("type({}) == map && type([]) == list && type(1.0) == double && type('') == string", True),
        ("-7 / 2 == -3 && 7 / -2 == -3 && -7 % 2 == -1 && 7 % -2 == 1", True),
        ("7u / 2u == 3u && 7u % 2u == 1u && 3u * 2u - 1u == 5u", True),
        ("0.0 / 0.0 != 0.0 / 0.0 && 1.0 / 0.0 > 1e308 && -1.0 / 0.0 < 0.0", True),
        ("1.0 / -0.0 < 0.0 && 1 / 4.0 == 0.25 && 3 - 0.5 == 2.5 && 2 + 0.5 == 2.5", True),
        ("[1] + [2] == [1, 2] && b'a' + b'b' == b'ab' && 'a' + 'b' == 'ab'", True),
        ("duration('1m') - duration('30s') == duration('30s')", True),
        ("'abc'.matches('b') && matches('abc', '^a') && !'abc'.matches('^b')", True),
        ("['a', 'b'].map(p, 'abc'.matches(p)).all(m, m)", True),
        ("duration('-1.5s').getMilliseconds() == -500 && duration('90m').getHours() == 1", True),
        ("duration('-90s').getMinutes() == -1", True),
    ],
)
def test_values(source, expected):
    if expected is None:
        expected = "-90s2026-03-01T09:00:00.5Z"
    result = value(source)
    assert result == expected
    assert type(result) is type(expected) or isinstance(result, int)


@pytest.mark.parametrize(
    "source",
    [
        "int('1.5')",
        "int('9223372036854775808')",
        "int(1e19)",
        "int(null)",
        "uint('-1')",
        "uint('x')",
        "uint(true)",
        "uint(-1)",
        "uint(-0.5)",
        "double('x')",
        "double(true)",
        "double([])",
        "string(null)",
        "bytes(1)",
        "bool('yes')",
        "bool(1)",
        "timestamp('2026-03-01')",
        "timestamp('2026-13-01T00:00:00Z')",
        "timestamp('0000-01-01T00:00:00Z')",
        "timestamp(1.5)",
        "timestamp(253402300800)",
        "duration('1d')",
        "duration('')",
        "duration('1h-5m')",
        "duration(5)",
        "duration('400000000000s')",
        "days('1')",
        "days(true)",
        "hours(1e300)",
        "timestamp('2026-03-01T00:00:00Z').getHours('Mars/Base')",
        "timestamp('2026-03-01T00:00:00Z').getHours(1)",
        "duration('1h').getHours('UTC')",
        "'a'.getHours()",
        "timestamp('2026-03-01T00:00:00Z') + 1",
        "timestamp('9999-12-31T00:00:00Z') - timestamp('0001-01-01T00:00:00Z')",
        "-(-9223372036854775808)",
        "1.5 % 2.0",
        "'a'.charAt(2)",
        "'a'.charAt('x')",
        "'a'.charAt(true)",
        "'a'.indexOf('a', 5)",
        "'a'.substring(1, 0)",
        "'a'.startsWith(1)",
        "[1].join()",
        "'a'.join()",
        "1.lowerAscii()",
    ],
)
def test_what_they_refuse(source):
    with pytest.raises(EvaluationError):
        value(source)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("'tacocat'.charAt(1) + 'a'.charAt(1)", "a"),
        ("'tacocat'.indexOf('ac') * 10 + 'tacocat'.indexOf('a', 3)", 15),
        ("'tacocat'.lastIndexOf('a') * 10 + 'tacocat'.lastIndexOf('a', 3)", 51),
        ("'ÀbC'.lowerAscii() + 'àbC'.upperAscii()", "ÀbcàBC"),
        ("'a-b-c'.replace('-', '+') + 'a-b-c'.replace('-', '', 1)", "a+b+cab-c"),
        (
            "'a,b,c'.split(',') + 'a,b,c'.split(',', 2) + 'a'.split(',', 0)",
            ["a", "b", "c", "a", "b,c"],
        ),
        ("'abc'.split('') + 'abc'.split('', 2)", ["a", "b", "c", "a", "bc"]),
        ("'tacocat'.substring(4) + 'tacocat'.substring(0, 4)", "cattaco"),
        ("'\\u2003 x\\u001f '.trim()", "x\x1f"),
        ("'abc'.reverse() + ['x', 'y'].join('-') + ['x', 'y'].join()", "cbax-yxy"),
    ],
)
def test_the_strings_extension(source, expected):
    assert value(source) == expected


def test_calendar_parts_follow_the_zone_and_cels_numbering():
    at = datetime(2026, 3, 28, 23, 30, 15, 250_000, tzinfo=UTC)
    parts = "FullYear Month Date DayOfMonth DayOfWeek DayOfYear Hours Minutes Seconds Milliseconds"
    utc = [value(f"at.get{part}()", at=at) for part in parts.split()]
    assert utc == [2026, 2, 28, 27, 6, 86, 23, 30, 15, 250]
    paris = [value(f"at.get{part}('Europe/Paris')", at=at) for part in parts.split()]
    assert paris == [2026, 2, 29, 28, 0, 87, 0, 30, 15, 250]
    assert value("at.getHours('-02:30')", at=at) == 21


STOCK = {"A1": {"in_stock": True}, "B2": {"in_stock": False}, "C3": {"price": 5}}


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([], True),
        ("A1", True),
        ("B2", False),
        ("unheard-of", True),
        ({"sku": "B2"}, False),
        (["A1", {"sku": "C3"}], True),
        ([{"sku": "A1"}, {"sku": "B2"}], False),
    ],
)
def test_in_stock_asks_the_catalogue(items, expected):
    assert value("in_stock(items)", items=items, __products__=STOCK) is expected
    assert value("in_stock(items) || false", items=items, __products__=STOCK) is expected


FITTING = {"cup": {"compatible_with": ["machine"]}, "machine": {}, "rug": {"compatible_with": []}}


@pytest.mark.parametrize(
    ("items", "others", "expected"),
    [
        ("cup", ["machine"], True),
        ("machine", "cup", True),
        ([{"sku": "rug"}, {"sku": "cup"}], [{"sku": "machine"}], True),
        ("cup", ["rug"], False),
        ("cup", [], False),
        ("unheard-of", ["cup"], False),
        ("cup", "cup", False),
    ],
)
def test_compatible_asks_the_catalogue_in_both_directions(items, others, expected):
    given = {"items": items, "others": others, "__products__": FITTING}
    assert value("compatible(items, others)", **given) is expected
    assert value("compatible(items, others) || false", **given) is expected


def test_without_a_catalogue_nothing_is_compatible():
    assert value("compatible(items, items)", items=["cup", "machine"]) is False


@pytest.mark.parametrize("items", [1, None, [1], [{"sku": 1}]])
def test_compatible_refuses_what_has_no_sku(items):
    with pytest.raises(EvaluationError):
        value("compatible(items, ['cup'])", items=items, __products__=FITTING)


def test_without_a_catalogue_everything_is_in_stock():
    assert value("in_stock(items)", items=["B2"]) is True
    assert value("in_stock(items)", items=["B2"], __products__=None) is True


@pytest.mark.parametrize("items", [5, [None], {"name": "Lamp"}])
def test_in_stock_refuses_what_has_no_sku(items):
    with pytest.raises(EvaluationError):
        value("in_stock(items)", items=items, __products__=STOCK)


def test_lengths_of_time_are_timedeltas():
    assert value("days(7) + hours(1)") == timedelta(days=7, hours=1)
