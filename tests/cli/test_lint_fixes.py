"""`shopflow lint --fix`, `--diff` and `--changed` on a small project in a git repository."""

from __future__ import annotations

import json

import pytest
import yaml
from click.testing import CliRunner
from support.repositories import commit, git, repository, write
from support.small_project import CONSENT, PROJECT

from shopflow.cli.main import main

NOTE = "rules/workflows/note.yaml"
SOUND = """\
apiVersion: shopflow/v1
kind: Workflow
id: note
version: 1
owner: me  # or somebody else
status: draft
purpose: service
trigger: {event: order.placed, key: event.order_id}
steps:
  - {id: a, wait: 1h}
"""


@pytest.fixture
def shop(tmp_path):
    files = {
        "shopflow.yaml": yaml.safe_dump(PROJECT),
        "rules/policies/consent.yaml": yaml.safe_dump(CONSENT),
        NOTE: SOUND,
    }
    return repository(tmp_path / "shop", files)


@pytest.fixture
def lint(shop):
    def call(*words):
        result = CliRunner().invoke(main, ["lint", "--project", str(shop), *words])
        return result.exit_code, result.stdout + result.stderr

    return call


def note(shop):
    return (shop / NOTE).read_bytes().decode()


@pytest.mark.parametrize(
    ("sound", "slipped"),
    [
        ("owner: me", "ownr: me"),
        ("event: order.placed", "event: order.plcaed"),
        ("event.order_id", "event.ordre_id"),
        ("wait: 1h", "wiat: 1h"),
    ],
)
def test_slips_are_mended_and_comments_stay(shop, lint, sound, slipped):
    write(shop, {NOTE: SOUND.replace(sound, slipped)})
    assert lint("--fix")[0] == 0
    assert note(shop) == SOUND


def test_words_that_yaml_reads_two_ways_get_quotes(shop, lint):
    write(shop, {NOTE: SOUND.replace("status: draft", "status: draft\ntags: [a, no, on]")})
    assert lint("--fix")[0] == 0
    assert 'tags: [a, "no", "on"]' in note(shop)


@pytest.mark.parametrize(
    ("line", "block"),
    [
        ('only_if: trigger.order_id == " #1"', 'only_if: |\n      trigger.order_id == " #1"'),
        ("only_if: !(trigger.order_id == '1')", "only_if: |\n      !(trigger.order_id == '1')"),
    ],
    ids=["cut at the hash", "a leading exclamation mark"],
)
def test_conditions_that_yaml_changes_go_into_a_block(shop, lint, line, block):
    steps = "  - id: a\n    wait: 1h\n    {}"
    write(shop, {NOTE: SOUND.replace("  - {id: a, wait: 1h}", steps.format(line))})
    assert lint("--fix")[0] == 0
    assert note(shop) == SOUND.replace("  - {id: a, wait: 1h}", steps.format(block))


BLOCK = """\
let:
  used: trigger.order_id == '3'
  big: |
    trigger.order_id == '1'
    || trigger.order_id == '2'
"""
TWO = """\
let:
  # of the shop
  big: trigger.order_id == "1"  # unused
  long: |
    trigger.order_id == '2'
"""


@pytest.mark.parametrize(
    ("let", "left"),
    [
        ("let:\n  big: trigger.order_id == '1'\n", ""),
        ("let: {big: trigger.order_id == '1'}\n", ""),
        (TWO, ""),
        (BLOCK, "let:\n  used: trigger.order_id == '3'\n"),
        ("let: {used: '1 < now.getHours()', big: 'true'}\n", "let: {used: '1 < now.getHours()'}\n"),
        ("let: {big: 'true', used: '1 < now.getHours()'}\n", "let: {used: '1 < now.getHours()'}\n"),
    ],
    ids=["a block", "in one line", "two", "the last", "the last in a line", "the first in a line"],
)
def test_unused_let_goes(shop, lint, let, left):
    steps = "steps:\n  - {id: a, wait: 1h, only_if: vars.used}\n"
    rest = SOUND if not left else SOUND.replace("steps:\n  - {id: a, wait: 1h}\n", steps)
    write(shop, {NOTE: rest.replace("steps:", f"{let}steps:")})
    lint("--fix", "--select", "SF115")
    assert note(shop) == rest.replace("steps:", f"{left}steps:")


