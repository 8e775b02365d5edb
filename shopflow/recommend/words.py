"""Words as searches and products have them, each in the one form that both are looked up by."""

from __future__ import annotations

import re
import unicodedata

_WORD = re.compile(r"[^\W_]+")
#: Words that say nothing of a product, in the languages that the starter pack speaks.
_EMPTY = frozenset(
    {
        *("a", "an", "and", "for", "in", "of", "on", "or", "the", "to", "with"),
        *("avec", "de", "des", "du", "en", "et", "la", "le", "les", "ou", "pour", "sans", "un"),
        "une",
    }
)
#: English endings that take an e before the s.
_HISSING = ("ches", "shes", "sses", "xes")
#: A shorter word is no plural.
_SHORTEST_PLURAL = 4


def words_of(text: str) -> list[str]:
    """The words of a text in its order: small letters, no accents, no plural s, each once."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    found = (_singular(word) for word in _WORD.findall(plain) if word not in _EMPTY)
    return list(dict.fromkeys(word for word in found if len(word) > 1 or word.isdigit()))


def _singular(word: str) -> str:
    if len(word) < _SHORTEST_PLURAL or word.endswith("ss"):
        return word
    if word.endswith(_HISSING):
        return word[:-2]
    return word[:-1] if word.endswith(("s", "aux", "eux", "oux")) else word
