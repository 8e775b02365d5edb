"""Words about names: the nearest right one, and lists of what there is."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches

#: From here on, of 1, two names are one and a slip of the keyboard.
_CERTAIN = 0.85


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant; None when nothing is near."""
    candidates = sorted(known)
    if name.lower() in candidates:
        return name.lower()
    found = get_close_matches(name, candidates, n=1, cutoff=0.7)
    return found[0] if found else None


def certainly(name: str, known: Iterable[str]) -> str | None:
    """The known name that was meant; None where none is very near, or several are as near.

    A slip of the keyboard is certain. Another word (`paid` for `placed`) or number is not.
    """
    ranked = sorted(((_likeness(name, each), each) for each in known), reverse=True)[:2]
    if not ranked or ranked[0][0] < _CERTAIN:
        return None
    alone = len(ranked) == 1 or ranked[1][0] < ranked[0][0]
    return ranked[0][1] if alone else None


def _likeness(one: str, other: str) -> float:
    """From 0, nothing alike, to 1, where only case, underscores or the order of letters differ."""
    one, other = (each.lower().replace("_", "") for each in (one, other))
    if [each for each in one if each.isdigit()] != [each for each in other if each.isdigit()]:
        return 0.0
    if sorted(one) == sorted(other):
        return 1.0
    return SequenceMatcher(None, other, one).ratio()


def did_you_mean(name: str, known: Iterable[str], *, label: str = "known") -> str:
    """The hint for a name that does not exist: the nearest one, or what there is."""
    names = sorted(known)
    close = nearest(name, names)
    if close:
        return f"did you mean '{close}'?"
    return f"{label}: {listing(names)}" if names else f"{label}: none"


def listing(names: Iterable[str], most: int = 12) -> str:
    """The names with commas, cut where it gets long."""
    every = list(names)
    text = ", ".join(every[:most])
    return f"{text}, … ({len(every)} in all)" if len(every) > most else text
