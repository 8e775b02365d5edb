"""Reading YAML: core scalars, what is refused, and where things are in the file."""

from __future__ import annotations

import pytest

from shopflow.lang.document import of_data
from shopflow.lang.reading import MAX_CHARACTERS, parse


def data(text: str) -> object:
    document = parse("a.yaml", text)
    assert document.problems == []
    return document.root.data


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("on", "on"),
        ("yes", "yes"),
        ("1:30", "1:30"),
        ("00123", "00123"),
        ("1_000", "1_000"),
        ("2026-03-03", "2026-03-03"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("0o17", 15),
        ("0x1F", 31),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("'12'", "12"),
        ('"true"', "true"),
        ("|\n  a\n  b\n", "a\nb\n"),
        (">-\n  a\n  b\n", "a b"),
        ("5%", "5%"),
        ("1h", "1h"),
    ],
)
def test_scalars_follow_yaml_1_2(text, value):
    assert data(f"key: {text}") == {"key": value}


def test_an_alias_stands_for_its_anchor():
    assert data("a: &x {b: [1, 2]}\nc: *x") == {"a": {"b": [1, 2]}, "c": {"b": [1, 2]}}


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("a: 1\na: 2", "SF002", "stands twice"),
        ("a: !!python/object:os.system x", "SF001", "tag"),
        ("a: !secret x", "SF008", "tag"),
        ("<<: {a: 1}", "SF001", "merge key"),
        ("? [a]\n: b", "SF001", "as a key"),
        ("a: *nothing", "SF001", "no anchor"),
        ("- &a [*a]", "SF001", "no anchor"),
        ("a: 1\n---\nb: 2", "SF001", "second document"),
        ("a: [1", "SF001", "not YAML"),
        ("a\x07: b", "SF001", "control character"),
        ("[" * 70 + "]" * 70, "SF001", "nested deeper"),
    ],
)
def test_what_could_be_read_two_ways_is_refused(text, code, words):
    problems = parse("a.yaml", text).problems
    assert [problem.code for problem in problems] == [code]
    assert words in problems[0].message


def test_a_billion_laughs_are_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    (problem,) = parse("a.yaml", "\n".join(lines)).problems
    assert "alias" in problem.message


def test_a_chain_of_aliases_is_no_deeper_than_nesting_may_be():
    lines = ["a0: &a0 {x: 1}", *(f"a{n}: &a{n} {{x: *a{n - 1}}}" for n in range(1, 900))]
    (problem,) = parse("a.yaml", "\n".join(lines)).problems
    assert "nested deeper" in problem.message


def test_a_file_too_large_is_refused_before_it_is_read():
    (problem,) = parse("a.yaml", "a" * (MAX_CHARACTERS + 1)).problems
    assert "more than" in problem.message


def test_a_byte_order_mark_moves_nothing():
    document = parse("a.yaml", "\ufeffa: 1")
    assert document.location(document.root.key("a")).column == 1


@pytest.mark.parametrize(
    ("text", "line", "column", "place"),
    [
        ("when: a.b == c", 1, 8, (1, 14)),
        ("when: |\n    a &&\n    b.c\n", 2, 3, (3, 7)),
        ("when: |2\n    a &&\n  b.c\n", 2, 1, (3, 3)),
        ("when: |\n\n\n  a\n", 3, 1, (4, 3)),
        ("when: >-\n  a &&\n  b.c\n", 1, 6, (3, 3)),
        ('when: "a == \\"b\\" && c"', 1, 13, (1, 22)),
        ("when: 'a == ''b'' && c'", 1, 13, (1, 22)),
        ("when: a &&\n  b", 1, 6, (2, 3)),
        ("when: &x |\n  a.b\n", 1, 3, (2, 5)),
        ("é: {when: é.b}", 1, 3, (1, 13)),
        ("when: |\r\n  a\r\n  b\r\n", 2, 1, (3, 3)),
        ('when: "\\u0061 == b"', 1, 6, (1, 18)),
    ],
)
def test_a_place_inside_a_scalar_is_found_in_the_file(text, line, column, place):
    document = parse("a.yaml", text)
    node = next(iter(document.root.pairs()))[1]
    node = node["when"] if "when" in node else node  # noqa: SIM401 - a node is no dict
    found = document.location_in(node, line, column, 1)
    assert (found.line, found.column) == place


def test_a_document_of_plain_data_reads_the_same():
    content = {"a": [1, 2.5, True, None, "NO", "1"], "b": {"c": "x"}}
    assert of_data("x", content).root.data == content
