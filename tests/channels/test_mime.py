"""The bytes of a mail say to the standard library's parser what went in."""

from __future__ import annotations

import re
from dataclasses import replace
from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import SMTP
from email.utils import parseaddr

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from shopflow_channels.email.headers import checked_address, mailbox, one_line
from shopflow_channels.email.mime import Identity, Unmailable, assemble, message_id

from shopflow.testing.channel import a_message

SHOP = Identity(address="hello@shop.example", name="Ma Boutique")
TO = "anna@customers.example"

texts = st.text(max_size=400)
characters = st.characters(exclude_categories=["Cs"])
lines = st.text(characters, max_size=300)


def parsed(raw):
    return message_from_bytes(raw, policy=SMTP)


def build(identity=SHOP, bodies=None, **changes):
    return assemble(a_message("m-1", **changes), identity, TO, bodies or {"text": "x"})


def with_subject(subject):
    return {"content": {"subject": subject}}


@given(texts)
@example("Votre panier vous attend\r\nBcc: everyone@customers.example")
@example("a" * 2000)
@example("word " * 60)
@example("Été ☀ " * 40)
@example("=?utf-8?q?not_encoded?=")
@example("🎁" * 90)
@example("a  b   " + "c " * 60)
def test_any_subject_comes_back_on_one_line_and_adds_no_header(subject):
    raw = build(**with_subject(subject))
    mail = parsed(raw)
    assert mail["Subject"] == one_line(subject.encode(errors="replace").decode())
    assert mail["Bcc"] is None
    assert len(mail.get_all("Subject")) == 1
    assert all(len(line) <= 78 for line in raw.split(b"\r\n"))


@given(lines)
@example('Jean "le Grand" O\\Brien, Fils')
@example("Société Générale des Bougies et Senteurs de l'Île-de-France et d'ailleurs encore")
@example("x\r\nBcc: a@b.example")
def test_any_sender_name_comes_back(name):
    raw = build(Identity(address="hello@shop.example", name=name))
    sender = parsed(raw)["From"].addresses
    assert [address.addr_spec for address in sender] == ["hello@shop.example"]
    # The newer parser puts spaces between the encoded words of one name, against RFC 2047.
    shown, _ = parseaddr(str(message_from_bytes(raw)["From"]))
    shown = str(make_header(decode_header(shown)))
    assert re.sub(r"\s+", " ", shown) == re.sub(r"\s+", " ", one_line(name))


@given(lines, lines)
@example("." * 10 + "\n.\n..\n", "<p>.</p>\n.\n")
@example("no-break\u00a0space\u202f!", "<p>" + "é" * 3000 + "</p>")
@example("trailing space \nand tab\t\n\n\nend", "x" * 5000)
@example("lone\rreturn", "a\r\nb")
def test_text_and_html_come_back(text, html):
    raw = build(bodies={"text": text or "t", "html": html or "h"})
    mail = parsed(raw)
    assert mail.get_content_type() == "multipart/alternative"
    plain, page = mail.iter_parts()
    for part, given_text in ((plain, text or "t"), (page, html or "h")):
        expected = re.sub(r"\r\n|\r|\n", "\n", given_text).rstrip("\n")
        assert part.get_content().replace("\r\n", "\n").rstrip("\n") == expected
    assert raw.isascii()
    assert all(len(line) <= 78 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")


def test_mail_with_only_a_text_is_not_multipart():
    mail = parsed(build(bodies={"text": "Bonjour"}))
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().strip() == "Bonjour"


def test_the_same_message_gives_the_same_bytes_at_each_attempt():
    first = a_message("m-1", attempt=1)
    bodies = {"text": "x", "html": "y"}
    assert assemble(first, SHOP, TO, bodies) == assemble(
        replace(first, attempt=2), SHOP, TO, bodies
    )


@pytest.mark.parametrize("identity", ["a b", "a@b", "", "x" * 300, "é", "a\r\nBcc: x", "a..b"])
def test_an_id_that_cannot_stand_in_a_header_is_hashed(identity):
    assert re.fullmatch(r"<[0-9a-f]{64}@shop\.example>", message_id(a_message(identity), SHOP))


def test_marketing_mail_has_both_ways_out_https_first_and_one_click():
    mail = parsed(build())
    assert mail["List-Unsubscribe"] == (
        "<https://boutique.example/u/token>, <mailto:stop@boutique.example>"
    )
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_one_click_is_not_promised_without_https():
    mail = parsed(build(unsubscribe_url="http://localhost:8000/u/token"))
    assert mail["List-Unsubscribe"].startswith("<http://localhost:8000/u/token>")
    assert mail["List-Unsubscribe-Post"] is None


def test_service_mail_has_no_way_out():
    mail = parsed(build(message_class="service"))
    assert mail["List-Unsubscribe"] is None
    assert mail["List-Unsubscribe-Post"] is None


@pytest.mark.parametrize("kind", ["marketing", "relationship"])
def test_mail_that_needs_a_way_out_and_has_none_is_refused(kind):
    with pytest.raises(Unmailable, match="without a link to unsubscribe"):
        build(message_class=kind, unsubscribe_url="")


@pytest.mark.parametrize(
    "url", ["https://x.example/a b", "https://x.example/\r\nBcc: a@b.example", "https://x/>"]
)
def test_link_that_would_break_the_header_is_refused(url):
    with pytest.raises(Unmailable, match="no link may have"):
        build(unsubscribe_url=url)


@pytest.mark.parametrize("name", ["From", "bcc", "X-Bad\r\nBcc", "X Y", "", "List-Unsubscribe"])
def test_header_that_a_message_may_not_set_is_refused(name):
    with pytest.raises(Unmailable, match="may not set"):
        build(headers={name: "x"})


def test_extra_header_is_folded_and_encoded():
    mail = parsed(build(headers={"Feedback-ID": "panier:é:\r\nBcc: x"}))
    assert mail["Feedback-ID"] == "panier:é: Bcc: x"
    assert mail["Bcc"] is None


@pytest.mark.parametrize(
    ("address", "checked"),
    [
        ("anna@customers.example", "anna@customers.example"),
        ("jean..paul.@docomo.example", "jean..paul.@docomo.example"),
        ("anna+tag@bücher.example", "anna+tag@xn--bcher-kva.example"),
        ("root@localhost", "root@localhost"),
        ("", ""),
        ("nobody", ""),
        ("@customers.example", ""),
        ("anna@", ""),
        ("anna@a..b", ""),
        ("ann a@customers.example", ""),
        ("élise@customers.example", ""),
        ("a@b@c.example", ""),
        ("anna@customers.example\r\nBcc: x", ""),
        ("anna@customers.example>", ""),
        ("anna@-a.example", ""),
        ("a" * 65 + "@customers.example", ""),
        ("a@" + ("b" * 60 + ".") * 5 + "example", ""),
        ("anna@" + "é" * 300 + ".example", ""),
    ],
)
def test_address_is_one_that_a_server_takes_or_nothing(address, checked):
    assert checked_address(address) == checked


@given(st.text(max_size=60))
def test_checked_address_never_holds_what_ends_a_command(address):
    assert not set(checked_address(address)) & set(" \r\n<>,;:\"'()[]\\") - {"'"}


def test_plain_name_needs_no_quotes():
    assert mailbox("Ma Boutique", "a@b.example") == "Ma Boutique <a@b.example>"
    assert mailbox("Boutique, Paris", "a@b.example") == '"Boutique, Paris" <a@b.example>'
    assert mailbox("", "a@b.example") == "a@b.example"
