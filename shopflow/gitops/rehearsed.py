"""What came out of a rehearsal, as plain values for whoever judges or tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from shopflow.domain.customer import Customer
from shopflow.gitops.scenario import Scenario


class What(StrEnum):
    """The kinds of happenings that a test can expect."""

    SEND = "send"
    DROP = "drop"
    HOLD = "hold"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """One thing that came out of a rehearsal."""

    at: datetime
    what: What
    #: By the names that expectations use.
    fields: Mapping[str, object]
    #: What the deciding condition saw.
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Rehearsal:
    """All that came out of a scenario."""

    scenario: Scenario
    happened: list[Happened] = field(default_factory=list)
    entered: int = 0
    refused: list[str] = field(default_factory=list)
    #: Why conditions said no, and what failed, in words.
    notes: list[str] = field(default_factory=list)
    #: The rendered parts of each message, with the step that sent it.
    rendered: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    #: The customer whom the test is about, at its end.
    customer: Customer | None = None
    #: An enrolment is still on its way.
    active: bool = False
