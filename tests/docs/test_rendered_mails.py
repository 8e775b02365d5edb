"""Every mail of the starter pack as it is read: with what its workflow's tests send, and longer.

Each is written in both languages, whatever language the test's customer reads.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from html import unescape
from pathlib import Path

import pytest
from support.shipped import shipped

from shopflow.gitops.preview.stretching import stretched
from shopflow.gitops.rehearsal import Stage
from shopflow.gitops.scenario import read_scenarios
from shopflow.lang.templates import load_templates

ROOT = Path(__file__).parents[2]
LOCALES = ("fr", "en")
#: Gmail cuts off what is longer than 102 kB, and the footer comes on top.
LONGEST_PAGE = 100_000
#: Gmail and Outlook understand no other links.
LINK = re.compile(r'(?:href|src)="([^"]*)"')
PROJECT = shipped()


@dataclass(frozen=True)
class Mail:
    """One template, written once."""

    locale: str
    parts: dict
    stretched: bool


class Written:
    """Templates that keep, by name, what they were asked to write."""

    def __init__(self):
        self.mails = {}

    def render(self, name, channel, locale, values):
        for one in LOCALES:
            for longer in (False, True):
                given = {key: stretched(each, key) for key, each in values.items()}
                parts = PROJECT.templates.render(name, channel, one, given if longer else values)
                if channel == "email":
                    mail = Mail(locale=one, parts=dict(parts), stretched=longer)
                    self.mails.setdefault(name, []).append(mail)
        return PROJECT.templates.render(name, channel, locale, values)


@cache
def mails():
    """Template -> its mails."""
    written = Written()
    stage = Stage(PROJECT.ruleset, written, {"legal_name": "Ma Boutique SAS"})
    for scenario in read_scenarios(PROJECT.tests, PROJECT.ruleset):
        stage.rehearse(scenario)
    return written.mails


def names():
    return sorted({each.name for each in PROJECT.templates if each.channel == "email"})


templates = pytest.mark.parametrize("name", names())


def prose(page):
    """What the page says, without its markup."""
    body = re.sub(r"<style.*?</style>|<!--.*?-->|<title>.*?</title>", " ", page, flags=re.DOTALL)
    return unescape(re.sub(r"<[^>]+>", " ", body))


@templates
def test_a_test_of_a_workflow_sends_it_and_it_is_written_in_both_languages(name):
    assert {mail.locale for mail in mails()[name]} == set(LOCALES)


@templates
def test_it_is_not_clipped_however_long_the_order(name):
    for mail in mails()[name]:
        assert not is_clipped(mail.parts)


def is_clipped(parts):
    """Whether Gmail would cut the page off."""
    return len(parts["html"].encode()) >= LONGEST_PAGE


def test_a_page_that_gmail_would_clip_is_noticed(pack):
    lines = "{% for one in lines %}<mj-text>{{ one }} déjà</mj-text>{% endfor %}"
    templates = pack("long/list", "en", lines)
    pages = {
        count: templates.render("long/list", "email", "en", {"lines": ["a line"] * count})
        for count in (10, 1_000)
    }
    assert {count: is_clipped(parts) for count, parts in pages.items()} == {10: False, 1_000: True}


@templates
def test_subject_and_preheader_fit_a_phone_with_the_longest_values(name):
    for mail in mails()[name]:
        assert 1 <= len(mail.parts["subject"]) <= 50, mail.parts["subject"]
        assert 40 <= len(mail.parts["preheader"]) <= 90, mail.parts["preheader"]


@templates
def test_links_are_whole_and_safe(name):
    for mail in mails()[name]:
        links = [unescape(link) for link in LINK.findall(mail.parts["html"])]
        assert [link for link in links if not link.startswith(("https://", "mailto:"))] == []


@templates
def test_every_picture_has_words_and_a_size(name):
    for mail in mails()[name]:
        for tag in re.findall(r"<img\b[^>]*>", mail.parts["html"]):
            assert re.search(r'\balt="[^"]+"', tag), tag
            assert re.search(r'\bwidth="\d+"', tag), tag


@templates
def test_amounts_are_written_as_the_language_does(name):
    for mail in mails()[name]:
        for text in (prose(mail.parts["html"]), mail.parts["text"]):
            wrong = (
                r"€\s?\d|\d\.\d\d\s?€|\d[  ]?EUR" if mail.locale == "fr" else r"\d,\d\d\s€|\d EUR"
            )
            assert not re.search(wrong, text), re.findall(rf".{{20}}(?:{wrong})", text)


@templates
def test_nothing_of_the_template_is_left_over(name):
    for mail in mails()[name]:
        for text in (prose(mail.parts["html"]), mail.parts["text"], mail.parts["subject"]):
            assert not re.search(r"\{[{%]|[%}]\}|\bNone\b|\bundefined\b|<[a-z]", text)


@templates
def test_the_text_part_says_what_the_page_says(name):
    """Every word of the page is in the text, and every link that leads somewhere."""
    for mail in mails()[name]:
        text = mail.parts["text"]
        body = re.split(r"<body[^>]*>", mail.parts["html"])[1]
        preheader = set(mail.parts["preheader"].split())
        missing = set(re.findall(r"\w+", prose(body))) - set(re.findall(r"\w+", text))
        assert missing <= {word for each in preheader for word in re.findall(r"\w+", each)}
        for link in re.findall(r'href="([^"]+)"', body):
            assert unescape(link) in text


@templates
def test_nobody_is_called_tu(name):
    for mail in mails()[name]:
        if mail.locale == "fr":
            assert familiar(mail.parts) == []


def familiar(parts):
    """The words of a French mail by which only friends speak to each other."""
    text = f"{parts['subject']} {parts['preheader']} {prose(parts['html'])} {parts['text']}"
    return re.findall(
        r"\b(?:tu|te|toi|ton|ta|tes|tien(?:ne)?s?|t['\u2019]\w+)\b", text, re.IGNORECASE
    )


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("Ton panier t\u2019attend.", ["Ton", "t\u2019attend"]),
        ("Tu l&#39;as oublié&nbsp;?", ["Tu"]),
        ("<b>TES</b> achats, et les tiens", ["TES", "tiens"]),
        (
            "Votre panier vous attend&nbsp;: y a-t-il un souci de <i>taille</i>, de teinte&nbsp;?",
            [],
        ),
    ],
)
def test_a_mail_that_calls_somebody_tu_is_noticed(pack, said, found):
    templates = pack("cart/friend", "fr", f"<mj-text>{said}</mj-text>")
    parts = templates.render("cart/friend", "email", "fr", {"lines": []})
    # On the page, and again in the text that is made of it.
    assert familiar(parts) == found * 2


@pytest.fixture
def pack(tmp_path):
    """Makes a pack of one mail with this body."""

    def make(name, locale, body):
        path = tmp_path / name / f"email.{locale}.mjml"
        path.parent.mkdir(parents=True)
        front = 'subject: "Un mot"\npreheader: "Un mot"\npurposes: [service]\nvariables: [lines]\n'
        mjml = "<mjml><mj-body><mj-section><mj-column>{}</mj-column></mj-section></mj-body></mjml>"
        path.write_text(f"---\n{front}---\n{mjml.format(body)}", encoding="utf-8")
        templates, problems = load_templates(tmp_path, locale=locale)
        assert problems == []
        return templates

    return make


@pytest.mark.parametrize(
    ("reviews_at", "page"),
    [
        ("shop", "https://boutique.example/p/lum-101#"),
        ("maker", "https://maker.example/lamp"),
        ("https://avis.example/boutique", "https://avis.example/boutique"),
    ],
)
def test_reviews_are_asked_for_where_the_shop_collects_them(reviews_at, page):
    item = {
        "sku": "LUM-101",
        "name": "Lampe",
        "url": "https://boutique.example/p/lum-101",
        "brand_url": "https://maker.example/lamp",
    }
    given = {
        "first_name": "",
        "items": [item],
        "order_url": "https://boutique.example/o/1",
        "reviews_at": reviews_at,
        "shop": {},
    }
    for locale in LOCALES:
        text = PROJECT.templates.render("review/ask", "email", locale, given)["text"]
        assert page in text


def test_points_are_told_with_what_they_are_worth():
    given = {"first_name": "", "balance": 240, "worth": 12.5, "points_url": "https://b.example/"}
    told = {
        locale: PROJECT.templates.render("loyalty/points-statement", "email", locale, given)["text"]
        for locale in LOCALES
    }
    assert "soit 12,50\u00a0€." in told["fr"]
    assert "worth €12.50." in " ".join(told["en"].split())
