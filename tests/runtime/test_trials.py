"""A trial has one winner, and everybody takes it: in a replay, in the store, over many workers."""

from __future__ import annotations

import json
from contextlib import ExitStack
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.engine import HOUR, T0, a_ruleset, a_send, a_wait, a_workflow, cel, on
from support.production import scratch_database

from shopflow.domain.event import DeliveryReport, Facts, Outcome
from shopflow.domain.ids import enrolment_id, fraction, message_id
from shopflow.domain.journal import Kind
from shopflow.domain.step import Branch, Split, TrialRule
from shopflow.domain.trial import Result
from shopflow.domain.trigger import EventTrigger, ScheduleTrigger
from shopflow.domain.workflow import Exit, Goal, Reentry, Since
from shopflow.engine import Rulebook
from shopflow.runtime.advance import Replay
from shopflow.runtime.ingest import Ingest
from shopflow.runtime.process import Entry, Processor
from shopflow.runtime.simulate import Line, Until, simulate
from shopflow.runtime.stream import Stream, fenced
from shopflow.runtime.timers import Timers
from shopflow.runtime.trials import Trials
from shopflow.runtime.workset import Rules
from shopflow.store.memory import MemoryStore
from shopflow.store.opening import open_store

PICKED, CLICKED, OPENED = "reader.picked", "message.clicked", "message.opened"
ORDERED, LEFT = "order.placed", "reader.left"
TYPES = (PICKED, CLICKED, OPENED, ORDERED, LEFT)
SHARE = 0.5


def a_split(by=Result.CLICKED, per="trigger.issue"):
    return Split(
        id="subject",
        next=None,
        branches=(
            Branch(name="short", target="brief", weight=SHARE / 2),
            Branch(name="long", target="pause", weight=SHARE / 2),
        ),
        trial=TrialRule(
            decide_after=cel('duration("4h")'), by=by, per=cel(per) if per is not None else None
        ),
    )


class Noon:
    """Every day at noon."""

    source = "noon"

    def next_after(self, moment):
        noon = moment.replace(hour=12, minute=0, second=0, microsecond=0)
        return noon if noon > moment else noon + 24 * HOUR


def daily_letter(by=Result.CLICKED):
    """The same once a day, to everybody who is known, over two hours."""
    steps = [a_split(by, None), a_send("brief"), a_wait("pause", "1h", "letter"), a_send("letter")]
    return a_workflow(
        "daily",
        trigger=ScheduleTrigger(recurrence=Noon(), spread=2 * HOUR, audience=None),
        steps=steps,
        exits=(),
    )


def newsletter(by=Result.CLICKED, *, before=(), **more):
    """Tries two subjects on one half, and sends the other half what was clicked more."""
    subject = a_split(by)
    steps = [*before, subject, a_send("brief"), a_wait("pause", "1h", "letter"), a_send("letter")]
    return a_workflow(
        "newsletter",
        trigger=EventTrigger(pattern=on(PICKED)),
        key=cel("event.issue"),
        reentry=Reentry.ONCE,
        steps=steps,
        exits=(Exit(id="left", pattern=on(LEFT), when=None, outcome="left"),),
        goal=Goal(
            pattern=on(ORDERED), when=None, within=10 * HOUR, since=Since.LAST_SEND, value=None
        ),
        **more,
    )


def part_of(customer, issue="march"):
    """The branch that is tried on the customer; None: the customer waits."""
    place = fraction(f"newsletter/subject/{issue}", customer)
    return "short" if place < SHARE / 2 else "long" if place < SHARE else None


PEOPLE = [f"c{number}" for number in range(40)]
SHORT = [one for one in PEOPLE if part_of(one) == "short"]
LONG = [one for one in PEOPLE if part_of(one) == "long"]
WAITING = [one for one in PEOPLE if part_of(one) is None]


def an_event(number, event_type, at, customer, **data):
    return {
        "id": f"e{number}",
        "type": event_type,
        "occurred_at": (T0 + at * HOUR).isoformat(),
        "data": data,
        "customer_id": customer,
    }


