"""What a test names has to exist: looking a name up, and the complaint where it is not there."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from shopflow.lang.lengths import parse_length
from shopflow.lang.names import did_you_mean


class Unusable(Exception):  # noqa: N818 - no error of a program: whoever reads tests reports it
    """A test asks for what cannot be had."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def known(what: str, name: str, names: Iterable[str]) -> str:
    """The name, if it is one of these; raises Unusable."""
    if name not in names:
        raise Unusable(f"no {what} named '{name}'", did_you_mean(name, names, label=f"{what}s"))
    return name


def length_of(text: str) -> timedelta:
    """The length of time that a test writes; raises Unusable."""
    length = parse_length(text)
    if length is None:
        raise Unusable(f"'{text}' is no length of time", "write 45m, 1h, 7d or 1d12h")
    return length
