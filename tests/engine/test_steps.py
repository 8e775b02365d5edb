"""What each kind of step does."""

from collections import Counter
from datetime import UTC, datetime, time

import pytest
from support.engine import (
    DAY,
    HOUR,
    T0,
    Life,
    a_customer,
    a_ruleset,
    a_send,
    a_wait,
    a_workflow,
    an_event,
    cel,
    on,
)

from shopflow.domain.customer import ConsentState
from shopflow.domain.journal import DeadLetter, JournalEntry, Kind, LedgerEntry, Queue, Tell
from shopflow.domain.step import (
    Branch,
    ChangeConsent,
    Choose,
    ConsentChange,
    Emit,
    End,
    Repeat,
    SetValues,
    Split,
    Wait,
    WaitFor,
)
from shopflow.domain.trigger import EventTrigger
from shopflow.domain.workflow import Exit, Goal, InFlight, OnChange, Since
from shopflow.engine import Rulebook


def workflow(*steps, **more):
    return a_workflow(steps=list(steps), **{"exits": (), **more})


def sends(life):
    return [(q.message.decided_at - T0, q.message.step) for q in life.of(Queue)]


def entries(life, kind):
    return [entry for entry in life.of(JournalEntry) if entry.kind is kind]


def test_choose_takes_the_first_branch_that_holds_and_tells_what_it_saw():
    choose = Choose(
        id="size",
        next="after",
        branches=(
            Branch(name="1", target="big", when=cel("trigger.total >= 100")),
            Branch(name="2", target="medium", when=cel("trigger.total >= 50")),
        ),
        otherwise="small",
    )
    steps = [
        choose,
        a_send("big", "after"),
        a_send("medium", "after"),
        a_send("small", "after"),
        a_send("after"),
    ]
    for total, step in [(150, "big"), (60, "medium"), (1, "small")]:
        life = Life(workflow(*steps))
        life.event(total=total)
        assert [name for _, name in sends(life)] == [step, "after"]
        [entry] = entries(life, Kind.STEP)
        assert entry.values == {"trigger.total": total}


def test_a_branch_whose_condition_fails_is_not_taken():
    choose = Choose(
        id="size",
        next=None,
        branches=(Branch(name="1", target="big", when=cel("trigger.missing > 1")),),
        otherwise="small",
    )
    life = Life(workflow(choose, a_send("big"), a_send("small")))
    life.event()
    assert [name for _, name in sends(life)] == ["small"]
    assert len(entries(life, Kind.ERROR)) == 1


def test_split_goes_by_weight_and_always_the_same_way():
    split = Split(
        id="tone",
        next=None,
        branches=(
            Branch(name="a", target="a", weight=0.3),
            Branch(name="b", target="b", weight=0.7),
        ),
    )
    counts = Counter()
    for number in range(1000):
        life = Life(workflow(split, a_send("a"), a_send("b")), customer=a_customer(f"c{number}"))
        life.event()
        [(_, name)] = sends(life)
        counts[name] += 1
        again = Life(workflow(split, a_send("a"), a_send("b")), customer=a_customer(f"c{number}"))
        again.event(at=DAY)
        assert [other for _, other in sends(again)] == [name]
    assert 250 < counts["a"] < 350


def wait_for(**more):
    defaults = {
        "id": "paid",
        "next": None,
        "pattern": on("payment.received"),
        "match": {"order_id": cel("trigger.order_id")},
        "timeout": cel("duration('72h')"),
        "then": "thanks",
        "otherwise": "remind",
    }
    return WaitFor(**{**defaults, **more})


def test_wait_for_takes_the_event_that_matches_or_the_time_out():
    steps = [wait_for(), a_send("thanks"), a_send("remind")]
    life = Life(workflow(*steps))
    life.event(order_id="o1")
    life.event("payment.received", HOUR, order_id="o2")
    life.event("payment.received", 2 * HOUR, order_id="o1")
    assert sends(life) == [(2 * HOUR, "thanks")]
    life = Life(workflow(*steps))
    life.event(order_id="o1")
    life.event("payment.received", HOUR, order_id="o2")
    life.tick(4 * DAY)
    assert sends(life) == [(3 * DAY, "remind")]


