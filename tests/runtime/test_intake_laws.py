"""A law of intake: an event that comes twice changes nothing; and the law can fail."""

from __future__ import annotations

import json
from collections import Counter

from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from support.worlds import World, worlds

from shopflow.domain.event import Event, Facts
from shopflow.engine import Rulebook
from shopflow.runtime.ingest import Ingest
from shopflow.runtime.process import Entry, Processor
from shopflow.runtime.stream import Stream
from shopflow.runtime.timers import Timers
from shopflow.runtime.workset import Rules
from shopflow.store.memory import MemoryStore
from shopflow.store.memory_batch import MemoryBatch

LENIENT = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def as_line(event: Event) -> bytes:
    return json.dumps(
        {
            "id": event.id,
            "type": event.type,
            "occurred_at": event.occurred_at.isoformat(),
            "customer_id": event.customer_id,
            "data": event.data,
        }
    ).encode()


@st.composite
def repeated(draw):
    """A world, and its events with some of them sent again right away or much later."""
    world = draw(worlds())
    events = [told for told in world.happenings if isinstance(told, Event)]
    again = draw(st.lists(st.sampled_from(events), min_size=1, max_size=8)) if events else []
    stream = list(events)
    for event in again:
        # A resend comes after the first sending.
        first = stream.index(event)
        stream.insert(draw(st.integers(first + 1, len(stream))), event)
    return world, events, stream


def outcome(world: World, events: list[Event], size: int) -> tuple:
    """What is queued and what the customer comes to, reading so many events a batch."""
    store = MemoryStore(partitions=2)
    types = {event.type: {"type": "object"} for event in events}
    ingest = Ingest(types, event_clock=True)
    rules = Rules(
        rulebook=Rulebook(world.ruleset), facts=Facts(event_clock=True), secrets=ingest.secrets
    )
    processor = Processor(store, rules, ingest)
    stream = Stream("law", store.take_over("law").epoch)
    entries = [Entry(as_line(event), str(place)) for place, event in enumerate(events)]
    end = max(event.occurred_at for event in events)
    for start in range(0, len(entries), size):
        processor.take(stream, entries[start : start + size], now=end)
    Timers(store, rules).tick(end)
    sends = Counter(
        (row.message.id, row.message.decided_at, row.message.channel)
        for row in store.views.messages()
    )
    return sends, store.views.customer("anna"), store.views.status().events


@LENIENT
@given(repeated(), st.sampled_from([1, 3, 500]))
def test_events_that_come_twice_change_nothing(case, size):
    world, events, stream = case
    if not events:
        return
    once, twice = outcome(world, events, 500), outcome(world, stream, size)
    assert twice[:2] == once[:2]
    counts = twice[2]
    assert counts["accepted"] == len(events)
    assert counts.get("duplicate", 0) == len(stream) - len(events)


def test_without_the_memory_of_what_was_seen_the_law_breaks(monkeypatch):
    monkeypatch.setattr(MemoryBatch, "accept_events", lambda _, arrivals: [True] * len(arrivals))

    def broken(case) -> bool:
        world, events, stream = case
        return bool(events) and outcome(world, events, 500)[:2] != outcome(world, stream, 500)[:2]

    _, events, stream = find(
        repeated(), broken, settings=settings(LENIENT, phases=[Phase.generate])
    )
    assert len(stream) > len(events)


def test_a_fifth_of_the_cases_meets_a_duplicate():
    met = Counter()

    @LENIENT
    @given(repeated())
    def look(case):
        _, events, stream = case
        met.update(["cases", "repeated"] if len(stream) > len(events) else ["cases"])

    look()
    assert met["repeated"] >= met["cases"] / 5
