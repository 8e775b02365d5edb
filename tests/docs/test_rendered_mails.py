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

from shopflow.gitops.rehearsal import Stage
from shopflow.gitops.scenario import read_scenarios
from shopflow.rulebook import load_project

ROOT = Path(__file__).parents[2]
LOCALES = ("fr", "en")
#: Gmail cuts off what is longer than 102 kB, and the footer comes on top.
LONGEST_PAGE = 100_000
#: The longest values that a shop may well have.
LONG = {
    "first_name": "Marie-Charlotte Élisabeth",
    "name": "Fauteuil à bascule en chêne massif et lin lavé, coussins déhoussables compris",
    "code": "ANNIVERSAIRE15-K7Q2ZX9B",
    "order_id": "2026-03-0001-234567-FR",
    "carrier": "Transports Dupont-Lefèvre Express",
}
PICTURE = "https://boutique.example/images/produit.jpg"
#: Gmail and Outlook understand no other links.
LINK = re.compile(r'(?:href|src)="([^"]*)"')
PROJECT = load_project(ROOT, env={}).require()


@dataclass(frozen=True)
class Mail:
    """One template, written once."""

    locale: str
    parts: dict
    stretched: bool


def stretched(value, key=""):
    """The value with the longest texts in it, and thirty of each product."""
    match value:
        case dict():
            longer = {name: stretched(inner, name) for name, inner in value.items()}
            if "sku" in longer:
                longer |= {"image_url": PICTURE, "quantity": 12, "price": 12490.9}
            return longer
        case list() if value and isinstance(value[0], dict):
            return [stretched(inner, key) for inner in value] * 30
        case str() if value and key in LONG:
            return LONG[key]
        case _:
            return value


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
        assert len(mail.parts["html"].encode()) < LONGEST_PAGE


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
            text = f"{mail.parts['subject']} {mail.parts['preheader']} {prose(mail.parts['html'])}"
            assert not re.findall(r"\b(?:tu|te|toi|ton|ta|tes)\b", text, re.IGNORECASE)


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