def test_an_event_at_the_instant_of_the_time_out_still_counts():
    life = Life(workflow(wait_for(), a_send("thanks"), a_send("remind")))
    life.event(order_id="o1")
    life.event("payment.received", 3 * DAY, order_id="o1")
    assert sends(life) == [(3 * DAY, "thanks")]


def test_what_the_awaited_event_said_can_be_read_later():
    thanks = a_send(
        "thanks",
        variables={
            "amount": cel("steps.paid.event.amount"),
            "what": cel("steps.paid.event.type"),
            "how": cel("steps.paid.outcome"),
        },
    )
    kept = frozenset({"amount", "type"})
    life = Life(workflow(wait_for(keep=kept), thanks, a_send("remind")))
    life.event(order_id="o1")
    life.event("payment.received", HOUR, order_id="o1", amount=12.5, iban="secret")
    [queued] = life.of(Queue)
    assert queued.message.variables["amount"] == 12.5
    assert queued.message.variables["what"] == "payment.received"
    assert queued.message.variables["how"] == "matched"


def test_a_trigger_never_feeds_its_own_first_wait_for():
    awaiting = wait_for(pattern=on("cart.updated"), match={})
    life = Life(workflow(awaiting, a_send("thanks"), a_send("remind"), reentry="ignore"))
    life.event()
    assert sends(life) == []
    life.event(at=HOUR)
    assert sends(life) == [(HOUR, "thanks")]


def test_an_exit_beats_a_wait_for_on_the_same_event():
    rule = Exit(id="paid", pattern=on("payment.received"), when=None, outcome="paid")
    life = Life(workflow(wait_for(match={}), a_send("thanks"), a_send("remind"), exits=(rule,)))
    life.event(order_id="o1")
    life.event("payment.received", HOUR)
    assert sends(life) == []


def test_repeat_goes_round_with_a_pause_and_each_message_is_one_of_its_own():
    repeat = Repeat(id="chase", next="last", body="ask", every=cel("duration('72h')"), limit=3)
    life = Life(workflow(repeat, a_send("ask", "chase"), a_send("last")))
    life.event()
    life.tick(30 * DAY)
    assert sends(life) == [(0 * DAY, "ask"), (3 * DAY, "ask"), (6 * DAY, "ask"), (6 * DAY, "last")]
    assert len({q.message.id for q in life.of(Queue)}) == 4


def test_repeat_without_a_pause_misses_no_event_of_the_same_instant():
    repeat = Repeat(id="chase", next=None, body="paid", every=cel("duration('0s')"), limit=3)
    awaited = wait_for(then="thanks", otherwise="chase")
    life = Life(workflow(repeat, awaited, a_send("thanks", "chase")))
    life.event(order_id="o1")
    life.event("payment.received", HOUR, order_id="o1")
    life.event("payment.received", HOUR, order_id="o1")
    assert sends(life) == [(HOUR, "thanks"), (HOUR, "thanks")]
    assert len({queued.message.id for queued in life.of(Queue)}) == 2


def test_repeat_stops_when_its_condition_no_longer_holds():
    repeat = Repeat(
        id="chase",
        next=None,
        body="ask",
        every=cel("duration('24h')"),
        limit=9,
        while_=cel("now < trigger.occurred_at + duration('60h')"),
    )
    life = Life(workflow(repeat, a_send("ask", "chase")))
    life.event()
    life.tick(30 * DAY)
    assert len(sends(life)) == 3


def test_set_changes_attributes_and_tags():
    step = SetValues(
        id="mark",
        next=None,
        attributes={"country": cel("'FR'")},
        add_tags=("vip", "x"),
        remove_tags=("x",),
    )
    life = Life(workflow(step))
    life.event()
    assert life.customer.attributes["country"] == "FR"
    assert life.customer.tags == {"vip"}


def test_a_consent_step_takes_permission_away_and_gives_it_back_when_the_pause_is_over():
    rest = ChangeConsent(
        id="rest",
        next=None,
        state=ConsentChange.PAUSED,
        purpose="marketing",
        length=cel("duration('336h')"),
    )
    news = a_workflow(
        "news",
        trigger=EventTrigger(pattern=on("product.viewed")),
        exits=(),
        steps=[a_send(channels=("email",), purpose="marketing")],
    )
    life = Life(workflow(rest), news, customer=a_customer(consent=[("email", "marketing")]))
    life.event()
    life.event("product.viewed", DAY)
    assert sends(life) == []
    life.event("product.viewed", 15 * DAY)
    assert len(sends(life)) == 1
    [ledger] = life.of(LedgerEntry)
    assert ledger.consent.state is ConsentState.PAUSED


