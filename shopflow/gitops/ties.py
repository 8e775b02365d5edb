"""Events of one instant in every order: a test that hangs on their order is a race."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby, islice, permutations, product

from shopflow.gitops.scenario import Happening, Scenario

#: Orders of one test that are tried: all of four events of one instant.
MOST_ORDERS = 24


def other_orders(scenario: Scenario) -> Iterator[tuple[Scenario, str]]:
    """The scenario in other orders of the events of one instant, each with the order in words.

    At most `MOST_ORDERS`, that of the file included, and none that differs only in events that
    are the same.
    """
    past = len(scenario.past_events)
    # Their ids stay, whatever place they come to.
    named = [
        replace(each, id=each.id or f"event-{number}")
        for number, each in enumerate(scenario.events, past + 1)
    ]
    # Time goes on as the file tells it; only neighbours of one instant change places.
    instants = [list(group) for _, group in groupby(named, key=lambda each: each.at)]
    seen = {_content(named)}
    orders = product(*(permutations(group) for group in instants))
    for order in islice(orders, 1, MOST_ORDERS):
        events = [each for group in order for each in group]
        content = _content(events)
        if content in seen:
            continue
        seen.add(content)
        moved = [group for group in order if len(group) > 1]
        told = "; ".join(", ".join(f"{each.type} ({each.id})" for each in group) for group in moved)
        yield replace(scenario, events=tuple(events)), told


def _content(events: list[Happening]) -> tuple[str, ...]:
    """What tells one order from another: all of the events but ids that nobody gave."""
    return tuple(repr(replace(each, id="")) for each in events)
