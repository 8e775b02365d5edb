"""What became of the inputs of a batch: an answer each, and a line in the log for those refused."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

log = logging.getLogger("shopflow.process")


class Taken(StrEnum):
    """What became of one input; the words are those of the statistics."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    DEAD_LETTER = "dead_letter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the sender of one input is told."""

    taken: Taken
    event_id: str = ""
    reason: str = ""
    detail: str = ""


@dataclass(slots=True, kw_only=True)
class Totals:
    """What came in during this run."""

    taken: Counter[Taken] = field(default_factory=Counter)
    #: Why inputs became dead letters.
    reasons: Counter[str] = field(default_factory=Counter)
    #: Bytes read and to be read.
    read: int = 0
    size: int = 0

    @property
    def events(self) -> int:
        """All inputs."""
        return self.taken.total()

    def add(self, answers: Sequence[Answer]) -> None:
        """These were taken too."""
        self.taken.update(one.taken for one in answers)
        self.reasons.update(one.reason for one in answers if one.reason)


def tell_refused(stream: str, answers: Sequence[Answer]) -> None:
    """A line for the dead letters among them: how many for which reason, and nothing of what."""
    if reasons := Counter(str(one.reason) for one in answers if one.reason):
        log.info("dead letters", extra={"stream": stream, "reasons": dict(reasons)})
