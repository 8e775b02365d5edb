"""What a replay of events came to, workflow by workflow: the tally of its effects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from shopflow.domain.journal import (
    DeadLetter,
    Effect,
    EndReason,
    JournalEntry,
    Kind,
    Queue,
    Requeue,
)
from shopflow.domain.message import Message


@dataclass(slots=True)
class WorkflowTally:
    """What one workflow did."""

    entered: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    sends: Counter[str] = field(default_factory=Counter)
    drops: Counter[str] = field(default_factory=Counter)
    holds: Counter[str] = field(default_factory=Counter)
    #: Conditions and values that failed at run time, and so did not match.
    errors: int = 0

    def as_json(self) -> dict[str, object]:
        """The counts as plain values."""
        counts: dict[str, Mapping[str, int]] = {
            "ended": self.ended,
            "sends": self.sends,
            "drops": self.drops,
            "holds": self.holds,
        }
        return {
            "entered": self.entered,
            **{name: dict(sorted(count.items())) for name, count in counts.items()},
            "errors": self.errors,
        }


class Tally:
    """Counts effects, and keeps the messages that would leave."""

    def __init__(self, workflows: Mapping[str, object]) -> None:
        self.workflows = {name: WorkflowTally() for name in sorted(workflows)}
        self.messages: list[Message] = []
        #: Traits and the like, which belong to no workflow.
        self.other_errors = 0
        self.loops = 0

    @property
    def errors(self) -> int:
        """All conditions and values that failed at run time."""
        return self.other_errors + sum(one.errors for one in self.workflows.values())

    def take(self, effect: Effect) -> None:
        """The effect is counted."""
        match effect:
            case JournalEntry():
                self._note(effect)
            # Where the events are the clock, a message called back was on hold and never counted.
            case Queue(message=message) | Requeue(message=message):
                self.messages.append(message)
                self._of(message.workflow).sends[message.channel] += 1
            case DeadLetter():
                self.loops += 1
            case _:
                pass

    def _note(self, entry: JournalEntry) -> None:
        if entry.kind is Kind.ERROR and entry.workflow is None:
            self.other_errors += 1
        if entry.workflow is None:
            return
        tally = self._of(entry.workflow)
        match entry.kind:
            case Kind.ENTERED:
                tally.entered += 1
                if entry.reason == EndReason.RESTARTED:
                    tally.ended[EndReason.RESTARTED.value] += 1
            case Kind.EXITED:
                tally.ended[entry.reason] += 1
            case Kind.DROPPED:
                tally.drops[entry.reason] += 1
            case Kind.HELD:
                tally.holds[entry.reason] += 1
            case Kind.ERROR:
                tally.errors += 1
            case _:
                pass

    def _of(self, workflow: str) -> WorkflowTally:
        # Retired ones may still end; making a tally only to throw it away would be half the cost.
        if workflow not in self.workflows:
            self.workflows[workflow] = WorkflowTally()
        return self.workflows[workflow]
