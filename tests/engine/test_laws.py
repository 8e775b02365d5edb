"""Laws over random rules and lives: caps, quiet hours and consent are never broken.

Each law is shown to be able to fail: with its gate replaced by *allow* a broken world is found.
"""

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from support.engine import DAY, Life, a_workflow, an_event, cel, on
from support.worlds import (
    broken_caps,
    play,
    sent_in_quiet_hours,
    sent_without_consent,
    worlds,
)

from shopflow.domain.journal import Queue
from shopflow.domain.trigger import EventTrigger
from shopflow.domain.workflow import Exit, Reentry
from shopflow.engine import caps, consent, quiet

LAWS = {
    "capped": broken_caps,
    "quiet_hours": sent_in_quiet_hours,
    "no_consent": sent_without_consent,
}

#: The gate of each law, and the answer that allows everything.
GATES = {
    "capped": (caps, "full", lambda *_: None),
    "quiet_hours": (quiet, "silent_until", lambda *_: None),
    "no_consent": (consent, "permits", lambda *_: True),
}

EXAMPLES = 300
QUICK = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


#: Any broken world will do; the smallest one is not wanted.
AS_FOUND = settings(QUICK, phases=[Phase.generate])


def test_no_law_is_ever_broken_and_a_fifth_of_the_worlds_reaches_each_gate():
    reached = Counter()

    @QUICK
    @given(worlds())
    def hold(world):
        played = play(world)
        broken = {name: found for name, law in LAWS.items() if (found := law(world, played))}
        assert broken == {}
        reached.update(["worlds", *(played.reasons() & set(LAWS))])

    hold()
    assert min(reached[reason] for reason in LAWS) >= reached["worlds"] / 5, reached


@pytest.mark.parametrize("reason", LAWS)
def test_a_gate_that_always_allows_breaks_its_law(reason, monkeypatch):
    module, name, allow = GATES[reason]
    monkeypatch.setattr(module, name, allow)
    law = LAWS[reason]
    try:
        world = find(worlds(), lambda world: bool(law(world, play(world))), settings=AS_FOUND)
    except NoSuchExample:
        pytest.fail(f"the law behind {reason} did not notice that its gate was gone")
    assert law(world, play(world))


@st.composite
def short_lives(draw):
    """Events within fifty minutes, no two at one instant, and an order of arrival."""
    minutes = draw(st.lists(st.integers(0, 50), min_size=2, max_size=6, unique=True))
    events = [
        an_event(
            draw(st.sampled_from(["cart.updated", "product.viewed", "order.placed"])),
            timedelta(minutes=minute),
            event_id=f"e{minute}",
            total=draw(st.integers(0, 100)),
            cart_id=draw(st.sampled_from("ab")),
        )
        for minute in sorted(minutes)
    ]
    return events, draw(st.permutations(events))


@st.composite
def patient_workflows(draw):
    """Workflows that wait an hour or more before they send, and read payloads only."""
    when = draw(st.sampled_from([None, "event.total >= 30"]))
    pattern = on(*draw(st.sets(st.sampled_from(["cart.updated", "product.viewed"]), min_size=1)))
    leave = draw(st.sampled_from([None, "event.cart_id == trigger.cart_id"]))
    return a_workflow(
        trigger=EventTrigger(pattern=pattern, when=cel(when) if when else None),
        key=draw(st.sampled_from([None, cel("event.cart_id")])),
        reentry=draw(st.sampled_from([Reentry.RESTART, Reentry.PARALLEL])),
        exits=(
            Exit(
                id="bought",
                pattern=on("order.placed"),
                when=cel(leave) if leave else None,
                outcome="converted",
            ),
        ),
    )


@settings(max_examples=200, deadline=None)
@given(patient_workflows(), short_lives())
def test_the_order_of_arrival_before_the_first_due_time_does_not_matter(workflow, life):
    def sends(events):
        lived = Life(workflow)
        for event in events:
            lived.give(event)
        lived.tick(DAY)
        return {(q.message.decided_at, q.message.trigger_event_id) for q in lived.of(Queue)}

    in_order, shuffled = life
    assert sends(shuffled) == sends(in_order)
