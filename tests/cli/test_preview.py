"""`preview`: a gallery of messages with the values that tests send, before and after a change."""

from __future__ import annotations

import json
import struct
import subprocess

import pytest
from support.small_project import FULL, NOTE, project_files

TEST = {"name": "an hour of silence", "events": [FULL], "expect": {"sends": [{"at": "1h"}]}}
SMS = """---
purposes: [marketing]
variables: {total: number}
longest: {total: 123456789.5}
---
Votre panier de {{ total }} euros vous attend, à bientôt.
"""


@pytest.fixture
def root(folder):
    """A project with a mail, a note, and a text message that no test sends."""
    files = project_files(None, [TEST])
    return folder({**files, "rules/templates/cart/nudge/sms.fr.txt": SMS})


@pytest.fixture
def preview(root, command):
    """Runs the command; returns what it prints as JSON, and the page."""

    def run(*words, code=0):
        out = root / "gallery"
        told = command("preview", *words, "--out", str(out), "--format", "json", code=code)
        return json.loads(told), (out / "index.html").read_text(encoding="utf-8")

    return run


def git(root, *words):
    who = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    subprocess.run(["git", "-C", root, *who, *words], check=True, capture_output=True)


def test_a_mail_is_shown_with_short_and_longest_values(preview, root):
    told, page = preview("cart/reminder", "--no-pictures")
    shown = [(one["channel"], one["locale"], one["fixture"]) for one in told["messages"]]
    assert shown == [
        ("email", "en", "short"),
        ("email", "en", "longest"),
        ("log", "en", "short"),
        ("log", "en", "longest"),
    ]
    assert "<dd>Your cart</dd>" in page
    assert "values of the test “an hour of silence”" in page
    assert "Total 90" in (root / "gallery/mails/cart-reminder-email-en-short.html").read_text()


def test_a_picture_is_as_wide_as_a_phone_and_as_a_desktop(preview, root):
    told, page = preview("cart/reminder", "--as", "short")
    assert told["pictures"] == 2
    assert told["without_pictures"] is None
    for device, width in (("phone", 360), ("desktop", 1280)):
        name = f"cart-reminder-email-en-short-{device}.png"
        assert f'src="pictures/{name}"' in page
        head = (root / "gallery/pictures" / name).read_bytes()[:24]
        assert struct.unpack(">I", head[16:20]) == (width,)


def test_without_a_browser_there_is_the_page_and_a_sentence(preview, monkeypatch):
    monkeypatch.setenv("SHOPFLOW_CHROMIUM", "no-such-browser")
    told, page = preview("cart/reminder")
    assert told["pictures"] == 0
    reason = "SHOPFLOW_CHROMIUM is no-such-browser, and there is no such program"
    assert reason in told["without_pictures"]
    assert reason in page


def test_a_text_message_tells_what_it_takes(preview):
    told, page = preview("cart/nudge", "--as", "longest")
    assert [one["fixture"] for one in told["messages"]] == ["longest"]
    assert "1 segment, GSM-7" in page
    assert "made-up values: no test sends it" in page
    assert "123456789.5" in page


def test_a_workflow_shows_what_it_sends(preview):
    told, _ = preview("cart", "--as", "an hour of silence", "--no-pictures")
    assert [one["template"] for one in told["messages"]] == ["cart/reminder"] * 2


def test_what_differs_from_a_commit_is_shown_before_and_after(preview, root):
    git(root, "init", "-q", "-b", "main")
    git(root, "add", ".")
    git(root, "commit", "-qm", "Begin")
    path = root / "rules/templates/cart/reminder/log.en.txt"
    path.write_text(NOTE.replace("Total", "Altogether"))
    told, page = preview("--against", "main", "--as", "short", "--no-pictures")
    assert [(one["channel"], one["change"]) for one in told["messages"]] == [("log", "changed")]
    before, _, after = page.partition("<h3>before</h3>")[2].partition("<h3>after</h3>")
    assert "Total 90" in before
    assert "Altogether 90" in after
    assert "<del>- text: Total 90</del>\n<ins>+ text: Altogether 90</ins>" in page
    added = root / "rules/templates/cart/nudge/sms.en.txt"
    added.write_text(SMS)
    told, _ = preview("cart/nudge", "--against", "main", "--as", "short", "--no-pictures")
    assert [(one["locale"], one["change"]) for one in told["messages"]] == [("en", "new")]
    added.unlink()
    (root / "rules/templates/cart/nudge/sms.fr.txt").unlink()
    told, page = preview("--against", "main", "--as", "short", "--no-pictures")
    assert told["removed"] == ["cart/nudge"]
    assert "no longer there: cart/nudge" in page


def test_a_template_that_cannot_be_rendered_is_a_finding(preview, root):
    path = root / "rules/templates/cart/reminder/log.en.txt"
    path.write_text(NOTE.replace("{{ total }}", "{{ [1][total|int] }}"))
    told, page = preview("cart/reminder", "--as", "longest", "--no-pictures", code=1)
    (error,) = [one["error"] for one in told["messages"] if one["error"]]
    assert "log.en.txt" in error
    assert 'class="error"' in page


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["cart/remindr"], "no template or workflow named 'cart/remindr'; did you mean"),
        (["cart/reminder", "--as", "shrt"], "did you mean 'short'?"),
        (["cart/reminder", "--locale", "de"], "nothing is written in de"),
        (["--against", "main"], "is in no git repository"),
    ],
)
def test_a_name_that_does_not_exist_is_said(root, command, words, told):
    out = command("preview", *words, "--out", str(root / "gallery"), code=2)
    assert told in out
    assert not (root / "gallery").exists()
