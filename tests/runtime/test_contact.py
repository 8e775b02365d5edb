"""Addresses as people and providers write them, and words that stop."""

from __future__ import annotations

import pytest

from shopflow.runtime.contact import (
    checked,
    email_address,
    phone_number,
    provider_number,
    region_of,
)
from shopflow.runtime.stop_words import is_stop


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("anna@Example.COM", "anna@example.com"),
        (" anna@example.com ", "anna@example.com"),
        ("zoé@exämple.fr", "zoé@exämple.fr"),
        ("anna@", ""),
        ("anna@example", ""),
        ("a b@example.com", ""),
        ("anna@example.com\nBcc: x@example.com", ""),
        ("", ""),
    ],
)
def test_an_email_address_has_one_form(given, kept):
    assert email_address(given) == kept


@pytest.mark.parametrize(
    ("given", "region", "kept"),
    [
        ("06 12 34 56 78", "FR", "+33612345678"),
        ("+33 (0)6.12.34.56.78", "GB", "+33612345678"),
        ("07400 123456", "GB", "+447400123456"),
        ("0612345678", "GB", ""),
        ("12", "FR", ""),
        ("call me", "FR", ""),
        ("", "FR", ""),
    ],
)
def test_a_number_has_one_form(given, region, kept):
    assert phone_number(given, region) == kept


@pytest.mark.parametrize("given", ["33612345678", "+33612345678", "0612345678"])
def test_providers_write_numbers_in_several_ways(given):
    assert provider_number(given, "FR") == "+33612345678"


@pytest.mark.parametrize(
    ("locale", "region"),
    [("fr", "FR"), ("en", "GB"), ("fr-BE", "BE"), ("de_CH", "CH"), ("xx", "FR"), ("en-XX", "GB")],
)
def test_numbers_without_a_country_are_of_the_locale(locale, region):
    assert region_of(locale) == region


@pytest.mark.parametrize(
    "text",
    ["STOP", "stop.", " Stop SMS", "STOPALL", "Arrêt", "ARRET", "arretez!", "Unsubscribe",
     "désinscription", "Me désabonner", "\n\nSTOP\n> cheap today"],
)  # fmt: skip
def test_these_words_stop(text):
    assert is_stop(text)


@pytest.mark.parametrize(
    "text",
    ["", "Please stop by tomorrow", "Don't stop", "STOP is a good song", "START", "non", "arr",
     "l'arrêt de bus", "12 STOP"],
)  # fmt: skip
def test_these_do_not(text):
    assert not is_stop(text)


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        ({"email": "Anna@Example.COM"}, {"email": "Anna@example.com"}),
        ({"phone": "06 12 34 56 78"}, {"phone": "+33612345678"}),
        ({"phone": "07400 123456", "country": "gb"}, {"phone": "+447400123456", "country": "gb"}),
        ({"phone": "0612345678", "country": "X"}, {"phone": "+33612345678", "country": "X"}),
        ({"email": "anna@", "x": 1}, {"x": 1, "unusable_addresses": ["email"]}),
        (
            {"email": "a@b.example, c@d.example", "phone": "none"},
            {"unusable_addresses": ["email", "phone"]},
        ),
        ({"email": "", "phone": None}, {"email": "", "phone": None}),
    ],
)
def test_an_event_keeps_addresses_in_one_form_and_names_those_that_are_none(data, kept):
    assert checked("customer.updated", data, "FR") == kept


def test_an_event_that_tells_of_somebody_elses_address_is_left_as_it_is():
    data = {"email": "nobody at all"}
    assert checked("referral.shared", data, "FR") is data
