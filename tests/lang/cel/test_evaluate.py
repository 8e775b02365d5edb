"""What conditions mean over plain Python values."""

import threading
from collections import ChainMap
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from shopflow.domain.expression import Expression
from shopflow.lang.cel import EvaluationError, compile_expression
from shopflow.lang.cel.values import Duration, Timestamp, Uint, type_of

PARIS = ZoneInfo("Europe/Paris")
EVENT = {
    "total": 80,
    "exact": 80.0,
    "gift": "false",
    "flag": True,
    "off": False,
    "one": 1,
    "zero": 0,
    "country": "FR",
    "note": None,
    "tags": ["a", "b"],
    "items": [{"sku": "A1", "price": 10}, {"sku": "B2", "price": 2.5}],
    "address": {"city": "Lyon"},
    "octets": b"a",
}


def value(source, **bindings):
    return compile_expression(source).evaluate({"event": EVENT, **bindings})


def fails(source, **bindings):
    with pytest.raises(EvaluationError) as caught:
        value(source, **bindings)
    return str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        "event.total >= 50.0",
        "event.total == 80.0 && event.exact == 80",
        "50 <= event.total",
        "event.total > 79.5 && 81 > event.exact",
        "event.flag == true && true == event.flag",
        "event.off == false",
        "event.flag",
        "event.one == 1 && 1 == event.one && event.zero == 0",
        "event.note == null && event.total != null",
        "event.country in ['FR', 'BE']",
        "event.total in [80, 90]",
        "event.one in [0, 1]",
        "event.total in [80, " + ", ".join(map(str, range(100, 120))) + "]",
        "event.country in " + str(["FR", *range(100, 120)]),
        "[1, true].filter(x, x == 1).filter(x, x != 0) == [1]",
        "[event.items].filter(x, x.exists(y, y.sku in ['A1']) && 'z' in {'z': 1}) != []",
        "event.octets == b'a' && b'b' > event.octets && event.one == 1u",
        "'a' in event.tags && !('z' in event.tags)",
        "'city' in event.address",
        "event.country in " + str([f"C{n}" for n in range(20)] + ["FR"]),
        "size(event.items) == 2 && event.items.size() > 1",
        "has(event.address.city) && !has(event.address.zip)",
        "event.items.exists(i, i.price > 5)",
        "event.items.all(i, i.price > 2)",
        "event.items.exists_one(i, i.sku == 'A1')",
        "event.items.map(i, i.price > 5, i.sku) == ['A1']",
        "event.items.filter(i, i.price < 5)[0].sku == 'B2'",
        "event.items.map(i, i.sku).exists(s, s == 'B2')",
        "event['country'] == 'FR' && event.items[0]['sku'] == 'A1'",
        "event.country.startsWith('F') && event.country.endsWith('R')",
        "event.country.contains('R') && event.country.matches('^F.$')",
        "event.country.lowerAscii() == event.country.lowerAscii()",
        "(event.total > 1 ? event.country : 'x') == 'FR'",
        "event.total * 1.5 == 120.0 && event.total / 2.0 == 40.0",
        "event.tags == ['a', 'b'] && event.address == {'city': 'Lyon'}",
        "event.total in event.items.map(i, i.price * 8)",
        "type(event.total) == int && type(event.tags) == list",
        "-event.total < 0 && -event.exact == -80.0",
        "event.items.exists(i, event.tags.exists(t, t == 'b' && i.sku == 'B2'))",
        "event.missing == 1 || event.total > 1",
        "!(event.missing == 1 && event.total < 1)",
        "event.items.exists(i, i.missing > 1 || i.sku == 'B2')",
        "!event.items.all(i, i.sku == 'B2' && i.missing == 1)",
        "[1, 'a'].exists(x, x == 'a')",
    ],
)
def test_conditions_that_are_true(source):
    assert value(source) is True


@pytest.mark.parametrize(
    "source",
    [
        "event.flag == 1",
        "event.one == true",
        "event.flag == 1.0 || event.off == 0 || 0 == event.off",
        "event.one != 1",
        "event.flag in [1, 2]",
        "event.total == '80'",
        "event.gift == false",
        "[1] == [true]",
        "{'a': 1} == {'a': true}",
        "event.tags == ['a', 1]",
        "event.address == {'town': 'Lyon'}",
        "event.note in ['FR']",
        "event.tags in ['a', 'b']",
        "1 in {true: 'x'}",
        "event.total in " + str([f"C{n}" for n in range(20)]),
        "event.total == event.gift",
        "0.0 / 0.0 == 0.0 / 0.0",
    ],
)
def test_types_are_not_mixed_up(source):
    assert value(source) is False