def test_what_is_mended_twice_stays_as_it_is(shop, lint):
    write(shop, {NOTE: SOUND.replace("owner", "ownr").replace("order.placed", "order.plcaed")})
    assert "2 mended in 1 file\n" in lint("--fix")[1]
    first = note(shop)
    assert "0 mended in 0 files" in lint("--fix")[1]
    assert note(shop) == first == SOUND


def test_line_ends_and_marks_of_windows_stay(shop, lint):
    text = "\ufeff" + SOUND.replace("owner", "ownr").replace("\n", "\r\n")
    (shop / NOTE).write_bytes(text.encode())
    assert lint("--fix")[0] == 0
    assert note(shop) == text.replace("ownr", "owner")


def test_a_difference_is_shown_and_nothing_changed(shop, lint):
    slipped = SOUND.replace("owner", "ownr")
    write(shop, {NOTE: slipped})
    code, output = lint("--diff")
    assert code == 1
    assert f"--- a/{NOTE}\n+++ b/{NOTE}\n" in output
    assert "-ownr: me  # or somebody else\n+owner: me  # or somebody else\n" in output
    assert note(shop) == slipped
    write(shop, {NOTE: SOUND})
    assert lint("--diff") == (0, "")


def test_only_what_is_shown_is_mended(shop, lint):
    slipped = SOUND.replace("owner", "ownr").replace("order.placed", "order.plcaed")
    write(shop, {NOTE: slipped})
    lint("--fix", "--select", "SF106")
    assert note(shop) == SOUND.replace("owner", "ownr")


def test_what_nobody_can_be_sure_of_is_left(shop, lint):
    other = SOUND.replace("order.placed", "order.paid")
    write(shop, {NOTE: other})
    code, output = lint("--fix")
    assert code == 1
    assert "did you mean" in output
    assert note(shop) == other


def codes(output):
    return [each["code"] for each in json.loads(output[output.index("{") :])["problems"]]


def test_changed_shows_files_of_this_branch_alone(shop, lint):
    unused = 'let: {big: trigger.order_id == "1"}\nsteps:'
    old = SOUND.replace("id: note", "id: old").replace("steps:", unused)
    commit(shop, {"rules/workflows/old.yaml": old})
    git(shop, "checkout", "--quiet", "-b", "work")
    committed = old.replace("id: old", "id: new")
    commit(shop, {"rules/workflows/new.yaml": committed})
    write(shop, {"rules/workflows/newer.yaml": old.replace("id: old", "id: newer")})
    assert codes(lint("--format", "json")[1]) == ["SF115"] * 3
    assert codes(lint("--format", "json", "--changed")[1]) == ["SF115"] * 2
    assert codes(lint("--format", "json", "--changed=HEAD")[1]) == ["SF115"]


def test_changed_under_the_same_version_is_told_and_mended(shop, lint):
    git(shop, "checkout", "--quiet", "-b", "work")
    write(shop, {NOTE: SOUND.replace("wait: 1h", "wait: 2h")})
    code, output = lint("--changed", "--format", "concise")
    assert code == 1
    assert f"{NOTE}:4:10: error[SF609]: note changed, and is still version 1" in output
    assert lint("--changed", "--fix")[0] == 0
    assert note(shop) == SOUND.replace("wait: 1h", "wait: 2h").replace("version: 1", "version: 2")
    assert lint("--changed")[0] == 0


def test_a_first_version_is_written_below_the_id(shop, lint):
    unsaid = SOUND.replace("version: 1\n", "")
    commit(shop, {NOTE: unsaid})
    write(shop, {NOTE: unsaid.replace("wait: 1h", "wait: 2h")})
    assert lint("--changed=HEAD", "--fix")[0] == 0
    assert "id: note\nversion: 2\nowner" in note(shop)


def test_mended_slips_are_no_change(shop, lint):
    git(shop, "checkout", "--quiet", "-b", "work")
    write(shop, {NOTE: SOUND.replace("event.order_id", "event.ordre_id")})
    assert lint("--changed", "--fix")[0] == 0
    assert note(shop) == SOUND


