"""Random shops: rules, policies, one customer's life and a slow deliverer, for the laws.

A world is played by the engine with a wall clock; the deliverer accepts what is queued some time
later, hands back what is past its `send_by`, and leaves what was called back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from support.engine import (
    DAY,
    HOUR,
    PURPOSES,
    a_customer,
    a_ruleset,
    a_send,
    a_workflow,
    an_event,
    cel,
    on,
)

from shopflow.domain.customer import ConsentState
from shopflow.domain.event import DeliveryReport, Event, Facts, Outcome, Tick
from shopflow.domain.journal import Cancel, JournalEntry, Queue, Requeue
from shopflow.domain.policy import (
    CalendarWindow,
    FrequencyCap,
    IfCapped,
    MessageClass,
    QuietWindow,
)
from shopflow.domain.step import Wait
from shopflow.domain.trigger import EventTrigger
from shopflow.domain.workflow import Exit, Reentry
from shopflow.engine import Rulebook, decide

#: A week before the spring change in Paris, so that lives cross it.
START = datetime(2026, 3, 20, 9, tzinfo=UTC)
PARIS = "Europe/Paris"
TYPES = ("cart.updated", "product.viewed", "order.placed")
CHANNELS = ("email", "sms")
MARKETING = ("marketing", "cart_recovery")
LIFE = 14 * DAY

MINUTES = st.integers(0, LIFE // timedelta(minutes=1))
DELAYS = st.integers(0, 600)
#: What is due so soon has begun to leave, and can be called back no more.
BEGUN = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class World:
    """Rules, and what happens to one customer: (minute, what) in order of arrival."""

    ruleset: object
    happenings: tuple
    #: Minutes that the deliverer takes for each message in turn.
    delays: tuple
    granted: frozenset


@dataclass(kw_only=True)
class Played:
    """What came of a world."""

    accepted: list
    decided: list
    entries: list
    cancelled: set

    def reasons(self):
        return {entry.reason for entry in self.entries}


@st.composite
def workflows(draw, number):
    """A workflow of one to three sends with waits between them."""
    steps = []
    count = draw(st.integers(1, 3))
    for position in range(count):
        after = f"wait{position + 1}" if position + 1 < count else None
        wait = draw(st.sampled_from(["0m", "20m", "1h", "9h", "26h"]))
        steps.append(
            Wait(id=f"wait{position}", next=f"send{position}", length=cel(f'duration("{wait}")'))
        )
        steps.append(
            a_send(
                f"send{position}",
                after,
                channels=tuple(draw(st.permutations(CHANNELS)))[: draw(st.integers(1, 2))],
                purpose=draw(
                    st.sampled_from(["marketing", "cart_recovery", "review", "marketing"])
                ),
                skip_held=draw(st.booleans()),
            )
        )
    leaves = draw(st.booleans())
    exit_rule = Exit(id="bought", pattern=on("order.placed"), when=None, outcome="converted")
    event_type = draw(st.sampled_from(TYPES[:2]))
    when = draw(st.sampled_from([None, "event.total >= 30", "event.total < 70"]))
    return a_workflow(
        f"w{number}",
        steps=steps,
        purpose="marketing",
        priority=draw(st.integers(0, 100)),
        trigger=EventTrigger(pattern=on(event_type), when=cel(when) if when else None),
        reentry=draw(st.sampled_from(list(Reentry))),
        key=draw(st.sampled_from([None, cel("event.cart_id")])),
        cooldown=draw(st.sampled_from([timedelta(), HOUR, DAY])),
        exits=(exit_rule,) if leaves else (),
    )


@st.composite
def caps(draw, number):
    window = draw(
        st.sampled_from([2 * HOUR, DAY, 3 * DAY, CalendarWindow.DAY, CalendarWindow.WEEK])
    )
    return FrequencyCap(
        id=f"cap{number}",
        limit=draw(st.sampled_from([1, 1, 2, 3])),
        window=window,
        if_capped=draw(st.sampled_from(list(IfCapped))),
        channels=draw(st.sampled_from([frozenset(), frozenset({"email"})])),
        purposes=draw(st.sampled_from([frozenset(), frozenset({"marketing"})])),
    )


@st.composite
def quiet_windows(draw, number):
    hours = st.integers(0, 23)
    return QuietWindow(
        id=f"quiet{number}",
        start=time(draw(hours)),
        end=time(draw(hours), 30),
        channels=draw(st.sampled_from([frozenset(), frozenset({"email"})])),
        days=draw(st.sampled_from([frozenset(), frozenset({5, 6})])),
    )


@st.composite
def happenings(draw):
    """Events and ticks over two weeks, in order of time."""
    minutes = sorted(draw(st.lists(MINUTES, min_size=12, max_size=30)))
    told = []
    for number, minute in enumerate(minutes):
        at = START + timedelta(minutes=minute)
        kind = draw(st.sampled_from(["event"] * 6 + ["tick"] * 2 + ["consent"] * 2))
        if kind == "tick":
            told.append(Tick(at=at))
        elif kind == "consent":
            word = draw(st.sampled_from(["granted", "withdrawn", "granted", "denied"]))
            data = {"channel": draw(st.sampled_from(CHANNELS))}
            data["purpose"] = draw(st.sampled_from(MARKETING))
            told.append(an_event(f"consent.{word}", at, event_id=f"e{number}", **data))
        else:
            event_type = draw(st.sampled_from(TYPES))
            data = {"total": draw(st.integers(0, 100)), "cart_id": draw(st.sampled_from("ab"))}
            told.append(an_event(event_type, at, event_id=f"e{number}", **data))
    return (*told, Tick(at=START + LIFE + 4 * DAY))


@st.composite
def worlds(draw):
    """A whole world."""
    found = [draw(workflows(number)) for number in range(draw(st.integers(2, 4)))]
    ruleset = a_ruleset(
        *found,
        caps=tuple(draw(caps(number)) for number in range(draw(st.integers(1, 2)))),
        quiet_windows=tuple(
            draw(quiet_windows(number)) for number in range(draw(st.integers(1, 2)))
        ),
    )
    pairs = [(channel, purpose) for channel in CHANNELS for purpose in MARKETING]
    granted = draw(st.frozensets(st.sampled_from(pairs), min_size=2))
    return World(
        ruleset=ruleset,
        happenings=draw(happenings()),
        delays=tuple(draw(st.lists(DELAYS, min_size=1, max_size=6))),
        granted=granted,
    )


def play(world: World) -> Played:  # noqa: C901, PLR0915 - one life, told in one place
    """Let the engine and a deliverer live through the world."""
    rulebook = Rulebook(world.ruleset)
    customer = a_customer(consent=world.granted)
    customer = replace(customer, attributes={**customer.attributes, "timezone": PARIS})
    facts = Facts()
    played = Played(accepted=[], decided=[], entries=[], cancelled=set())
    waiting: dict[str, tuple] = {}
    queued = 0

    def give(told, at, clock):
        nonlocal customer, queued
        decision = decide(rulebook, customer, told, at=at, clock=clock, facts=facts)
        customer = decision.customer
        for effect in decision.effects:
            match effect:
                case Queue(message=message) | Requeue(message=message):
                    delay = timedelta(minutes=world.delays[queued % len(world.delays)])
                    queued += 1
                    waiting[message.id] = (clock + delay, message)
                    played.decided.append(message)
                case Cancel(message_id=name) if name in waiting:
                    due, message = waiting[name]
                    if due - clock <= BEGUN:
                        # Too late: it is on its way.
                        continue
                    del waiting[name]
                    played.cancelled.add(name)
                    if effect.tell:
                        word = DeliveryReport(
                            message=message, outcome=Outcome.DROPPED, at=clock, reason=effect.reason
                        )
                        give(word, at, clock)
                case JournalEntry():
                    played.entries.append(effect)

    def deliver(until):
        while waiting:
            at, message = min(waiting.values(), key=lambda pair: (pair[0], pair[1].id))
            if at > until:
                return
            del waiting[message.id]
            late = at >= message.send_by
            outcome = Outcome.RETURNED if late else Outcome.ACCEPTED
            if not late:
                played.accepted.append((at, message))
            give(DeliveryReport(message=message, outcome=outcome, at=at), at, at)

    def is_due(at):
        if customer.next_due_at is None or customer.next_due_at >= at:
            # Word of a delivery may make something due before then.
            deliver(at)
        return customer.next_due_at is not None and customer.next_due_at < at

    clock = START
    for told in world.happenings:
        at = told.occurred_at if isinstance(told, Event) else told.at
        while is_due(at):
            # The clock job ticks whenever something is due.
            due = max(customer.next_due_at, clock)
            deliver(due)
            clock = due
            give(Tick(at=due), due, due)
        clock = max(clock, at)
        give(told, at, clock)
    deliver(clock + 30 * DAY)
    return played


def broken_caps(world: World, played: Played) -> list[str]:
    """Caps that hold more accepted messages than they allow in some window."""
    found = []
    for cap in world.ruleset.caps:
        moments = sorted(
            at
            for at, message in played.accepted
            if message.message_class in cap.classes
            and (not cap.channels or message.channel in cap.channels)
            and (not cap.purposes or message.purpose in cap.purposes)
        )
        for position, first in enumerate(moments):
            inside = [at for at in moments[position:] if _same_window(cap.window, first, at)]
            if len(inside) > cap.limit:
                found.append(f"{cap.id}: {len(inside)} > {cap.limit} from {first}")
    return found


def _same_window(window, first, at):
    if isinstance(window, timedelta):
        return at - first < window
    days = [moment.astimezone(ZoneInfo(PARIS)).date() for moment in (first, at)]
    if window is CalendarWindow.WEEK:
        return days[0].isocalendar()[:2] == days[1].isocalendar()[:2]
    return days[0] == days[1]


def sent_in_quiet_hours(world: World, played: Played) -> list[str]:
    """Messages accepted inside a window, found by looking at the local clock only."""
    found = []
    for at, message in played.accepted:
        local = at.astimezone(ZoneInfo(PARIS))
        for window in world.ruleset.quiet_windows:
            if window.channels and message.channel not in window.channels:
                continue
            if message.message_class not in window.classes:
                continue
            if _inside(window, local):
                found.append(f"{window.id}: {local}")
    return found


def _inside(window, local):
    over_midnight = window.end <= window.start
    clock = local.time()
    if over_midnight:
        if clock >= window.start:
            start_day = local.date()
        elif clock < window.end:
            start_day = local.date() - DAY
        else:
            return False
    elif window.start <= clock < window.end:
        start_day = local.date()
    else:
        return False
    return not window.days or start_day.weekday() in window.days


def sent_without_consent(world: World, played: Played) -> list[str]:
    """Marketing decided while the last word of the customer was not a grant."""
    found = []
    for message in played.decided:
        if message.message_class is not MessageClass.MARKETING:
            continue
        pair = (message.channel, message.purpose)
        granted = pair in world.granted
        for told in world.happenings:
            if not isinstance(told, Event) or not told.type.startswith("consent."):
                continue
            if told.occurred_at > message.decided_at:
                break
            if told.data["channel"] != message.channel:
                continue
            word = told.type.removeprefix("consent.")
            same = told.data["purpose"] == message.purpose
            parent = PURPOSES[message.purpose].parent == told.data["purpose"]
            if same or (parent and word != ConsentState.GRANTED):
                granted = word == ConsentState.GRANTED
        if not granted:
            found.append(f"{pair} at {message.decided_at}")
    return found
