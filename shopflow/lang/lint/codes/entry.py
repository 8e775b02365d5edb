"""What a code means: how severe it is, what it is called, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass

from shopflow.problem import Severity


@dataclass(frozen=True, slots=True)
class Entry:
    """One code of lint."""

    severity: Severity
    title: str
    explanation: str


def error(title: str, explanation: str) -> Entry:
    """A code that fails lint."""
    return Entry(Severity.ERROR, title, explanation)


def warning(title: str, explanation: str) -> Entry:
    """A code that asks for attention."""
    return Entry(Severity.WARNING, title, explanation)
