"""What the checker says of conditions, word for word."""

import pytest

from shopflow.lang.cel import (
    BOOL,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    Environment,
    check,
    compile_expression,
    infer,
    list_of,
    map_of,
    record,
    type_from_schema,
)
from shopflow.lang.cel.types import BYTES, TYPE, UINT
from shopflow.problem import Severity

ITEM = {
    "type": "object",
    "required": ["sku", "price"],
    "properties": {
        "sku": {"type": "string"},
        "price": {"type": "number"},
        "category": {"type": "string"},
    },
}
CART = type_from_schema(
    {
        "type": "object",
        "required": ["cart_id", "total", "count", "gift", "items", "country", "at", "extra", "by"],
        "properties": {
            "cart_id": {"type": "string"},
            "total": {"type": "number"},
            "count": {"type": "integer"},
            "gift": {"type": "boolean"},
            "country": {"enum": ["FR", "BE", "GB"]},
            "coupon": {"type": "string"},
            "note": {"type": ["string", "null"]},
            "at": {"type": "string", "format": "date-time"},
            "items": {"type": "array", "items": ITEM},
            "extra": {"type": "object", "properties": {"a": {}}, "additionalProperties": True},
            "by": {"type": "object"},
            "shipping": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
)
ENVIRONMENT = Environment(
    {
        "event": CART,
        "now": TIMESTAMP,
        "wait": DURATION,
        "any": DYN,
        "segments": record({"vip": BOOL}),
        "vars": record({"big_cart": BOOL}),
        "customer": record(
            {"orders": INT, "last_order_at": TIMESTAMP, "views": map_of(STRING, INT)},
            required={"orders", "views"},
        ),
    }
)
CART_FIELDS = "at, by, cart_id, count, country, coupon, extra, gift, items, note, shipping, total"


def found(source, **options):
    return [
        (each.code, each.column, each.length, each.message, each.hint)
        for each in check(source, ENVIRONMENT, **options)
    ]


@pytest.mark.parametrize(
    "source",
    [
        "event.total >= 20 && size(event.items) > 0",
        "event.count > 1.5 && event.total == 50",
        "event.total * 1.2 + event.count > 60",
        "event.country == 'FR' || event.country in ['BE', 'GB']",
        "event.gift && !segments.vip && vars.big_cart",
        "event.items.exists(i, i.price > 10 && i.sku.startsWith('A'))",
        "event.items.map(i, i.price).exists(p, p > 10)",
        "event.items.filter(i, i.price > 1).all(i, i.sku != '')",
        "event.items.map(i, has(i.category), i.category).exists(c, c == 'x')",
        "event.items[0].price > 1 && event.items[event.count].sku == 'a'",
        "now - event.at > days(2) && now + wait > event.at && wait > duration('1h')",
        "now.getHours('Europe/Paris') >= 9 && now.getDayOfWeek() != 0",
        "customer.views[event.cart_id] > 3 && 'a' in customer.views",
        "customer.views.exists(k, k == 'a' && customer.views[k] > 1)",
        "event.extra.whatever == 5 && has(event.extra.more) && event.by.anything > 1",
        "any.thing.at.all > 1 && any.call == 'x' && any[0] && any + 1 > 2 && -any < 1",
        "any.exists(x, x.y) && 'a' in any && any.startsWith('x') && size(any) > 1",
        "in_stock(event.items) && in_stock('A1')",
        "event.cart_id.matches('^c[0-9]+$') && event.cart_id + 'x' != 'y'",
        "[1, 2.5].exists(x, x > event.count) && event.count in [1, 2]",
        "['a', 1].exists(x, x == event.cart_id) && event.cart_id in []",
        "type(event.total) == int && b'a' == bytes(event.cart_id)",
        "(event.gift ? event.total : event.count) > 1",
        "{'a': event.total}.a > 1 && event.by == event.extra",
        "-event.total < 0 && event.count % 2 == 0 && event.at - wait < now",
        "event == event && event['total'] > 1",
        "event.items + event.items != [] && 'a' < event.cart_id && event.gift > false",
    ],
)
def test_good_conditions_have_no_findings(source):
    assert found(source) == []


@pytest.mark.parametrize(
    ("source", "finding"),
    [
        (
            "event.total = 5",
            ("SF101", 13, 1, "unexpected '='", "a single = is no operator; == compares"),
        ),
        ("event.total and 1", ("SF101", 13, 3, "unexpected 'and'", "write && for 'and'")),
        (
            "bigcart",
            ("SF102", 1, 7, "no variable named 'bigcart'", "did you mean vars.big_cart?"),
        ),
        (
            "total > 5",
            ("SF102", 1, 5, "no variable named 'total'", "did you mean event.total?"),
        ),
        (
            "evnt.total > 5",
            (
                "SF102",
                1,
                4,
                "no variable named 'evnt'",
                "did you mean 'event'? variables: any, customer, event, now, segments, vars, wait",
            ),
        ),
        (
            "zzz",
            (
                "SF102",
                1,
                3,
                "no variable named 'zzz'",
                "variables: any, customer, event, now, segments, vars, wait",
            ),
        ),
        (
            "event.totl > 5",
            (
                "SF103",
                7,
                4,
                "event has no field 'totl'",
                f"did you mean 'total'? fields: {CART_FIELDS}",
            ),
        ),
        (
            "has(event.cupon)",
            (
                "SF103",
                11,
                5,
                "event has no field 'cupon'",
                f"did you mean 'coupon'? fields: {CART_FIELDS}",
            ),
        ),
        (
            "event['totl'] > 5",
            (
                "SF103",
                8,
                4,
                "event has no field 'totl'",
                f"did you mean 'total'? fields: {CART_FIELDS}",
            ),
        ),
        (
            "event.items.exists(i, i.qty > 1)",
            ("SF103", 25, 3, "i has no field 'qty'", "fields: category, price, sku"),
        ),
        (
            "event.items[0].prize > 1",
            (
                "SF103",
                16,
                5,
                "event.items[0] has no field 'prize'",
                "did you mean 'price'? fields: category, price, sku",
            ),
        ),
        (
            "event.total > '20'",
            ("SF104", 1, 18, "> cannot compare a number with a string", ""),
        ),
        (
            "event.items < [1]",
            ("SF104", 1, 17, "< cannot compare a list of object with a list of int", ""),
        ),
        (
            "event.total",
            ("SF104", 1, 11, "a condition must be true or false, this is a number", ""),
        ),
        (
            "event.total && segments.vip",
            ("SF104", 1, 11, "&& needs true or false, this is a number", ""),
        ),
        (
            "segments.vip || event.cart_id",
            ("SF104", 17, 13, "|| needs true or false, this is a string", ""),
        ),
        ("!event.count", ("SF104", 2, 11, "! needs true or false, this is an int", "")),
        (
            "event.at ? true : segments.vip",
            ("SF104", 1, 8, "? needs true or false, this is a timestamp", ""),
        ),
        (
            "event.items.all(i, i.sku)",
            ("SF104", 20, 5, "all needs true or false, this is a string", ""),
        ),
        ("event.total == 'a'", ("SF104", 1, 18, "a number never equals a string", "")),
        (
            "event.cart_id == null",
            (
                "SF104",
                1,
                21,
                "a string never equals null",
                "a field that may be missing is asked for with has(…)",
            ),
        ),
        (
            "event.total.x == 1",
            ("SF104", 13, 1, "a number has no field 'x'", "only objects and maps have fields"),
        ),
        (
            "event.cart_id in 'abc'",
            (
                "SF104",
                1,
                22,
                "in looks into a list or a map, not into a string",
                "write text.contains('part')",
            ),
        ),
        (
            "1 in event.total",
            ("SF104", 1, 16, "in looks into a list or a map, not into a number", ""),
        ),
        ("event.total in ['a']", ("SF104", 1, 20, "a number is never in a list of string", "")),
        (
            "event.total + 'x' == 'y'",
            (
                "SF104",
                1,
                17,
                "+ does not work on a number and a string",
                "string(…) makes text of a number",
            ),
        ),
        (
            "now + 5 > event.at",
            (
                "SF104",
                1,
                7,
                "+ does not work on a timestamp and an int",
                "days(n), hours(n) and duration('90m') make lengths of time",
            ),
        ),
        ("event.total % 2 == 0", ("SF104", 1, 15, "% does not work on a number and an int", "")),
        ("1u + event.count == 2", ("SF104", 1, 16, "+ does not work on a uint and an int", "")),
        ("now * now == now", ("SF104", 1, 9, "* does not work on a timestamp and a timestamp", "")),
        ("-event.cart_id == 1", ("SF104", 1, 14, "- does not work on a string", "")),
        (
            "event.items['a'].price == 1",
            ("SF104", 13, 3, "a list is indexed by a number, not string", ""),
        ),
        ("event.total[0] == 1", ("SF104", 1, 14, "a number has no elements to index", "")),
        (
            "event.total.exists(x, true)",
            ("SF104", 1, 11, "exists goes over a list or a map, not a number", ""),
        ),
        (
            "event.cart_id.startsWith(5)",
            (
                "SF104",
                1,
                27,
                "startsWith does not take string, int",
                "string.startsWith(string) gives bool",
            ),
        ),
        (
            "size() > 1",
            ("SF104", 1, 6, "size does not take nothing", "size(string|bytes|list|map) gives int"),
        ),
        (
            "event.cart_id.startswith('c')",
            ("SF102", 1, 29, "no function named 'startswith'", "did you mean startsWith?"),
        ),
        ("not(segments.vip)", ("SF102", 1, 17, "no function named 'not'", "write ! for 'not'")),
        (
            "startsWith(event.cart_id, 'c')",
            ("SF102", 1, 30, "no function named 'startsWith'", "write x.startsWith(…)"),
        ),
        (
            "event.items.in_stock()",
            ("SF102", 1, 22, "no function named 'in_stock'", "write in_stock(…)"),
        ),
        (
            "event.country == 'UK'",
            ("SF107", 18, 4, "'UK' is none of the values it can have", "values: FR, BE, GB"),
        ),
        (
            "'FRA' != event.country",
            (
                "SF107",
                1,
                5,
                "'FRA' is none of the values it can have",
                "did you mean 'FR'? values: FR, BE, GB",
            ),
        ),
        (
            "event.country in ['FR', 'XX']",
            ("SF107", 25, 4, "'XX' is none of the values it can have", "values: FR, BE, GB"),
        ),
        (
            "'XX' in [event.country]",
            ("SF107", 1, 4, "'XX' is none of the values it can have", "values: FR, BE, GB"),
        ),
        (
            "wait > duration('5 minutes')",
            (
                "SF109",
                17,
                11,
                "'5 minutes' is no duration such as 1h30m (units h, m, s, ms, us, ns)",
                "",
            ),
        ),
        (
            "event.at > timestamp('2026-03-01')",
            ("SF109", 22, 12, "'2026-03-01' is no timestamp such as 2026-03-01T09:00:00Z", ""),
        ),
        (
            "event.cart_id.matches('(')",
            ("SF109", 23, 3, "'(' is no regular expression: missing ): (", ""),
        ),
        ("now.getHours('Mars') > 3", ("SF109", 14, 6, "'Mars' is no time zone", "")),
        ("true", ("SF110", 1, 4, "this is always true", "remove it, or compare a field")),
        (
            "segments.vip || 1 < 2",
            ("SF110", 1, 21, "this is always true", "remove it, or compare a field"),
        ),
        (
            "segments.vip && !(1 == 1)",
            ("SF110", 1, 24, "this is always false", "remove it, or compare a field"),
        ),
        (
            "segments.vip && true",
            ("SF110", 17, 4, "this is always true", "remove it, or compare a field"),
        ),
        (
            "!(segments.vip || false)",
            ("SF110", 19, 5, "this is always false", "remove it, or compare a field"),
        ),
        (
            "(true ? segments.vip : vars.big_cart)",
            ("SF110", 2, 4, "this is always true", "remove it, or compare a field"),
        ),
        (
            "event.items.exists(i, [1].exists(x, x == 1)) && [1].exists(x, x == 1)",
            ("SF110", 49, 21, "this is always true", "remove it, or compare a field"),
        ),
    ],
)
def test_a_mistake_is_named_with_its_place_and_the_way_out(source, finding):
    assert found(source) == [finding]


def test_a_constant_that_fails_is_not_called_always_true():
    assert found("1 / 0 == 1 && segments.vip") == []


COUPON = "event.coupon == 'x'"


@pytest.mark.parametrize(
    "source",
    [
        f"has(event.coupon) && {COUPON}",
        f"{COUPON} && has(event.coupon)",
        f"!has(event.coupon) || {COUPON}",
        f"!(has(event.coupon) && segments.vip) || {COUPON} || true != segments.vip",
        f"has(event.coupon) ? {COUPON} : segments.vip",
        f"!has(event.coupon) ? segments.vip : {COUPON}",
        f"(has(event.coupon) && segments.vip) && (segments.vip || {COUPON})",
        f"(has(event.coupon) || 'coupon' in event) && {COUPON}",
        f"!(!has(event.coupon) || segments.vip) && {COUPON}",
        "has(event.coupon) && event['coupon'] == 'x'",
        "event.items.exists(i, has(i.category) && i.category == 'x')",
        "event.items.all(i, !has(i.category) || i.category == 'x')",
        "has(event.shipping) && has(event.shipping.city) && event.shipping.city == 'Lyon'",
        "has(event.note) && event.note == null",
        "has(event.items[0].category) && event.items[0].category == 'x'",
    ],
)
def test_an_optional_field_may_be_read_where_it_is_known_to_be_there(source):
    assert found(source) == []


@pytest.mark.parametrize(
    ("source", "column", "path"),
    [
        (COUPON, 1, "event.coupon"),
        (f"has(event.coupon) || {COUPON}", 22, "event.coupon"),
        (f"(has(event.coupon) || segments.vip) && {COUPON}", 40, "event.coupon"),
        (f"!(has(event.coupon) && segments.vip) && {COUPON}", 41, "event.coupon"),
        (f"has(event.coupon) ? segments.vip : {COUPON}", 36, "event.coupon"),
        (f"has(any.coupon) && {COUPON}", 20, "event.coupon"),
        (f"has([event][0].coupon) && {COUPON}", 27, "event.coupon"),
        ("event.items.exists(i, i.category == 'x')", 23, "i.category"),
        ("has(event.shipping.city)", 5, "event.shipping"),
        ("now - customer.last_order_at > days(3)", 7, "customer.last_order_at"),
        (
            "event.items.exists(i, has(i.category)) && event.items.all(i, i.category == 'x')",
            62,
            "i.category",
        ),
    ],
)
def test_an_optional_field_read_without_has_is_a_warning(source, column, path):
    (finding,) = check(source, ENVIRONMENT)
    assert finding.code == "SF108"
    assert finding.severity is Severity.WARNING
    assert (finding.column, finding.length) == (column, len(path))
    assert finding.message == f"{path} may be missing, and then this condition fails"
    assert finding.hint == f"write has({path}) && …"


def test_an_optional_field_read_by_subscript_is_a_warning_too():
    (finding,) = check("event['coupon'] == 'x'", ENVIRONMENT)
    assert (finding.code, finding.hint) == ("SF108", "")


def test_all_findings_come_at_once_in_the_order_of_the_source():
    source = "event.totl > 5\n  && event.count == 'x'\n  && nobody"
    places = [(each.code, each.line, each.column) for each in check(source, ENVIRONMENT)]
    assert places == [("SF103", 1, 7), ("SF104", 2, 6), ("SF102", 3, 6)]


def test_nesting_too_deep_is_a_finding():
    (finding,) = check("(" * 60 + "true" + ")" * 60, ENVIRONMENT)
    assert (finding.code, finding.message) == (
        "SF116",
        "this condition nests deeper than 48 levels",
    )


def test_a_program_can_be_checked_as_well_as_its_source():
    assert check(compile_expression("segments.vip"), ENVIRONMENT) == ()


def test_another_result_than_a_bool_may_be_expected():
    assert found("event.at + days(1)", expected=TIMESTAMP) == []
    assert found("event.items", expected=list_of(DYN)) == []
    assert found("'x'", expected=None) == []
    assert found("event.total", expected=TIMESTAMP) == [
        ("SF104", 1, 11, "this must be a timestamp, but it is a number", "")
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("event.total > 1", BOOL),
        ("event.total * 2", DOUBLE),
        ("event.count + 1", INT),
        ("1u + 2u", UINT),
        ("any * 2.5", DOUBLE),
        ("any + 1", DYN),
        ("any.x", DYN),
        ("'a' + 'b'", STRING),
        ("b'a' + b'b'", BYTES),
        ("[1] + [2]", list_of(INT)),
        ("[1] + ['a']", list_of(DYN)),
        ("now - event.at", DURATION),
        ("now - wait", TIMESTAMP),
        ("wait + now", TIMESTAMP),
        ("wait - wait", DURATION),
        ("event.items.map(i, i.price)", list_of(DOUBLE)),
        ("event.items.map(i, i.price)[0]", DOUBLE),
        ("event.items.filter(i, true)[0].sku", STRING),
        ("customer.views['a']", INT),
        ("customer.views.map(k, k)", list_of(STRING)),
        ("any.map(x, x)", list_of(DYN)),
        ("[]", list_of(DYN)),
        ("[1, 2.5]", list_of(DOUBLE)),
        ("type(1)", TYPE),
        ("int", TYPE),
        ("in_stock([])", BOOL),
        ("'a,b'.split(',')", list_of(STRING)),
        ("event.gift ? 1 : 2.5", DOUBLE),
        ("event.gift ? 1 : 'a'", DYN),
        ("unheard_of(1)", DYN),
        ("-event.count", INT),
        ("event.cart_id * 2", DYN),
        ("{'a': 1}", map_of(DYN, DYN)),
        ("event.total[0]", DYN),
    ],
)
def test_the_type_of_a_result_is_inferred(source, expected):
    assert infer(source, ENVIRONMENT) == expected
