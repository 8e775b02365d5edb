"""What rules want to know, worked out before anything happens: of events, and of customers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from shopflow.domain.ids import WorkflowId, derive
from shopflow.domain.policy import SoftOptIn
from shopflow.domain.ruleset import Ruleset
from shopflow.domain.trait import Segment, Trait

#: Names of a customer that are neither attributes nor traits.
_NOT_TOLD = frozenset({"", "id", "tags"})


class SoftOptInOffer(NamedTuple):
    """A purpose and a channel for which an event may stand in for an opt-in."""

    purpose: str
    channel: str
    rule: SoftOptIn


@dataclass(frozen=True, slots=True, kw_only=True)
class Interest:
    """What the rules want of events of one type, worked out once."""

    #: The computed traits that such an event may change.
    traits: tuple[Trait, ...]
    #: Payload fields that exits read; None when no exit watches the type.
    exit_fields: frozenset[str] | None
    soft_opt_ins: tuple[SoftOptInOffer, ...]
    #: Some workflow's goal is such an event.
    is_goal: bool


def is_kept(ruleset: Ruleset, path: tuple[str, ...]) -> bool:
    """True for a trait or an attribute that no time changes, but inputs alone."""
    name = path[1] if len(path) > 1 else ""
    trait = ruleset.traits.get(name)
    is_windowed = trait is not None and trait.window is not None
    return path[0] == "customer" and name not in _NOT_TOLD and not is_windowed


def segment_reads(ruleset: Ruleset, watched: Iterable[Segment]) -> frozenset[str]:
    """The traits and attributes that the segments hang on; none where it is anything else."""
    names: set[str] = set()
    pending, seen = list(watched), set[str]()
    while pending:
        segment = pending.pop()
        if segment.name in seen:
            continue
        seen.add(segment.name)
        for path in segment.when.reads:
            name = path[1] if len(path) > 1 else ""
            if path[0] == "segments" and name in ruleset.segments:
                pending.append(ruleset.segments[name])
            elif not is_kept(ruleset, path):
                return frozenset()
            names.add(name)
        if segment.timed:
            return frozenset()
    return frozenset(names)


def segments_digest(ruleset: Ruleset, names: Iterable[str]) -> str:
    """Differs wherever working out a segment could."""
    named = sorted(names)
    if not named:
        return ""
    # A value without repr of its own would not differ where its text does.
    segments = [(name, one.when.source) for name, one in sorted(ruleset.segments.items())]
    return derive("segments", named, segments, _traits(ruleset, named))[:12]


def segment_mark(ruleset: Ruleset, segment: Segment) -> str:
    """Differs wherever the same customer could be in the segment by one definition only."""
    names, conditions = set[str](), {}
    pending = [segment]
    while pending:
        one = pending.pop()
        if one.name in conditions:
            continue
        conditions[one.name] = one.when.source
        for path in one.when.reads:
            root, name = path[0], path[1] if len(path) > 1 else ""
            if root == "segments" and name in ruleset.segments:
                pending.append(ruleset.segments[name])
            elif root == "customer":
                names.add(name)
    traits = _traits(ruleset, sorted(names))
    return derive("segment", segment.name, sorted(conditions.items()), traits)[:8]


def backfill_mark(workflow: WorkflowId) -> str:
    """Stands for the workflow's asking who is in its segment already."""
    return derive("backfill", workflow)[:8]


def _traits(ruleset: Ruleset, names: Iterable[str]) -> list[tuple[object, ...]]:
    return [
        (
            name,
            trait.type,
            trait.pattern,
            trait.aggregate,
            trait.window,
            *(one.source for one in (trait.value, trait.when, trait.by) if one is not None),
        )
        for name in names
        if (trait := ruleset.traits.get(name)) is not None
    ]
