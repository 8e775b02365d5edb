"""The values of number, string and bytes literals."""

from __future__ import annotations

import re

from shopflow.lang.cel.values import INT_MAX, UINT_MAX, Uint

TOO_BIG = "this number does not fit 64 bits"

_ESCAPE = re.compile(
    r"\\(?:(?P<x>[xX][0-9a-fA-F]{2})|(?P<u>u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})"
    r"|(?P<o>[0-3][0-7]{2})|(?P<c>(?s:.)))"
)
_PLAIN = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    "?": "?",
    '"': '"',
    "'": "'",
    "`": "`",
}


def integer(text: str) -> int:
    """An int literal's value, without sign; raises ValueError beyond 64 bits."""
    value = int(text, 16) if text.startswith("0x") else int(text)
    # One more than the largest: -9223372036854775808 is a minus and this literal.
    if value > INT_MAX + 1:
        raise ValueError(TOO_BIG)
    return value


def unsigned(text: str) -> Uint:
    """A uint literal's value; raises ValueError beyond 64 bits."""
    digits = text[:-1]
    value = int(digits, 16) if digits.startswith("0x") else int(digits)
    if value > UINT_MAX:
        raise ValueError(TOO_BIG)
    return Uint(value)


def string(text: str) -> str:
    """A string literal's value; raises ValueError at an escape CEL does not know."""
    raw, body = _body(text)
    if raw:
        return body
    return _ESCAPE.sub(_character, body)


def octets(text: str) -> bytes:
    """A bytes literal's value; raises ValueError at an escape CEL does not know."""
    raw, body = _body(text[1:])
    if raw:
        return body.encode()
    parts: list[bytes] = []
    position = 0
    for match in _ESCAPE.finditer(body):
        parts += [body[position : match.start()].encode(), _octet(match)]
        position = match.end()
    return b"".join([*parts, body[position:].encode()])


def _body(text: str) -> tuple[bool, str]:
    raw = text[0] in "rR"
    quoted = text[1:] if raw else text
    width = 3 if quoted[:3] in {'"""', "'''"} else 1
    return raw, quoted[width:-width].replace("\r\n", "\n")


def _character(match: re.Match[str]) -> str:
    if match["c"]:
        return _plain(match["c"])
    code = int(match["o"], 8) if match["o"] else int((match["x"] or match["u"])[1:], 16)
    if 0xD800 <= code <= 0xDFFF or code > 0x10FFFF:  # noqa: PLR2004 - Unicode's own bounds
        raise ValueError(f"{match.group()} is no character")
    return chr(code)


def _octet(match: re.Match[str]) -> bytes:
    if match["c"]:
        return _plain(match["c"]).encode()
    if match["u"]:
        raise ValueError(f"{match.group()} does not belong in bytes")
    return bytes([int(match["o"], 8) if match["o"] else int(match["x"][1:], 16)])


def _plain(char: str) -> str:
    if char not in _PLAIN:
        raise ValueError(f"unknown escape \\{char}")
    return _PLAIN[char]
