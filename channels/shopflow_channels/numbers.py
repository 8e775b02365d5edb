"""Telephone numbers as addresses: one form for every channel that reaches a telephone."""

from __future__ import annotations

import re

from shopflow.channel import FailureReason, Receipt

#: E.164: a plus, the country, the number; fifteen digits at most.
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
_SPACING = str.maketrans("", "", " .-()/\u00a0")


def number_of(address: str) -> str:
    """The number in international form, without what people write between digits; else empty."""
    number = address.translate(_SPACING)
    return number if _NUMBER.fullmatch(number) else ""


def no_number() -> Receipt:
    """The receipt of a message to what is no number."""
    detail = "no telephone number in international form"
    return Receipt.failed(FailureReason.BAD_ADDRESS, retryable=False, detail=detail)
