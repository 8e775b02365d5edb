"""A shop's colour made readable: WCAG 2.1 contrast, by its own formula."""

from __future__ import annotations

#: The contrast that level AA asks of text.
AA = 4.5
#: The page that text stands on, at its lightest and darkest.
PAPER = "#f4f2ee"


def readable(colour: str) -> str:
    """The colour, or the lightest darker one that can be read on paper, and white on it."""
    red, green, blue = _channels(colour)
    while contrast(_text(red, green, blue), PAPER) < AA:
        red, green, blue = (int(each * 0.95) for each in (red, green, blue))
    return _text(red, green, blue)


def contrast(one: str, other: str) -> float:
    """The contrast of two colours such as `#33523f`: from 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = (value / 255 for value in _channels(colour))
    linear = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)  # noqa: PLR2004 - WCAG's numbers
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _text(red: int, green: int, blue: int) -> str:
    return f"#{red:02x}{green:02x}{blue:02x}"