def picked(customer, at=0, issue="march"):
    return an_event(f"{customer}-{issue}", PICKED, at, customer, issue=issue)


def letter_of(customer, issue="march"):
    """The id of the message that is tried on the customer."""
    enrolment = enrolment_id(customer, "newsletter", issue, f"e{customer}-{issue}", 0)
    step = "brief" if part_of(customer, issue) == "short" else "letter"
    return message_id(enrolment, step, 1, "log")


def clicked(customer, at, event_type=CLICKED, issue="march"):
    number = f"{customer}-{issue}-{event_type}-{at}"
    return an_event(number, event_type, at, customer, message_id=letter_of(customer, issue))


class Shop:
    """One worker on a store, alone or for one partition; by the events' clock, or by a given."""

    def __init__(self, rulebook, store=None, *, replay=True, partition=None):
        self.store = store or MemoryStore(partitions=4)
        self.ingest = Ingest({name: {"type": "object"} for name in TYPES}, event_clock=replay)
        self.trials = Trials(self.store)
        self.rules = Rules(
            rulebook=rulebook,
            facts=Facts(event_clock=replay),
            secrets=self.ingest.secrets,
            trials=self.trials,
        )
        if replay:
            self.trials.advance = Replay(self.store, self.rules)
        self.processor = Processor(self.store, self.rules, self.ingest)
        self.timers = Timers(self.store, self.rules)
        name = f"test:{partition}"
        self.stream = Stream(name, self.store.take_over(name).epoch, partition)

    def take(self, *events, now=T0):
        entries = [Entry(json.dumps(event).encode(), event["id"]) for event in events]
        return self.processor.take(self.stream, entries, now=now)

    def tick(self, at):
        while self.timers.tick_page(T0 + at * HOUR, stream=self.stream):
            continue

    def accept(self, now):
        """Everything that is queued has left, and its receipt has come."""
        for one in self.store.views.messages(limit=1000):
            report = DeliveryReport(message=one.message, outcome=Outcome.ACCEPTED, at=now)
            with fenced(self.store, self.stream) as batch:
                if self.stream.partition in {
                    None,
                    self.store.partition_of(one.message.customer_id),
                }:
                    batch.tell(one.message.customer_id, report)
        self.processor.hear(now, self.stream)

    @property
    def sends(self):
        return sorted(
            (one.message.decided_at - T0, one.message.customer_id, one.message.step)
            for one in self.store.views.messages(limit=1000)
        )


def simulated(rulebook, events, until=Until.DRAIN):
    ingest = Ingest({name: {"type": "object"} for name in TYPES}, event_clock=True)
    lines = [Line(json.dumps(event).encode(), "") for event in events]
    result = simulate(rulebook, ingest, lines, until=until)
    assert not result.dead_letters
    return sorted(
        (message.decided_at - T0, message.customer_id, message.step)
        for message in result.tally.messages
    )


def replayed(rulebook, events, size=500, store=None):
    shop = Shop(rulebook, store)
    for start in range(0, len(events), size):
        shop.take(*events[start : start + size])
    if events:
        list(shop.timers.drain())
    return shop


def a_rulebook(**more):
    return Rulebook(a_ruleset(newsletter(**more)))


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    """A store of each kind that needs no server."""
    if request.param == "memory":
        yield MemoryStore(partitions=4)
        return
    opened = open_store(f"sqlite:///{tmp_path}/shop.db", partitions=4)
    yield opened
    opened.close()


def test_there_are_some_of_each():
    assert len(SHORT) > 3
    assert len(LONG) > 3
    assert len(WAITING) > 10


def test_those_who_wait_are_sent_what_was_clicked_more(store):
    shop = Shop(a_rulebook(), store)
    shop.take(*map(picked, PEOPLE))
    shop.take(*(clicked(one, 2) for one in LONG[:3]), clicked(SHORT[0], 2))
    list(shop.timers.drain())
    steps = {who: (at, step) for at, who, step in shop.sends}
    assert all(steps[one] == (timedelta(), "brief") for one in SHORT)
    assert all(steps[one] == (HOUR, "letter") for one in LONG)
    assert all(steps[one] == (5 * HOUR, "letter") for one in WAITING), "the branch has a pause"
    (kept,) = store.views.trials()
    assert kept.trial.winner == "long"
    assert kept.counts["long"] == {Result.SENT: len(LONG), Result.CLICKED: 3}
    assert kept.counts["short"] == {Result.SENT: len(SHORT), Result.CLICKED: 1}


