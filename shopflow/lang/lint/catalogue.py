"""Every code that lint knows, with its meaning; each has a heading in docs/rules.md."""

from __future__ import annotations

from collections.abc import Mapping

from shopflow.lang.lint.codes import conditions, files, sending
from shopflow.lang.lint.codes.entry import Entry

__all__ = ["CATALOGUE", "Entry"]

#: Code -> what it means.
CATALOGUE: Mapping[str, Entry] = {**files.CODES, **conditions.CODES, **sending.CODES}
