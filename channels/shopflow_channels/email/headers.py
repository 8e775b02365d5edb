"""Header values and addresses as bytes-safe text: folding, encoded words, what is refused."""

from __future__ import annotations

import re
from base64 import b64encode
from functools import lru_cache

import idna

#: A line of a header may be this long, RFC 5322 asks for 78 without its line end.
_LINE = 76
#: What `=?utf-8?b?…?=` costs besides its text.
_WRAPPING = 12
#: A word without a space that is longer than this cannot be folded and is encoded instead.
_LONGEST_PLAIN_WORD = 70

_PLAIN = re.compile(r"[\x20-\x7e]*")
#: Controls, line and paragraph separators, lone surrogates: nothing a header should say.
_UNSPEAKABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_ATEXT = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}")
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_QUOTABLE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
_LONGEST_ADDRESS = 254


def one_line(text: str) -> str:
    """The text on one line: a newline in a subject or a name cannot begin another header."""
    return _UNSPEAKABLE.sub(" ", text).strip()


def unstructured(name: str, text: str) -> str:
    """A whole header line such as `Subject: …`, folded, encoded where it is not plain ASCII."""
    return f"{name}: {_folded(one_line(text), len(name) + 2)}\r\n"


@lru_cache(maxsize=256)
def mailbox(display_name: str, address: str) -> str:
    """`Name <address>` for From and Reply-To; the address has passed `checked_address`."""
    name = one_line(display_name)
    if not name:
        return address
    if _PLAIN.fullmatch(name) and len(name) <= _LONGEST_PLAIN_WORD and "=?" not in name:
        if not _QUOTABLE.fullmatch(name):
            name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    else:
        name = _encoded_words(name, len("Reply-To: "))
    return f"{name}\r\n <{address}>" if "\r\n" in name else f"{name} <{address}>"


def checked_address(address: str) -> str:
    """The address in ASCII as the server gets it; empty when no server could take it.

    An international domain is turned into its ASCII form. An international local part needs an
    extension that too few servers have, and is refused.
    """
    local, at, domain = address.rpartition("@")
    if not at or not _ATEXT.fullmatch(local):
        return ""
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except idna.IDNAError:
            return ""
    labels = domain.split(".")
    if not all(_LABEL.fullmatch(label) for label in labels):
        return ""
    whole = f"{local}@{domain}"
    return whole if len(whole) <= _LONGEST_ADDRESS else ""


def _folded(text: str, used: int) -> str:
    if not _PLAIN.fullmatch(text) or "=?" in text or _has_long_word(text):
        return _encoded_words(text, used)
    if used + len(text) <= _LINE:
        return text
    lines, line = [], ""
    # Splitting before each single run of spaces keeps every space when the lines are joined again.
    for piece in re.findall(r" *[^ ]+", text):
        if line and used + len(line) + len(piece) > _LINE:
            lines.append(line)
            line, used = "", 0
        line += piece
    return "\r\n".join([*lines, line])


def _has_long_word(text: str) -> bool:
    return len(text) > _LONGEST_PLAIN_WORD and any(
        len(piece) > _LONGEST_PLAIN_WORD for piece in re.findall(r" *[^ ]+", text)
    )


def _encoded_words(text: str, used: int) -> str:
    words, chunk, room = [], b"", (_LINE - _WRAPPING - used) // 4 * 3
    for char in text:
        encoded = char.encode()
        if chunk and len(chunk) + len(encoded) > room:
            words.append(chunk)
            chunk, room = b"", (_LINE - _WRAPPING - 1) // 4 * 3
        chunk += encoded
    words.append(chunk)
    return "\r\n ".join(f"=?utf-8?b?{b64encode(word).decode('ascii')}?=" for word in words)