def test_a_consent_step_never_grants():
    for state in ConsentChange:
        life = Life(workflow(ChangeConsent(id="c", next=None, state=state)))
        life.event()
        assert all(c.state.value == state.value for c in life.customer.consents.values())


def test_an_emitted_event_is_decided_in_the_same_decision():
    emit = Emit(id="tell", next=None, event_type="order.late", data={"n": cel("trigger.n")})
    other = a_workflow(
        "late",
        trigger=EventTrigger(pattern=on("order.late"), when=cel("event.n == 3")),
        exits=(),
        steps=[a_send()],
    )
    life = Life(workflow(emit), other)
    life.event(n=3)
    assert [q.message.workflow for q in life.of(Queue)] == ["late"]


def test_an_event_for_another_customer_goes_to_their_inbox():
    emit = Emit(id="tell", next=None, event_type="referral.converted", to=cel("trigger.friend"))
    life = Life(workflow(emit))
    life.event(friend="bob")
    [tell] = life.of(Tell)
    assert (tell.to, tell.input.type, tell.input.customer_id) == (
        "bob",
        "referral.converted",
        "bob",
    )


def test_the_ninth_emit_of_a_loop_is_a_dead_letter():
    emit = Emit(id="tell", next=None, event_type="cart.updated")
    life = Life(workflow(emit, reentry="parallel"))
    life.event()
    [dead] = life.of(DeadLetter)
    assert (dead.reason, dead.event.hops) == ("emit_loop", 9)
    assert len(entries(life, Kind.ENTERED)) == 9


def test_end_names_its_outcome():
    life = Life(workflow(End(id="stop", next=None, outcome="no_answer")))
    life.event()
    [entry] = entries(life, Kind.EXITED)
    assert entry.reason == "no_answer"


def test_a_step_whose_guard_is_false_is_skipped():
    steps = [a_wait(next_step="reminder", only_if=cel("trigger.slow")), a_send()]
    life = Life(workflow(*steps))
    life.event(slow=False)
    assert sends(life) == [(0 * HOUR, "reminder")]


def test_a_wait_that_cannot_be_worked_out_ends_its_enrolment_only():
    broken = a_workflow(
        "broken", steps=[Wait(id="w", next=None, length=cel("trigger.missing"))], exits=()
    )
    life = Life(broken, a_workflow())
    life.event()
    life.tick(HOUR)
    assert [e.reason for e in entries(life, Kind.EXITED)] == ["error", "completed"]
    assert len(sends(life)) == 1


@pytest.mark.parametrize(
    ("days", "at", "expected"),
    [
        (frozenset(), "2026-03-03T07:00", "2026-03-03T08:00"),  # 09:00 in Paris
        (frozenset(), "2026-03-03T08:00", "2026-03-03T08:00"),
        (frozenset(), "2026-03-03T08:01", "2026-03-04T08:00"),
        (frozenset({5}), "2026-03-03T08:01", "2026-03-07T08:00"),
        (frozenset(), "2026-03-28T12:00", "2026-03-29T07:00"),  # summer time
    ],
)
def test_until_time_is_a_local_time_on_an_allowed_day(days, at, expected):
    steps = [Wait(id="w", next="reminder", until_time=time(9), days=days), a_send()]
    life = Life(workflow(*steps))
    life.event(at=datetime.fromisoformat(at).replace(tzinfo=UTC))
    life.tick(30 * DAY)
    assert [q.message.decided_at for q in life.of(Queue)] == [
        datetime.fromisoformat(expected).replace(tzinfo=UTC)
    ]


def test_a_goal_is_credited_once_within_its_time_and_since_the_last_send():
    goal = Goal(
        pattern=on("order.placed"),
        when=None,
        within=7 * DAY,
        since=Since.LAST_SEND,
        value=cel("event.total"),
    )
    life = Life(workflow(a_wait(), a_send(), goal=goal))
    life.event()
    life.event("order.placed", HOUR / 2, total=10)
    life.tick(HOUR)
    life.event("order.placed", 5 * DAY, total=80)
    life.event("order.placed", 6 * DAY, total=90)
    [entry] = entries(life, Kind.CONVERTED)
    assert entry.values == {"value": 80, "holdout": False}
    assert entry.step == "reminder"


