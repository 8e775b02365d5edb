"""What somebody writes who wants no more, in French and in English."""

from __future__ import annotations

import re

_STOP = re.compile(
    r"\W*(?:stop(?:\s*(?:all|sms|pub|mail))?|stopall|arr[eêé]te?[rz]?|unsubscribe|remove me|"
    r"d[eé]sinscription|(?:me )?d[eé]sinscrire|(?:me )?d[eé]sabonner)\W*",
    re.IGNORECASE,
)


def is_stop(text: str) -> bool:
    """True when the first line that says something says nothing but that."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return _STOP.fullmatch(first) is not None
