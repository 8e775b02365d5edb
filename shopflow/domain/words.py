"""Texts of a shop's own in several languages, as rules give them: `{fr: Nos offres, en: …}`."""

from __future__ import annotations

from collections.abc import Mapping

#: A text by its language.
Words = Mapping[str, str]


def in_language(words: Words, locale: str) -> str:
    """The text in the locale, its language, or any; empty where there is none."""
    language = locale.partition("-")[0]
    return words.get(locale) or words.get(language) or next(iter(words.values()), "")