def test_a_bool_differs_from_the_number_python_takes_it_for():
    assert value("event.flag != 1") is True
    assert value("event.off != 0") is True
    assert value("[event.flag].exists(x, [x].filter(y, y != 1) == [x])") is True


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("event.missing > 1", "nothing named 'missing'"),
        ("nobody", "nothing named 'nobody'"),
        ("event.gift && true", "no operation bool operator for string"),
        ("event.gift ? 1 : 2", "no operation bool operator for string"),
        ("!event.total", "no operation bool operator for int"),
        ("'yes' && true", "no operation bool operator for string"),
        ("event.flag > 0", "no operation > for bool, int"),
        ("[event.flag].exists(x, x > 0)", "no operation > for bool, int"),
        ("[event.flag].filter(x, x > 0) == []", "no operation > for bool, int"),
        ("[event.flag].filter(x, [x].filter(y, y > 0) == [])", "no operation > for bool, int"),
        ("event.country < 5", "no operation < for string, int"),
        ("event.tags < event.tags", "no operation < for list, list"),
        ("event.country.foo", "no operation .foo for string"),
        ("size(event.total)", "no operation size for int"),
        ("event.total.startsWith('a')", "no operation startsWith for int"),
        ("event.total.contains('a')", "no operation contains for int"),
        ("'a' in event.country", "no operation in for string, string"),
        ("[1] in event.address", "no operation in for list, map"),
        ("event.total.exists(x, true)", "no operation macro for int"),
        ("has(event.total.x)", "no operation has for int"),
        ("event.tags[2]", "no element 2 in a list of 2"),
        ("event.tags[-1]", "no element -1 in a list of 2"),
        ("event.tags[true]", "no operation [] for list, bool"),
        ("event.tags['a']", "no operation [] for list, string"),
        ("event.address[event.tags]", "nothing named ['a', 'b']"),
        ("{1: 'x'}[true]", "nothing named True"),
        ("event.total[0]", "no operation [] for int, int"),
        ("(event.total).foo()", "no function named 'foo' for these operands"),
        ("size(1, 2)", "no function named 'size' for these operands"),
        ("foo(1)", "no function named 'foo' for these operands"),
        ("event.total + 'x'", "no operation + for int, string"),
        ("event.total - event.tags", "no operation - for int, list"),
        ("event.exact % 2", "no operation % for double, int"),
        ("1 / (event.total - 80)", "integer division or modulo by zero"),
        ("event.total * 9223372036854775807", "integer overflow"),
        ("-event.country", "no operation - for string"),
        ("1u - 2u", "unsigned integer overflow"),
        ("{'a': 1, 'a': 2}", "repeated map key 'a'"),
        ("{1.5: 1}", "no operation map key for double"),
        ("[1].map(x, 'a'.repeat(x))", "no function named 'repeat' for these operands"),
        ("'a'.b", "no operation .b for string"),
        ("event.octets.startsWith('a')", "no operation startsWith for bytes"),
        ("event.country.matches('(')", "'(' is no regular expression: missing ): ("),
        ("event.country.matches(event.tags)", "no operation matches for string, list"),
        ("[2, 1, 0].all(n, 4 / n > 0)", "integer division or modulo by zero"),
        ("event.country && event.gift", "no operation bool operator for string"),
    ],
)
def test_what_fails_says_why(source, says):
    assert fails(source) == says


class Lazy(dict):
    """A namespace that computes its entries when they are asked for."""

    def __missing__(self, key):
        if key == "broken":
            raise EvaluationError("broken depends on a field that is missing")
        if key == "nothing":
            raise KeyError(key)
        self[key] = result = key == "vip"
        return result


def test_what_is_no_cel_value_is_refused():
    assert fails("x > 1", x=object()) == "not a CEL value: object"


def test_a_lazy_namespace_is_asked_only_for_what_is_read():
    segments = Lazy()
    assert value("segments.vip && !segments.new", segments=segments) is True
    assert sorted(segments) == ["new", "vip"]


def test_has_asks_a_lazy_namespace():
    assert value("has(segments.vip) && !has(segments.nothing)", segments=Lazy()) is True
    assert value("'vip' in segments && !('nothing' in segments)", segments=Lazy()) is True
    assert value("[segments].exists(s, has(s.vip))", segments=Lazy()) is True


def test_a_lazy_lookup_that_fails_is_an_error_like_any_other():
    assert value("segments.broken || event.total > 1", segments=Lazy()) is True
    assert value("segments.broken && event.total < 1", segments=Lazy()) is False
    assert "broken depends" in fails("segments.broken", segments=Lazy())
    assert "nothing" in fails("segments.nothing", segments=Lazy())
    assert "broken depends" in fails("has(segments.broken)", segments=Lazy())