@pytest.mark.parametrize("size", [500, 61, 1])
def test_all_that_came_before_the_decision_counts(store, size):
    """Of many in the second branch one clicks; the others' letters are due, and nobody asks."""
    events = [picked(one) for one in PEOPLE]
    events += [clicked(one, 2) for one in SHORT[1:]] + [clicked(LONG[0], 2)]
    shop = replayed(a_rulebook(), [*events, picked("late", 9)], size, store)
    (kept,) = store.views.trials()
    assert kept.counts["long"] == {Result.SENT: len(LONG), Result.CLICKED: 1}
    assert kept.trial.winner == "short"
    assert shop.sends == simulated(a_rulebook(), [*events, picked("late", 9)])


def test_the_whole_batch_before_the_decision_counts(store):
    events = [picked(one) for one in PEOPLE] + [clicked(one, 2) for one in LONG]
    shop = replayed(a_rulebook(), [*events, picked("late", 9)], store=store)
    assert {step for _, who, step in shop.sends if who in WAITING} == {"letter"}


def test_a_click_counts_once_for_a_customer_and_only_before_the_decision(store):
    shop = Shop(a_rulebook(), store)
    shop.take(*map(picked, PEOPLE))
    shop.take(*(clicked(SHORT[0], at) for at in (1, 2, 3)), clicked(LONG[0], 4))
    shop.take(*(clicked(one, 5) for one in LONG[1:]))
    list(shop.timers.drain())
    (kept,) = store.views.trials()
    assert kept.counts["short"][Result.CLICKED] == 1
    assert Result.CLICKED not in kept.counts["long"], "at the decision it is too late"
    assert kept.trial.winner == "short"


def test_a_click_on_another_message_counts_for_nothing(store):
    shop = Shop(a_rulebook(), store)
    shop.take(*map(picked, PEOPLE))
    shop.take(an_event("x", CLICKED, 1, SHORT[0], message_id="of-another-workflow"))
    (kept,) = store.views.trials()
    assert Result.CLICKED not in kept.counts["short"]


@pytest.mark.parametrize(
    ("by", "event"), [(Result.OPENED, OPENED), (Result.CLICKED, CLICKED), (Result.GOAL, ORDERED)]
)
def test_branches_compete_for_what_the_rule_says(by, event):
    shop = Shop(a_rulebook(by=by))
    shop.take(*map(picked, PEOPLE))
    told = [clicked(one, 2, event) for one in LONG]
    # The other branch has all there is of what does not count.
    other = CLICKED if by is not Result.CLICKED else OPENED
    shop.take(*told, *(clicked(one, 3, other) for one in SHORT))
    list(shop.timers.drain())
    (kept,) = shop.store.views.trials()
    assert kept.trial.winner == "long"
    assert kept.counts["long"][by] == len(LONG)


def test_without_a_click_the_first_branch_is_for_all(store):
    shop = replayed(a_rulebook(), [picked(one) for one in PEOPLE], store=store)
    steps = {who: (at, step) for at, who, step in shop.sends}
    assert {steps[one] for one in WAITING} == {(4 * HOUR, "brief")}


def test_who_comes_after_the_decision_is_sent_the_winner_at_once(store):
    late = SHORT[-1], WAITING[-1], LONG[-1]
    shop = Shop(a_rulebook(), store)
    shop.take(*(picked(one) for one in PEOPLE if one not in late))
    shop.take(*(clicked(one, 2) for one in SHORT[:3]))
    shop.take(*(picked(one, 7) for one in late))
    steps = {who: (at, step) for at, who, step in shop.sends}
    assert [steps[one] for one in late] == [(7 * HOUR, "brief")] * 3


