"""What is wrong with templates is told at load: all of it, each with its place."""

from __future__ import annotations

from pathlib import Path

import pytest


def one(load, text, name="a/b/email.fr.mjml"):
    templates, problems = load({name: text})
    assert templates.names() == frozenset()
    assert len(problems) == 1, problems
    return problems[0].replace("rules/templates/", "")


def body(inside):
    opened = "<mjml>\n<mj-body>\n<mj-section>\n<mj-column>\n"
    return opened + inside + "\n</mj-column>\n</mj-section>\n</mj-body>\n</mjml>"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{% if x %}a", "a/b/sms.fr.txt:1:"),
        ("a\nb {{ x", "a/b/sms.fr.txt:2:"),
        ("a\n  {% fo x %}", "a/b/sms.fr.txt:2:6: error[SF320]: unknown statement fo"),
        ("é {{ x | mony }}", "a/b/sms.fr.txt:1:10: error[SF324]: no filter named 'mony'"),
        ("{{ x is nothing }}", "a/b/sms.fr.txt:1:9: error[SF324]: no test named 'nothing'"),
        ("{% import 'x' as y %}", "a/b/sms.fr.txt:1:1: error[SF322]: 'import' is not available"),
        ("{% include 'x.txt' %}", "a/b/sms.fr.txt:1:1: error[SF322]: no file 'x.txt'"),
        ("{% include name %}", "error[SF322]: 'include' wants the name of a file in quotes"),
        ("---\nsubject: x\n", "a/b/sms.fr.txt:1:1: error[SF001]: the front matter is never closed"),
        ("---\nsubjet: x\n---\n", "a/b/sms.fr.txt:2:1: error[SF005]: unknown key 'subjet'"),
        ("---\nsubject: [x]\n---\n", "a/b/sms.fr.txt:2:10: error[SF004]: 'subject' must be text"),
        ("---\n- x\n---\n", "a/b/sms.fr.txt:2:1: error[SF004]: front matter is a map"),
        ("---\npurposes: x\n---\n", "a/b/sms.fr.txt:2:11: error[SF004]: 'purposes' must be a list"),
        ("---\nvariables: [1]\n---\n", "error[SF004]: 'variables' lists names"),
        (
            "---\nvariables: {a: strin}\n---\n",
            "sms.fr.txt:2:16: error[SF004]: no type named 'strin'",
        ),
        ("---\nvariables: {a: {typ: string}}\n---\n", "sms.fr.txt:2:17: error[SF005]: unknown key"),
        ("---\nsubject: a\nsubject: b\n---\n", "a/b/sms.fr.txt:3:1: error[SF002]"),
        ("---\nsubject: 'a\n---\n", "error[SF001]: not YAML"),
        ('---\nsubject: "{{ x"\n---\n', "a/b/sms.fr.txt:2:"),
    ],
)
def test_fault_of_a_text_is_told_with_its_place(load, text, told):
    assert told in one(load, text, "a/b/sms.fr.txt")


def test_nearest_name_is_offered(load):
    assert "did you mean 'money'?" in one(load, "{{ x | mony }}", "a/b/sms.fr.txt")
    assert "did you mean 'subject'?" in one(load, "---\nsubjet: x\n---\n", "a/b/sms.fr.txt")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<html></html>", "email.fr.mjml:1:1: error[SF321]: no <mjml> element"),
        (body("<mj-txt>x</mj-txt>"), "email.fr.mjml:5:1: error[SF321]: no MJML element named"),
        (body("<mj-text>a"), "email.fr.mjml:5:1: error[SF321]: <mj-text> is never closed"),
        (body("<mj-text><p>a</mj-text>"), "email.fr.mjml:5:10: error[SF321]: <p> is never closed"),
        (body("<mj-text>a</b></mj-text>"), "email.fr.mjml:5:11: error[SF321]: </b> closes nothing"),
        (body("<mj-text>a < b</mj-text>"), "email.fr.mjml:5:12: error[SF321]: a bare '<'"),
        (body("{# note\n#}{{ x }}"), "email.fr.mjml:6:3: error[SF321]: a value directly inside"),
        (
            "<mjml><mj-head>{% if x %}{% endif %}</mj-head><mj-body></mj-body></mjml>",
            "email.fr.mjml:1:16: error[SF321]: 'if' cannot stand inside <mj-head>",
        ),
        (body("</mj-text>"), "email.fr.mjml:5:1: error[SF321]: </mj-text> closes nothing"),
        (body("<zzz-none>"), "email.fr.mjml:5:1: error[SF321]: <zzz-none> is never closed"),
        (body("<mj-qqqqqqq/>"), "error[SF321]: no MJML element named <mj-qqqqqqq>"),
        (body("<mj-text align=left>a</mj-text>"), "email.fr.mjml:1:1: error[SF321]: no MJML:"),
        (body("") + "{% set x = 1 %}", "email.fr.mjml:9:8: error[SF321]: 'set' cannot stand here"),
        (
            body('<mj-text nonsense="{{ x }}">a</mj-text>'),
            "email.fr.mjml:5:20: error[SF321]: MJML leaves this out",
        ),
    ],
)
def test_fault_of_mjml_is_told_with_its_place(load, text, told):
    templates, problems = load({"a/b/email.fr.mjml": text})
    assert told in problems[0].replace("rules/templates/a/b/", "")
    assert templates.names() == frozenset()


