"""Frequency caps: how many accepted messages a window may hold, and when the next slot is free.

A slot is taken by the decision. Until its receipt is there it counts in every window at every
instant; the receipt moves it to the acceptance time or frees it. So no window, counted by
acceptance time, ever holds more than its limit, however late the deliverer is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from shopflow.domain.customer import SentRecord, SlotState
from shopflow.domain.policy import FrequencyCap, IfCapped, MessageClass
from shopflow.engine import preferences, zones
from shopflow.engine.turn import Turn

#: How soon a deferred send asks again when only a receipt can free its slot.
RECEIPT_WAIT = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A send that asks for a slot."""

    channel: str
    purpose: str
    message_class: MessageClass
    workflow: str
    tags: frozenset[str]
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Full:
    """A cap that has no slot left, and from when on it may have one."""

    cap: FrequencyCap
    free_at: datetime


def full(turn: Turn, candidate: Candidate, at: datetime) -> Full | None:
    """The cap that forbids this send now; of several the strictest, then the last to free."""
    found: Full | None = None
    for cap in _caps(turn):
        if not covers(cap, candidate):
            continue
        limit = cap.limit
        if candidate.priority < cap.reserved_priority:
            limit -= cap.reserved_slots
        free_at = _free_at(turn, cap, limit, at)
        if free_at is None:
            continue
        if found is None or _rank(cap, free_at) > _rank(found.cap, found.free_at):
            found = Full(cap=cap, free_at=free_at)
    return found


_STRICTNESS = {IfCapped.DEFER: 0, IfCapped.SKIP: 1, IfCapped.END: 2}


def _rank(cap: FrequencyCap, free_at: datetime) -> tuple[int, datetime]:
    return (_STRICTNESS[cap.if_capped], free_at)


def _caps(turn: Turn) -> tuple[FrequencyCap, ...]:
    """The shop's caps, and the one that the customer has chosen."""
    own = preferences.personal_cap(turn.customer)
    return turn.rulebook.ruleset.caps if own is None else (*turn.rulebook.ruleset.caps, own)


def counts_for_caps(turn: Turn, message_class: MessageClass) -> bool:
    """True when some cap counts messages of this class."""
    return any(message_class in cap.classes for cap in _caps(turn))


def covers(cap: FrequencyCap, what: Candidate | SentRecord) -> bool:
    """True when the cap counts such a message."""
    return (
        what.message_class in cap.classes
        and (not cap.channels or what.channel in cap.channels)
        and (not cap.purposes or what.purpose in cap.purposes)
        and (not cap.workflows or what.workflow in cap.workflows)
        and (not cap.tags or bool(cap.tags & what.tags))
    )


def _free_at(turn: Turn, cap: FrequencyCap, limit: int, at: datetime) -> datetime | None:
    """None while there is a slot; else the first instant at which there may be one."""
    counted = [
        record
        for record in turn.customer.sent
        if record.state is not SlotState.HELD and covers(cap, record)
    ]
    waiting = sum(1 for record in counted if record.accepted_at is None)
    accepted = sorted(r.accepted_at for r in counted if r.accepted_at is not None)
    if isinstance(cap.window, timedelta):
        inside = [moment for moment in accepted if moment > at - cap.window]
    else:
        where = zones.of_customer(turn.rulebook.ruleset, turn.customer)
        start = zones.window_start(cap.window, at, where)
        inside = [moment for moment in accepted if moment >= start]
    over = waiting + len(inside) - limit
    if over < 0:
        return None
    if over >= len(inside):
        # The receipts decide: ask again soon. A limit of none never frees; `stale` ends it.
        return at + RECEIPT_WAIT
    if isinstance(cap.window, timedelta):
        return inside[over] + cap.window
    where = zones.of_customer(turn.rulebook.ruleset, turn.customer)
    return zones.window_end(cap.window, at, where)