def test_each_issue_has_a_winner_of_its_own(store):
    shop = Shop(a_rulebook(), store)
    shop.take(*map(picked, PEOPLE))
    shop.take(*(clicked(one, 2) for one in LONG))
    shop.take(*(picked(one, 48, "april") for one in PEOPLE))
    tried = [one for one in PEOPLE if part_of(one, "april") == "short"]
    shop.take(*(clicked(one, 49, issue="april") for one in tried))
    list(shop.timers.drain())
    assert {one.trial.run: one.trial.winner for one in store.views.trials()} == {
        "march": "long",
        "april": "short",
    }


def test_who_leaves_while_waiting_is_sent_nothing():
    shop = Shop(a_rulebook())
    shop.take(*map(picked, PEOPLE))
    shop.take(an_event("x", LEFT, 2, WAITING[0]))
    list(shop.timers.drain())
    assert WAITING[0] not in {who for _, who, _ in shop.sends}


def test_the_journal_tells_who_took_part_who_waited_and_who_won(store):
    shop = replayed(a_rulebook(), [picked(one) for one in PEOPLE], store=store)

    def told(customer):
        return [
            (entry.reason, entry.values["trial"])
            for entry in shop.store.views.timeline(customer).journal
            if entry.step == "subject"
        ]

    assert told(SHORT[0]) == [("short", "test")]
    assert told(WAITING[0]) == [("", "waits"), ("short", "winner")]
    (entry,) = [one for one in told_of_nobody(store) if one.kind is Kind.DECIDED]
    assert entry.reason == "short"
    assert entry.at == T0 + 4 * HOUR
    assert entry.values["counts"]["long"] == {"sent": len(LONG)}


def told_of_nobody(store):
    return store.views.timeline("").journal


@pytest.fixture(params=["sqlite", "postgres"])
def workers(request, tmp_path):
    """Four workers by the wall clock, each with a partition, and each with what it knows alone."""
    rulebook = a_rulebook()
    with ExitStack() as stack:
        url = f"sqlite:///{tmp_path}/shop.db"
        if request.param == "postgres":
            url = stack.enter_context(scratch_database())
        stores = [open_store(url, partitions=4) for _ in range(4)]
        for one in stores:
            stack.callback(one.close)
        yield [
            Shop(rulebook, store, replay=False, partition=number)
            for number, store in enumerate(stores)
        ]


@settings(max_examples=12, deadline=None)
@given(order=st.permutations(range(4)), again=st.permutations(range(4)))
def test_all_workers_take_one_winner_at_one_instant(order, again):
    store = MemoryStore(partitions=4)
    rulebook = a_rulebook()
    workers = [Shop(rulebook, store, replay=False, partition=number) for number in range(4)]
    _tried_by_all(workers, order, again)


def test_all_workers_take_one_winner_in_a_database_that_they_share(workers):
    _tried_by_all(workers, range(4), (2, 0, 3, 1))


def _tried_by_all(workers, order, again):
    store = workers[0].store
    mine = {number: [] for number in range(4)}
    for one in PEOPLE:
        mine[store.partition_of(one)].append(one)
    for number in order:
        # Each begins a little later by its own events; there is one trial all the same.
        minute = list(order).index(number) / 60
        workers[number].take(*(picked(one, minute) for one in mine[number]), now=T0 + HOUR / 4)
        workers[number].accept(T0 + HOUR / 4)
    for number in order:
        at = T0 + 2 * HOUR
        told = [clicked(one, 2) for one in mine[number] if one in SHORT]
        workers[number].take(*told, now=at)
    for number in again:
        workers[number].tick(6)
    (kept,) = store.views.trials()
    assert kept.trial.winner == "short"
    assert kept.counts["short"] == {Result.SENT: len(SHORT), Result.CLICKED: len(SHORT)}
    sent = [one.message for one in store.views.messages(limit=1000)]
    waited = {(one.cursor_at, one.step) for one in sent if one.customer_id in WAITING}
    assert waited == {(kept.trial.decide_at, "brief")}
    # Who comes now takes the winner, whatever its worker has heard so far.
    for number in again:
        late = f"late{number}"
        home = store.partition_of(late)
        workers[home].take(picked(late, 7), now=T0 + 7 * HOUR)
    sent = [one.message for one in store.views.messages(limit=1000)]
    late = {(one.cursor_at, one.step) for one in sent if one.customer_id.startswith("late")}
    assert late == {(T0 + 7 * HOUR, "brief")}
    decided = [one for one in told_of_nobody(store) if one.kind is Kind.DECIDED]
    assert len(decided) == 1, "whoever came first has decided it for all"