def test_problem_shows_its_line_with_a_caret(load):
    told = one(load, body("  <mj-text>a < b</mj-text>"))
    assert told.endswith("   |   <mj-text>a < b</mj-text>\n   | .............^")


def test_all_problems_of_all_files_come_at_once_and_good_templates_stay(load):
    templates, problems = load(
        {
            "a/b/sms.fr.txt": "{{ x",
            "a/c/sms.fr.txt": "---\nsubjet: x\n---\n{{ y | mony }}",
            "a/d/sms.fr.txt": "good",
        }
    )
    assert len(problems) == 3
    assert templates.names() == {"a/d"}


@pytest.mark.parametrize(
    "name",
    ["a/b/email.mjml", "a/b/email.fr.doc", "a/b/README.md", "email.fr.txt", "a/b/Email.fr.txt"],
)
def test_file_with_another_name_is_told(load, name):
    _, problems = load({name: "x"})
    assert (
        "error[SF323]: the name of a template is <area>/<name>/<channel>.<locale>.<ext>"
        in (problems[0])
    )


def test_two_main_files_of_one_template_are_told(load):
    _, problems = load({"a/b/email.fr.mjml": body(""), "a/b/email.fr.html": "x"})
    assert "error[SF323]: files that do not go together: mjml, html" in problems[0]


def test_file_that_is_not_utf_8_or_too_large_is_told(load):
    _, problems = load({"a/b/sms.fr.txt": b"caf\xe9", "a/c/sms.fr.txt": b"x" * 600_000})
    assert "error[SF001]: not UTF-8 at byte 3" in problems[0]
    assert "error[SF323]: a file of more than 512 KiB" in problems[1]


def test_folder_that_is_not_there_has_no_templates(load):
    templates, problems = load({})
    assert templates.names() == frozenset()
    assert problems == []


def test_windows_line_ends_and_a_byte_order_mark_are_no_problem(load):
    text = b"\xef\xbb\xbf---\r\nsubject: Bonjour\r\n---\r\nligne 1\r\nligne 2\r\n"
    templates, problems = load({"a/b/log.fr.txt": text})
    assert problems == []
    assert templates.render("a/b", "log", "fr", {}) == {
        "subject": "Bonjour",
        "text": "ligne 1\nligne 2\n",
    }


def test_line_that_stands_so_in_no_file_is_not_shown(load):
    told = one(load, "<mjml><mj-body><mj-text a='{{ x }}'>a</mj-text></mj-body></mjml>")
    assert told.startswith("a/b/email.fr.mjml:1:28: error[SF321]: MJML leaves this out")
    assert "   |" not in told


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd"])
def test_unknown_time_zone_of_the_project_does_not_stop_the_loading(load, zone):
    templates, problems = load({"a/b/sms.fr.txt": "x"}, timezone=zone)
    assert problems == []
    assert templates.names() == {"a/b"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- a", "webpush.fr.yaml:1:1: error[SF004]: a template in YAML is a map"),
        (
            "---\npurposes: []\n---\na: {b: c}",
            "webpush.fr.yaml:4:4: error[SF004]: 'a' must be text",
        ),
        ("a: 'b", "error[SF001]: not YAML"),
        ('a: "{{ b"', "webpush.fr.yaml:1:"),
    ],
)
def test_fault_of_a_yaml_template_is_told_with_its_place(load, text, told):
    assert told in one(load, text, "a/b/webpush.fr.yaml")


def test_block_torn_apart_by_the_markup_is_told(load):
    text = 'a\n<div style="display:none">{% if x %}</div>b{% endif %}'
    told = one(load, text, "a/b/email.fr.html")
    assert "a/b/email.fr.html:2:44: error[SF320]" in told
    assert "once it is made into text" in told


def test_file_that_cannot_be_read_is_told(load, monkeypatch):
    def refuse(_path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    _, problems = load({"a/b/sms.fr.txt": "x"})
    assert problems == [
        "rules/templates/a/b/sms.fr.txt:1:1: error[SF001]: cannot be read: Permission denied"
    ]
