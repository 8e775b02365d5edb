"""Digests of compiled rules: equal for equal meaning, whatever the layout of the file.

Comments, key order, quoting and the layout of conditions make no difference. The digest of a
workflow leaves out what does not change the way of an enrolment that is on it: title, owner,
version label and status.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from enum import Enum
from functools import cache, lru_cache

from shopflow.domain.ruleset import Ruleset
from shopflow.domain.workflow import Workflow

DIGITS = 32
#: What stands for itself; most of a workflow does.
_PLAIN = frozenset({bool, float, int, str, type(None)})
_NOT_IDENTITY = frozenset({"digest", "title", "owner", "version", "status", "max_per_hour"})
_TOKENS = re.compile(
    r"""(?P<text>[rRbB]{0,2}(?:\"\"\".*?\"\"\"|'''.*?'''|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'))"""
    r"""|(?P<comment>//[^\n]*)|(?P<space>\s+)|(?P<word>\w+)|(?P<sign>.)""",
    re.DOTALL,
)


@lru_cache(maxsize=16_384)
def canonical_source(source: str) -> str:
    """The condition with its layout taken away: one blank between words, none elsewhere."""
    parts: list[str] = []
    after_word = spaced = False
    for match in _TOKENS.finditer(source):
        kind = match.lastgroup
        if kind in ("space", "comment"):
            spaced = True
            continue
        is_word = kind in ("word", "text")
        if spaced and after_word and is_word:
            parts.append(" ")
        parts.append(match.group())
        after_word, spaced = is_word, False
    return "".join(parts)


def workflow_digest(workflow: Workflow) -> str:
    """The identity of a compiled workflow."""
    content = {
        item.name: _plain(getattr(workflow, item.name))
        for item in fields(workflow)
        if item.name not in _NOT_IDENTITY
    }
    return _digest(content)


def ruleset_digest(ruleset: Ruleset) -> str:
    """The identity of a compiled ruleset: everything in it that decisions depend on."""
    content = {
        item.name: _plain(getattr(ruleset, item.name))
        for item in fields(ruleset)
        if item.name not in {"digest", "retained", "workflows"}
    }
    content["workflows"] = {
        name: [workflow.digest, workflow.version, str(workflow.status)]
        for name, workflow in ruleset.workflows.items()
    }
    return _digest(content)


def value_digest(value: object) -> str:
    """The identity of one compiled thing: a cap, a trait, a coupon, a purpose."""
    return _digest(_plain(value))


def _digest(content: object) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def _plain(value: object) -> object:
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (int, float, str)):
        return value
    if isinstance(value, timedelta):
        return ["length", value.total_seconds()]
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted((_plain(each) for each in value), key=str)
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return _object(value)


def _object(value: object) -> object:
    # An expression, a schedule and a holiday calendar are what their source says.
    if isinstance(source := getattr(value, "source", None), str):
        return ["cel", canonical_source(source)]
    kind = type(value)
    names = _fields(kind)  # type: ignore[arg-type]  # mypy takes no class for hashable
    content = {name: _plain(getattr(value, name)) for name in names}
    return [kind.__name__, content]


@cache
def _fields(kind: type) -> tuple[str, ...]:
    if not is_dataclass(kind):
        raise TypeError(f"no digest of {kind.__name__}")
    return tuple(item.name for item in fields(kind))