def streams():
    """Readers who are picked, who click, order and leave, in order of time."""
    event = st.tuples(
        st.sampled_from((PICKED, PICKED, PICKED, CLICKED, CLICKED, ORDERED, LEFT)),
        st.sampled_from(PEOPLE),
        st.integers(0, 2),
    )
    return st.lists(event, max_size=60)


@settings(max_examples=60, deadline=None)
@given(streams(), st.integers(1, 9), st.sampled_from(Result), st.booleans())
def test_simulate_and_the_store_agree_whatever_the_batches(drawn, size, by, late):
    events, at = [], 0
    for number, (kind, customer, pause) in enumerate(drawn):
        at += pause
        if kind == PICKED:
            events.append(an_event(f"{customer}-march", kind, at, customer, issue="march"))
        else:
            message = letter_of(customer) if part_of(customer) else "none"
            events.append(an_event(number, kind, at, customer, message_id=message))
    if by is Result.SENT:
        by = Result.CLICKED
    before = [a_wait("settle", "3h", "subject")] if late else []
    rulebook = a_rulebook(by=by, before=before)
    assert replayed(rulebook, events, size).sends == simulated(rulebook, events)


def daily_letter_of(customer, day):
    """The ids that the message of that day's letter has if it is tried on the customer."""
    noon = (T0 + day * 24 * HOUR).replace(hour=12)
    stamp = noon.isoformat().replace("+00:00", "Z")
    enrolment = enrolment_id(customer, "daily", stamp, f"daily@{stamp}", 0)
    return [message_id(enrolment, step, 1, "log") for step in ("brief", "letter")]


def visits():
    """Customers who are seen, and who click the day's letter or another, in order of time."""
    event = st.tuples(
        st.booleans(), st.sampled_from(PEOPLE[:12]), st.integers(0, 5), st.integers(0, 1)
    )
    return st.lists(event, max_size=40)


@settings(max_examples=40, deadline=None)
@given(visits(), st.integers(1, 9))
def test_simulate_and_the_store_agree_on_a_schedule_too(drawn, size):
    events, at = [], 0
    for number, (clicks, customer, pause, step) in enumerate(drawn):
        at += pause
        message = daily_letter_of(customer, int(at // 24))[step]
        kind = CLICKED if clicks else PICKED
        events.append(an_event(number, kind, at, customer, message_id=message))
    rulebook = Rulebook(a_ruleset(daily_letter()))
    shop = Shop(rulebook)
    for start in range(0, len(events), size):
        shop.take(*events[start : start + size])
    if events:
        shop.trials.advance(shop.stream, T0 + at * HOUR, timers_only=False)
        list(shop.timers.drain(shop.stream))
    assert shop.sends == simulated(rulebook, events)


def test_each_day_of_a_schedule_has_a_trial_that_begins_with_it(store):
    shop = Shop(Rulebook(a_ruleset(daily_letter())), store)
    shop.take(*(an_event(one, PICKED, 0, one) for one in PEOPLE))
    shop.take(an_event("x", PICKED, 60, PEOPLE[0]))
    noon = T0.replace(hour=12)
    shop.trials.advance(shop.stream, T0 + 60 * HOUR, timers_only=False)
    begun = {one.trial.begun_at for one in store.views.trials()}
    assert begun == {noon, noon + 24 * HOUR, noon + 48 * HOUR}
    assert {one.trial.winner for one in store.views.trials()} == {"short"}
    assert {one.trial.decide_at - one.trial.begun_at for one in store.views.trials()} == {4 * HOUR}