def test_a_goal_may_ask_what_the_trigger_said():
    same = cel("event.order_id == trigger.order_id")
    goal = Goal(
        pattern=on("payment.received"), when=same, within=DAY, since=Since.ENTRY, value=None
    )
    life = Life(workflow(a_send(), goal=goal))
    life.event(order_id="o1")
    life.event("payment.received", HOUR, order_id="o2")
    assert entries(life, Kind.CONVERTED) == []
    life.event("payment.received", 2 * HOUR, order_id="o1")
    assert len(entries(life, Kind.CONVERTED)) == 1


def test_a_goal_after_its_time_is_not_credited():
    goal = Goal(
        pattern=on("order.placed"), when=None, within=7 * DAY, since=Since.LAST_SEND, value=None
    )
    life = Life(workflow(a_send(), goal=goal))
    life.event()
    life.event("order.placed", 8 * DAY)
    assert entries(life, Kind.CONVERTED) == []
    assert life.customer.goals == ()


def versions(on_change, **more):
    old = a_workflow(steps=[a_wait(), a_send()], digest="old")
    new = a_workflow(
        steps=[a_wait("pause", "5h", "better"), a_send("better")],
        digest="new",
        version=2,
        in_flight=InFlight(on_change=on_change, max_age=400 * DAY, **more),
    )
    return old, new


def deployed(life, new, old):
    life.rulebook = Rulebook(a_ruleset(new, retained={old.digest: old}))


def test_pinned_enrolments_finish_on_the_version_they_started_on():
    old, new = versions(OnChange.PIN)
    life = Life(old)
    life.event()
    deployed(life, new, old)
    life.tick(HOUR)
    assert sends(life) == [(HOUR, "reminder")]
    assert life.of(Queue)[0].message.version == 1


def test_an_upgrade_keeps_a_running_wait_and_goes_on_with_the_new_steps():
    old, new = versions(OnChange.UPGRADE, renamed={"settle": "pause"})
    life = Life(old)
    life.event()
    deployed(life, new, old)
    life.tick(HOUR)
    assert sends(life) == [(HOUR, "better")]


def test_an_upgrade_whose_step_is_gone_retires_the_enrolment():
    old, new = versions(OnChange.UPGRADE)
    life = Life(old)
    life.event()
    deployed(life, new, old)
    life.tick(HOUR)
    assert sends(life) == []
    assert [e.reason for e in entries(life, Kind.EXITED)] == ["retired"]


def test_a_reload_sends_nothing():
    life = Life(a_workflow())
    life.event()
    before = life.customer
    life.rulebook = Rulebook(life.rulebook.ruleset)
    assert life.tick(HOUR / 2) == ()
    assert life.customer.enrolments == before.enrolments


def test_an_enrolment_that_grew_too_old_expires():
    slow = a_workflow(
        steps=[a_wait(length="240h"), a_send()], in_flight=InFlight(max_age=5 * DAY), exits=()
    )
    life = Life(slow)
    life.event()
    life.tick(11 * DAY)
    assert [e.reason for e in entries(life, Kind.EXITED)] == ["expired"]
    assert sends(life) == []


def test_let_is_worked_out_when_it_is_read_and_may_not_read_itself():
    steps = [
        a_send("one", "two", variables={"x": cel("vars.big")}),
        a_send("two", only_if=cel("vars.loop")),
    ]
    life = Life(workflow(*steps, let={"big": cel("trigger.total > 10"), "loop": cel("vars.loop")}))
    life.event(total=20)
    assert life.of(Queue)[0].message.variables["x"] is True
    assert [e.reason for e in entries(life, Kind.DROPPED)] == ["guard"]


def test_an_emit_is_the_same_event_when_decided_again():
    emit = Emit(id="tell", next=None, event_type="x.done", to=cel("'bob'"))
    ids = set()
    for _ in range(2):
        life = Life(workflow(emit))
        life.give(an_event())
        ids.add(life.of(Tell)[0].input.id)
    assert len(ids) == 1
