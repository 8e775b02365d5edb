"""Finding somebody's addresses in the text of rows that are about others."""

from __future__ import annotations

import json
import re
from collections.abc import Collection

#: What an address may go on with, so that it is part of a longer one.
_BEFORE, _AFTER = r"(?<![\w.%+@-])", r"(?![\w@-]|\.\w)"


def pattern_of(words: Collection[str]) -> re.Pattern[str]:
    """Finds the words, as plain text and as JSON has them, in whatever case."""
    forms = {form for word in words for form in (word, json.dumps(word)[1:-1])}
    each = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
    return re.compile(f"{_BEFORE}(?:{each}){_AFTER}", re.IGNORECASE)


def blanked(sought: re.Pattern[str], text: str, blank: str) -> str:
    """The text with the blank where a word stood."""
    return sought.sub(lambda _: blank, text)
