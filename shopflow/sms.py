"""Short messages: how many segments a text takes, which letters they have, and the word STOP.

The alphabet and the sizes are those of 3GPP TS 23.038 (formerly GSM 03.38) and TS 23.040. Sending
is a channel's; lint counts by the same functions, so that what it promises is what is billed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gsm0338 import Codec

#: Septets of a text alone, and of each part of a longer one: its header takes seven.
_GSM_ALONE, _GSM_PART = 160, 153
#: The same in UTF-16 units, which carry what the alphabet has not.
_UCS2_ALONE, _UCS2_PART = 70, 67

_CODEC = Codec()
#: What typographers write, as telephones have it.
_STAND_INS: Mapping[str, str] = {
    **dict.fromkeys("\u2018\u2019\u201a\u02bc", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212\u2022\u00b7", "-"),
    **dict.fromkeys("\u00a0\u202f\u2009\u2002\u2003\t", " "),
    "\u2026": "...",
    "\u0153": "oe",
    "\u0152": "OE",
    "\u00d7": "x",
}
#: How a text says that one can stop it, by language. The number is the shop's.
_STOP: Mapping[str, str] = {"fr": "STOP au {}", "en": "STOP to {}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What a text takes on its way."""

    #: Septets of the GSM alphabet, or UTF-16 units where it does not do.
    units: int
    segments: int
    #: Letters that the GSM alphabet does not have, each once; with one the text is sent as UCS-2.
    foreign: str = ""


def size(text: str) -> Size:
    """The size of the text as it stands."""
    foreign = "".join(dict.fromkeys(letter for letter in text if not _septets(letter)))
    if foreign:
        units = [len(letter.encode("utf-16-be", "surrogatepass")) // 2 for letter in text]
        return _sized(units, _UCS2_ALONE, _UCS2_PART, foreign)
    return _sized([_septets(letter) for letter in text], _GSM_ALONE, _GSM_PART, "")


def plain(text: str) -> str:
    """The text with letters of the GSM alphabet where others can be spared: `ç` becomes `c`.

    What has no stand-in stays, such as emoji or Cyrillic.
    """
    return "".join(letter if _septets(letter) else _stand_in(letter) for letter in text)


def altered(text: str) -> str:
    """The letters that lose an accent in `plain`, each once; typography is not among them."""
    return "".join(
        dict.fromkeys(
            letter
            for letter in text
            if not _septets(letter) and letter not in _STAND_INS and _stand_in(letter) != letter
        )
    )


def stop_mention(locale: str, number: str) -> str:
    """How to stop messages of this kind, as French law wants it in each (CPCE, article L34-5)."""
    language = locale.partition("-")[0].partition("_")[0]
    return _STOP.get(language, _STOP["en"]).format(number)


def with_stop(text: str, locale: str, number: str) -> str:
    """The text, and how to stop it."""
    return f"{text.rstrip()} {stop_mention(locale, number)}"


def _septets(letter: str) -> int:
    """What the letter takes in the GSM alphabet; 0 when it is not there."""
    try:
        return len(_CODEC.encode(letter)[0])
    except UnicodeEncodeError:
        return 0


def _stand_in(letter: str) -> str:
    if letter in _STAND_INS:
        return _STAND_INS[letter]
    apart = unicodedata.normalize("NFKD", letter)
    bare = "".join(each for each in apart if not unicodedata.combining(each))
    return bare if bare and all(map(_septets, bare)) else letter


def _sized(units: Sequence[int], alone: int, part: int, foreign: str) -> Size:
    total = sum(units)
    segments, room = 1, alone if total <= alone else part
    for each in units:
        # No letter is torn apart: an escaped one or an emoji goes to the next part whole.
        if each > room:
            segments, room = segments + 1, part
        room -= each
    return Size(units=total, segments=segments, foreign=foreign)