def test_bindings_may_be_any_mapping():
    program = compile_expression("a.x + a.y + b == 6")
    assert program.evaluate(ChainMap({"a": {"x": 1, "y": 2}}, {"b": 3})) is True


def test_plain_datetimes_are_timestamps_and_timedeltas_durations():
    now = datetime(2026, 3, 29, 12, tzinfo=PARIS)
    bindings = {"now": now, "placed": datetime(2026, 3, 28, 12, tzinfo=PARIS)}
    # The night between lost an hour: 23 hours passed although the clock shows the same time.
    assert value("now - placed", **bindings) == timedelta(hours=23)
    assert value("placed + days(1) == now + duration('1h')", **bindings) is True
    assert value("placed < now && now >= placed && now != placed", **bindings) is True
    assert value("now - placed > wait", wait=timedelta(hours=22), **bindings) is True
    assert value("now.getHours() == 10 && now.getHours('Europe/Paris') == 12", **bindings) is True
    assert value("type(now)", **bindings) == type_of(now)


def test_equal_instants_in_different_zones_are_equal():
    winter = datetime(2026, 10, 25, 2, 30, tzinfo=PARIS, fold=1)
    summer = datetime(2026, 10, 25, 2, 30, tzinfo=PARIS, fold=0)
    assert value("a == b", a=winter, b=winter.astimezone(UTC)) is True
    assert value("a == b", a=winter, b=summer) is False
    assert value("a > b", a=winter, b=summer) is True


def test_a_datetime_without_zone_is_refused():
    naive = datetime(2026, 3, 1)  # noqa: DTZ001 - that is the point
    assert "naive" in fails("now > timestamp('2026-01-01T00:00:00Z')", now=naive)
    assert "getHours" in fails("now.getHours()", now=naive)


def test_results_are_plain_python_values():
    assert value("timestamp('2026-03-01T09:00:00Z')") == datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert type(value("timestamp('2026-03-01T09:00:00+01:00')")) is datetime
    assert type(value("duration('1h') + hours(2)")) is timedelta
    assert value("[1, 2.5, 'a', null, {'k': [true]}]") == [1, 2.5, "a", None, {"k": [True]}]
    assert type(value("3u + 1u")) is Uint


def test_nanoseconds_survive_and_are_still_datetimes():
    instant = value("timestamp('2026-03-01T09:00:00.000000001Z')")
    length = value("duration('1.000000001s')")
    assert isinstance(instant, Timestamp)
    assert isinstance(instant, datetime)
    assert isinstance(length, Duration)
    assert isinstance(length, timedelta)
    plain = datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert instant != plain
    assert plain != instant
    assert length != timedelta(seconds=1)
    assert value("a > b && a - b == duration('1ns')", a=instant, b=plain) is True
    assert value("a == b", a=instant, b=Timestamp.of(plain, 1)) is True
    assert value("string(a) + string(b)", a=instant, b=length) == (
        "2026-03-01T09:00:00.000000001Z1.000000001s"
    )
    assert len({instant, Timestamp.of(plain, 1), length, Duration.of(timedelta(seconds=1), 1)}) == 2


def test_deep_values_fail_instead_of_breaking_the_interpreter():
    deep = other = []
    for _ in range(100_000):
        deep, other = [deep], [other]
    assert fails("event.a == event.b", event={"a": deep, "b": other}) == "a value nests too deeply"
    while deep:
        deep = deep.pop()


def test_one_program_serves_many_threads():
    program = compile_expression("event.missing == 1 || event.items.exists(i, i.price > limit)")
    start = threading.Barrier(8)

    def work(limit):
        start.wait()
        return [program.evaluate({"event": EVENT, "limit": limit}) for _ in range(300)]

    def compile_many():
        start.wait()
        sources = [f"event.total == {n} || false" for n in range(90)]
        return [compile_expression(source).evaluate({"event": EVENT}) for source in sources]

    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(work, limit) for limit in (5, 9, 9.5, 1)]
        futures += [pool.submit(compile_many) for _ in range(4)]
        answers = [future.result() for future in futures]
    assert all(all(answer) for answer in answers[:4])
    assert all(sum(answer) == 1 for answer in answers[4:])


def test_a_program_is_an_expression_to_the_engine():
    program: Expression = compile_expression("event.total > 1")
    assert (program.source, program.evaluate({"event": EVENT})) == ("event.total > 1", True)
    assert repr(program) == "Program('event.total > 1')"
