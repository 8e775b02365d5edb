"""String functions: CEL's own and those of its strings extension that conditions need."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal

from shopflow.lang.cel.arithmetic import bounded
from shopflow.lang.cel.operators import no_overload

_UPPER = {code: code - 32 for code in range(ord("a"), ord("z") + 1)}
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
#: Unicode's White_Space property; str.strip alone also takes the separators U+001C to U+001F.
_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
#: From this exponent on a double is written with one.
_EXPONENT_FROM = 6
_EXPONENT_BELOW = -4


def _text(name: str, value: object, *others: object) -> str:
    if isinstance(value, str):
        return value
    raise no_overload(name, value, *others)


def _position(name: str, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    raise no_overload(name, value)


def _within(position: int, length: int) -> int:
    if 0 <= position <= length:
        return position
    raise IndexError(f"index out of range: {position}")


def starts_with(text: object, prefix: object) -> bool:
    """Whether the text begins with the prefix."""
    return _text("startsWith", text).startswith(_text("startsWith", prefix))


def ends_with(text: object, suffix: object) -> bool:
    """Whether the text ends with the suffix."""
    return _text("endsWith", text).endswith(_text("endsWith", suffix))


def contains(text: object, part: object) -> bool:
    """Whether the part occurs in the text."""
    return _text("contains", part) in _text("contains", text)


def char_at(text: object, position: object) -> str:
    """The character at a position; empty at the very end."""
    whole = _text("charAt", text)
    at = _within(_position("charAt", position), len(whole))
    return whole[at : at + 1]


def index_of(text: object, part: object, start: object = 0) -> int:
    """Where the part first occurs from start on, or -1."""
    whole, wanted = _text("indexOf", text), _text("indexOf", part)
    at = _position("indexOf", start)
    return whole.find(wanted, _within(at, len(whole)))


def last_index_of(text: object, part: object, start: object = None) -> int:
    """Where the part last occurs, beginning at start or before, or -1."""
    whole, wanted = _text("lastIndexOf", text), _text("lastIndexOf", part)
    if start is None:
        return whole.rfind(wanted)
    at = _within(_position("lastIndexOf", start), len(whole))
    return whole.rfind(wanted, 0, at + len(wanted))


def lower_ascii(text: object) -> str:
    """The text with A to Z in lower case, all else unchanged."""
    return _text("lowerAscii", text).translate(_LOWER)


def upper_ascii(text: object) -> str:
    """The text with a to z in upper case, all else unchanged."""
    return _text("upperAscii", text).translate(_UPPER)


def replace(text: object, old: object, new: object, limit: object = -1) -> str:
    """The text with the first ``limit`` occurrences replaced; all when limit is negative."""
    whole = _text("replace", text)
    before, after = _text("replace", old), _text("replace", new)
    times = _position("replace", limit)
    return bounded(whole.replace(before, after, max(times, -1)))


def split(text: object, separator: object, limit: object = -1) -> list[object]:
    """The parts between separators, at most ``limit`` of them; all when limit is negative."""
    whole, between = _text("split", text), _text("split", separator)
    parts = _position("split", limit)
    if parts == 0:
        return []
    if between:
        return list(whole.split(between, parts - 1 if parts > 0 else -1))
    if 0 < parts < len(whole):
        return [*whole[: parts - 1], whole[parts - 1 :]]
    return list(whole)


def substring(text: object, start: object, end: object = None) -> str:
    """The characters from start up to end, or to the text's end."""
    whole = _text("substring", text)
    first = _within(_position("substring", start), len(whole))
    last = len(whole) if end is None else _within(_position("substring", end), len(whole))
    if first > last:
        raise IndexError(f"invalid substring range: {first} to {last}")
    return whole[first:last]


def trim(text: object) -> str:
    """The text without white space at its ends."""
    return _text("trim", text).strip(_SPACE)


def reverse(text: object) -> str:
    """The characters in reverse order."""
    return _text("reverse", text)[::-1]


def join(parts: object, separator: object = "") -> str:
    """The strings of a list, one after the other."""
    if not isinstance(parts, list):
        raise no_overload("join", parts)
    return bounded(_text("join", separator).join(_text("join", part) for part in parts))


def format_double(value: float) -> str:
    """The shortest text that reads back as the same double, in C's %g manner."""
    if not math.isfinite(value):
        return str(value)
    exact = Decimal(repr(value)).normalize()
    exponent = exact.adjusted()
    if value == 0 or _EXPONENT_BELOW <= exponent < _EXPONENT_FROM:
        return f"{exact:f}"
    digits = "".join(map(str, exact.as_tuple().digits))
    mantissa = f"{digits[0]}.{digits[1:]}" if digits[1:] else digits
    return f"{'-' if value < 0 else ''}{mantissa}e{exponent:+03d}"


FUNCTIONS: dict[str, Callable[..., object]] = {
    "startsWith": starts_with,
    "endsWith": ends_with,
    "contains": contains,
    "charAt": char_at,
    "indexOf": index_of,
    "lastIndexOf": last_index_of,
    "lowerAscii": lower_ascii,
    "upperAscii": upper_ascii,
    "replace": replace,
    "split": split,
    "substring": substring,
    "trim": trim,
    "reverse": reverse,
    "join": join,
}
