"""Words about names: the nearest right one, and lists of what there is."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant; None when nothing is near."""
    candidates = sorted(known)
    if name.lower() in candidates:
        return name.lower()
    found = get_close_matches(name, candidates, n=1, cutoff=0.7)
    return found[0] if found else None


def did_you_mean(name: str, known: Iterable[str], *, label: str = "known") -> str:
    """The hint for a name that does not exist: the nearest one, or what there is."""
    names = sorted(known)
    close = nearest(name, names)
    if close:
        return f"did you mean '{close}'?"
    return f"{label}: {listing(names)}" if names else f"there is none {label}"


def listing(names: Iterable[str], most: int = 12) -> str:
    """The names with commas, cut where it gets long."""
    every = list(names)
    text = ", ".join(every[:most])
    return f"{text}, … ({len(every)} in all)" if len(every) > most else text
