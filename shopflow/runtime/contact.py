"""Addresses as people write them, and the one form in which they are kept; nothing is looked up."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from shopflow.engine.profile import CONTACT_EVENTS, PROFILE_EVENTS, UNUSABLE

#: Where numbers are from that are written without their country, by the project's language.
_REGIONS = {"fr": "FR", "en": "GB", "de": "DE", "es": "ES", "it": "IT", "nl": "NL"}
DEFAULT_REGION = "FR"
#: Events that say where their customer is to be reached, by these fields.
TELLING = PROFILE_EVENTS | CONTACT_EVENTS
EMAIL, PHONE = "email", "phone"
#: What nearly every address is; whatever else is looked at more closely.
_PLAIN = re.compile(
    r"(?=.{6,254}\Z)(?=.{1,64}@)[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*"
    r"@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}"
)


def region_of(locale: str) -> str:
    """The country of numbers that are written without one: the locale's, or its language's."""
    language, _, country = locale.replace("_", "-").partition("-")
    named = country.upper()
    if named in phonenumbers.SUPPORTED_REGIONS:
        return named
    return _REGIONS.get(language.lower(), DEFAULT_REGION)


def email_address(text: str) -> str:
    """The address as it is kept; empty for what is none."""
    return text if _PLAIN.fullmatch(text) else _validated(text)


@lru_cache(maxsize=4096)
def _validated(text: str) -> str:
    try:
        found = validate_email(text.strip(), check_deliverability=False)
    except EmailNotValidError:
        return ""
    return found.normalized


@lru_cache(maxsize=4096)
def phone_number(text: str, region: str) -> str:
    """The number in international form (E.164), such as +33612345678; empty for what is none."""
    return _valid(text, region)


def provider_number(text: str, region: str) -> str:
    """The same for a number as providers write it, many of them without the plus sign."""
    return _valid(f"+{text.strip().lstrip('+')}", region) or phone_number(text, region)


def checked(event_type: str, data: Mapping[str, object], region: str) -> Mapping[str, object]:
    """The data with each address in the form that it is kept in, and without those that are none.

    What was none is named under `unusable_addresses`: the event is good all the same.
    """
    if event_type not in TELLING or not (EMAIL in data or PHONE in data):
        return data
    country = data.get("country")
    where = country.upper() if isinstance(country, str) else ""
    home = where if where in phonenumbers.SUPPORTED_REGIONS else region
    changed: dict[str, object] = dict(data)
    unusable = []
    for name in (EMAIL, PHONE):
        given = data.get(name)
        # Nothing is no address that would be wrong: many shops send it for who has none.
        if not isinstance(given, str) or not given.strip():
            continue
        kept = email_address(given) if name == EMAIL else phone_number(given, home)
        if kept:
            changed[name] = kept
        else:
            del changed[name]
            unusable.append(name)
    return {**changed, UNUSABLE: unusable} if unusable else changed


def _valid(text: str, region: str) -> str:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_valid_number(number):
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