def test_formatting_is_no_change(shop, lint):
    git(shop, "checkout", "--quiet", "-b", "work")
    write(shop, {NOTE: SOUND.replace("  - {id: a, wait: 1h}", "  - id: a\n    wait: 1h")})
    assert lint("--changed")[0] == 0


def test_a_project_that_the_base_has_not_is_all_new(shop, tmp_path):
    outer = repository(tmp_path / "outer", {"README.md": "shop"})
    for path in shop.rglob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        write(
            outer, {f"crm/{path.relative_to(shop)}": text.replace("order.placed", "order.plcaed")}
        )
    result = CliRunner().invoke(main, ["lint", "--project", str(outer / "crm"), "--changed=main"])
    assert result.exit_code == 1
    assert "SF106" in result.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--changed=mian"], "no revision 'mian'; did you mean 'main'?"),
        (["-", "--fix"], "`-` is one file as it stands"),
    ],
)
def test_wrong_words_are_told(lint, words, told):
    code, output = lint(*words)
    assert code == 2
    assert told in output


def test_outside_of_git_nothing_is_known_to_have_changed(tmp_path, shop):
    copy = tmp_path / "copy"
    for path in shop.rglob("*.yaml"):
        write(copy, {str(path.relative_to(shop)): path.read_text(encoding="utf-8")})
    result = CliRunner().invoke(main, ["lint", "--project", str(copy), "--changed"])
    assert result.exit_code == 2
    assert "is in no git repository, so nothing is known to have changed" in result.output


def test_a_repository_without_a_trunk_asks_for_a_name(shop, lint):
    git(shop, "branch", "-m", "main", "other")
    code, output = lint("--changed")
    assert code == 2
    assert "there is no branch main to compare with; name one, as in --changed=REF" in output


def test_changed_template_shows_who_does_not_give_what_it_wants(shop, lint):
    template = "rules/templates/note/email.en.mjml"
    body = (
        "<mjml><mj-body><mj-section><mj-column><mj-text>{{ name }}</mj-text></mj-column>"
        "</mj-section></mj-body></mjml>\n"
    )
    send = SOUND.replace("wait: 1h", "send: email, template: note, with: {name: \"'Anna'\"}")
    head = "---\nsubject: Hello\nvariables:\n  - name\n{}---\n"
    commit(shop, {NOTE: send, template: head.format("") + body})
    git(shop, "checkout", "--quiet", "-b", "work")
    write(shop, {template: head.format("  - order_id\n") + body})
    code, output = lint("--changed", "--select", "SF302")
    assert code == 1
    assert f"{NOTE}:10:36: error[SF302]: nothing provides 'order_id'" in output
    assert f" ::: {template}:5:5: the template wants it" in output


def test_front_matter_is_mended_where_it_stands(shop, lint):
    template = "rules/templates/note/sms.en.txt"
    write(shop, {template: "---\nsubject: !Hello\n---\nHello\n"})
    lint("--fix")
    assert (shop / template).read_text(encoding="utf-8") == (
        "---\nsubject: |\n  !Hello\n---\nHello\n"
    )


def test_changed_tells_what_speaks_against_the_change_itself(shop, lint):
    git(shop, "checkout", "--quiet", "-b", "work")
    weaker = {**CONSENT, "purposes": {**CONSENT["purposes"]}}
    weaker["purposes"]["marketing"] = {"class": "service"}
    write(shop, {"rules/policies/consent.yaml": yaml.safe_dump(weaker)})
    (code, output) = lint("--changed", "--format", "json")
    assert (code, codes(output)) == (1, ["SF605"])
    assert codes(lint("--format", "json")[1]) == []
    # Of rules that do not compile nobody knows what they change.
    write(shop, {NOTE: SOUND.replace("event.order_id", "event.ordre_id")})
    assert "SF605" not in codes(lint("--changed", "--format", "json")[1])


def test_rules_that_are_gone_are_told_unless_they_are_meant_to_be(shop, lint):
    git(shop, "checkout", "--quiet", "-b", "work")
    (shop / NOTE).unlink()
    code, output = lint("--changed", "--format", "concise")
    assert code == 1
    assert "rules/workflows:1:1: error[SF607]: no workflow is left: note" in output
    assert lint("--changed", "--allow-shrink")[0] == 0
    assert lint("--allow-shrink")[0] == 2
