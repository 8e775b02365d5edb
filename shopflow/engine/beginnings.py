"""What has to begin for every customer before a segment can be entered or left."""

from __future__ import annotations

from dataclasses import dataclass

from shopflow.domain.ids import WorkflowId
from shopflow.domain.ruleset import Ruleset
from shopflow.domain.trait import Segment
from shopflow.domain.trigger import SegmentTrigger
from shopflow.domain.workflow import Status
from shopflow.engine.interest import backfill_mark, segment_mark

_STARTING = frozenset({Status.LIVE, Status.SHADOW})
#: A pause is no new beginning: who enters meanwhile is a member when the rule goes on.
_WATCHING = _STARTING | {Status.PAUSED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """A workflow that asks for those who are in its segment already."""

    mark: str
    segment: str


class Beginnings:
    """The marks of a ruleset; a customer keeps those of what has begun."""

    __slots__ = ("asking", "backfills", "everything", "segments", "timed", "watched")

    def __init__(self, ruleset: Ruleset) -> None:
        starting = [
            (workflow, trigger)
            for workflow in ruleset.workflows.values()
            if isinstance(trigger := workflow.trigger, SegmentTrigger)
        ]
        names = {trigger.segment for flow, trigger in starting if flow.status in _WATCHING}
        #: The segments that may be entered and left.
        self.watched: tuple[Segment, ...] = tuple(
            ruleset.segments[name] for name in sorted(names) if name in ruleset.segments
        )
        #: The mark of each, which is another one when the segment is defined otherwise.
        self.segments = {one.name: segment_mark(ruleset, one) for one in self.watched}
        self.timed = frozenset(self.segments[one.name] for one in self.watched if one.timed)
        self.backfills: dict[WorkflowId, Backfill] = {
            flow.id: Backfill(mark=backfill_mark(flow.id), segment=trigger.segment)
            for flow, trigger in starting
            if trigger.backfill and flow.status in _STARTING
        }
        self.everything = frozenset(
            (*self.segments.values(), *(one.mark for one in self.backfills.values()))
        )
        #: Of every workflow that asks, also of those that rest: what has begun stays begun.
        self.asking = frozenset(backfill_mark(flow.id) for flow, one in starting if one.backfill)

    @property
    def concern_all(self) -> bool:
        """A deploy may concern customers by what they are, before anything happens to them."""
        return bool(self.backfills or self.timed)
