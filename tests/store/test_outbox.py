"""Messages leave once, in the right order, and what became of each is known."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from shopflow.domain.event import DeliveryReport, Outcome
from shopflow.domain.journal import Cancel
from shopflow.domain.policy import MessageClass
from shopflow.errors import Conflict
from shopflow.store.records import Begun, DeliveryState, Fence, Pause, Retry, Settled

MINUTE = timedelta(minutes=1)


@pytest.fixture
def queue(store):
    def put(*messages):
        with store.transaction() as batch:
            batch.queue(messages)

    return put


@pytest.fixture
def lease(store, now):
    def take(owner="one", limit=100, at=now, channel="email"):
        return store.outbox.lease(channel, limit=limit, now=at, owner=owner, lease_for=MINUTE)

    return take


def ids(leased):
    return [one.message.id for one in leased]


def states(store):
    return {kept.message.id: kept.state.value for kept in store.views.messages()}


def settled(message, outcome, now, **more):
    report = DeliveryReport(message=message, outcome=outcome, at=now, **more)
    return Settled(report=report, provider_id="p1", cost=Decimal("0.0004"))


def inbox(store):
    with store.transaction() as batch:
        return batch.take_inbox(limit=100)


def test_service_goes_first_then_priority_then_age(make, queue, lease, now):
    queue(
        make.message(id="young", decided_at=now),
        make.message(id="old", decided_at=now - MINUTE),
        make.message(id="high", priority=90),
        make.message(id="service", priority=0, message_class=MessageClass.SERVICE),
        make.message(id="other", channel="sms"),
    )
    assert ids(lease(limit=3)) == ["service", "high", "old"]
    assert ids(lease()) == ["young"]


def test_a_message_is_leased_once(make, queue, lease, store):
    queue(make.message(), make.message())
    assert len(lease("one")) == 2
    assert lease("two") == []
    assert store.outbox.pending() == 2


def test_two_deliverers_never_lease_the_same(opener, make, now):
    stores = [opener(), opener(), opener()]
    with stores[0].transaction() as batch:
        batch.queue([make.message() for _ in range(60)])
    taken = [[] for _ in stores]

    def work(number, store):
        while leased := store.outbox.lease(
            "email", limit=7, now=now, owner=str(number), lease_for=MINUTE
        ):
            taken[number] += ids(leased)

    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(stores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    every = [key for keys in taken for key in keys]
    assert len(every) == len(set(every)) == 60


def test_an_accepted_message_is_sent_told_and_counted(make, queue, lease, store, now):
    queue(message := make.message())
    (leased,) = lease()
    assert (leased.attempt, leased.uncertain) == (1, 0)
    assert store.outbox.record(owner="one", begun=[Begun(message.id, now), Begun("x", now)]) == {
        message.id
    }
    word = settled(message, Outcome.ACCEPTED, now)
    assert store.outbox.record(owner="one", settled=[word]) == {message.id}
    # Told twice, it counts once.
    assert store.outbox.record(owner="one", settled=[word]) == set()

    (kept,) = store.views.messages(state=DeliveryState.SENT)
    assert (kept.attempts, kept.provider_id, kept.changed_at) == (1, "p1", now)
    assert inbox(store) == [("anna", word.report)]
    (row,) = store.views.stats()
    assert (row.key.result, row.count, row.cost) == ("delivery:accepted", 1, Decimal("0.0004"))
    assert store.outbox.pending() == 0
    assert store.outbox.next_attempt_at() is None


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.DROPPED, Outcome.RETURNED])
def test_other_words_end_the_attempt_too(make, queue, lease, store, now, outcome):
    queue(message := make.message())
    lease()
    word = settled(message, outcome, now, reason="because")
    assert store.outbox.record(owner="one", settled=[word]) == {message.id}
    (kept,) = store.views.messages()
    assert (kept.state, kept.reason) == (outcome.value, "because")
    assert inbox(store) == [("anna", word.report)]
    assert lease() == []


def test_an_accepted_message_is_kept_without_what_its_report_blanks(make, queue, lease, store, now):
    queue(message := make.message(variables={"reset_token": "hush"}))
    lease()
    blanked = replace(message, variables={"reset_token": "***"})
    store.outbox.record(owner="one", settled=[settled(blanked, Outcome.ACCEPTED, now)])
    assert store.views.messages()[0].message == blanked


def test_only_the_owner_of_the_lease_may_say_that_it_failed(make, queue, lease, store, now):
    queue(message := make.message())
    lease("one")
    failed = settled(message, Outcome.FAILED, now)
    assert store.outbox.record(owner="two", settled=[failed]) == set()
    retry = Retry(message_id=message.id, at=now, reason="timeout")
    assert store.outbox.record(owner="two", retries=[retry]) == set()
    assert store.outbox.record(owner="two", begun=[Begun(message.id, now)]) == set()
    assert states(store) == {message.id: "leased"}


def test_a_late_acceptance_counts_since_the_message_has_left(make, queue, lease, store, now):
    queue(message := make.message())
    lease("one")
    store.outbox.record(owner="one", begun=[Begun(message.id, now)])
    store.outbox.recover(now=now + 2 * MINUTE, resend=["email"])
    accepted = settled(message, Outcome.ACCEPTED, now + 2 * MINUTE)
    assert store.outbox.record(owner="one", settled=[accepted]) == {message.id}
    assert lease("two", at=now + 3 * MINUTE) == []


def test_what_somebody_has_in_hand_is_known_until_there_is_word(make, queue, lease, store, now):
    queue(message := make.message())
    assert not store.outbox.in_hand()
    lease("one")
    assert store.outbox.in_hand()
    store.outbox.record(owner="one", begun=[Begun(message.id, now)])
    assert store.outbox.in_hand()
    store.outbox.record(owner="one", settled=[settled(message, Outcome.ACCEPTED, now)])
    assert not store.outbox.in_hand()


def test_a_retry_waits_in_the_outbox(make, queue, lease, store, now):
    queue(message := make.message())
    lease()
    store.outbox.record(owner="one", begun=[Begun(message.id, now)])
    retry = Retry(message_id=message.id, at=now + MINUTE, reason="timeout")
    assert store.outbox.record(owner="one", retries=[retry]) == {message.id}
    assert store.outbox.next_attempt_at() == now + MINUTE
    assert inbox(store) == []
    assert lease() == []
    (again,) = lease(at=now + MINUTE)
    assert (again.attempt, again.uncertain) == (2, 0)


def test_a_doubtful_retry_is_listed(make, queue, lease, store, now):
    queue(message := make.message())
    lease()
    store.outbox.record(owner="one", begun=[Begun(message.id, now)])
    retry = Retry(message_id=message.id, at=now, reason="timeout", uncertain=True)
    store.outbox.record(owner="one", retries=[retry])
    (again,) = lease()
    assert again.uncertain == 1
    assert [kept.message.id for kept in store.views.status().uncertain] == [message.id]


def test_a_cancel_stops_what_no_attempt_has_begun_of(make, queue, lease, store, now):
    leased, begun = make.message(id="leased"), make.message(id="begun")
    queue(leased, begun, make.message(id="queued", channel="sms"))
    lease()
    store.outbox.record(owner="one", begun=[Begun(begun.id, now)])
    names = ("queued", "leased", "begun", "unknown")
    with store.transaction() as batch:
        stopped = batch.cancel([Cancel(message_id=key, reason="exited") for key in names])
        assert sorted(stopped) == ["leased", "queued"]
        assert stopped["leased"].id == leased.id
    assert states(store) == {"leased": "dropped", "queued": "dropped", "begun": "attempted"}
    assert lease(channel="sms") == []


def test_whoever_leased_a_message_that_was_stopped_may_not_begin_it(make, queue, lease, store, now):
    queue(message := make.message())
    lease()
    with store.transaction() as batch:
        batch.cancel([Cancel(message_id=message.id, reason="no_consent")])
    assert store.outbox.record(owner="one", begun=[Begun(message.id, now)]) == set()
    back = Retry(message_id=message.id, at=now, reason="")
    assert store.outbox.record(owner="one", retries=[back]) == set()
    assert states(store) == {message.id: "dropped"}


def test_a_returned_message_goes_again_when_its_step_wants_it(make, queue, lease, store, now):
    queue(message := make.message())
    lease()
    store.outbox.record(owner="one", settled=[settled(message, Outcome.RETURNED, now)])
    later = replace(message, send_by=now + timedelta(days=3), decided_at=now + MINUTE)
    with store.transaction() as batch:
        batch.requeue([later, make.message(id="never-seen")])
    assert lease() == []
    assert [one.message for one in lease(at=now + MINUTE)] == [later]
    with store.transaction() as batch:
        # In someone's hands: too late to be asked for again.
        batch.requeue([message])
    assert states(store) == {message.id: "leased"}


def test_a_returned_message_can_be_cancelled(make, queue, lease, store, now):
    queue(message := make.message())
    lease()
    store.outbox.record(owner="one", settled=[settled(message, Outcome.RETURNED, now)])
    with store.transaction() as batch:
        assert set(batch.cancel([Cancel(message_id=message.id, reason="exited")])) == {message.id}


def test_what_a_dead_deliverer_held_is_taken_back(make, queue, lease, store, now):
    queue(
        make.message(id="begun-email"),
        make.message(id="begun-sms", channel="sms"),
        make.message(id="only-leased"),
        make.message(id="untouched", channel="webhook"),
    )
    lease()
    lease(channel="sms")
    begun = ["begun-email", "begun-sms"]
    store.outbox.record(owner="one", begun=[Begun(key, now) for key in begun])

    assert store.outbox.recover(now=now, resend=["email"]).requeued == 0, "leases still run"
    recovered = store.outbox.recover(now=now, resend=["email"], owner="one")

    assert recovered.requeued == 1
    assert [kept.message.id for kept in recovered.resent] == ["begun-email"]
    assert [kept.message.id for kept in recovered.held] == ["begun-sms"]
    assert states(store) == {
        "begun-email": "queued",
        "begun-sms": "uncertain",
        "only-leased": "queued",
        "untouched": "queued",
    }
    ((to, report),) = inbox(store)
    assert (to, report.outcome, report.message.id) == ("anna", Outcome.UNCERTAIN, "begun-sms")
    status = store.views.status()
    assert {kept.message.id for kept in status.uncertain} == set(begun)
    assert status.workflows["cart"] == {"delivery:uncertain": 1}
    attempts = {one.message.id: (one.attempt, one.uncertain) for one in lease("two")}
    assert attempts == {"begun-email": (2, 1), "only-leased": (1, 0)}


def test_a_lease_that_ran_out_is_taken_back_from_anyone(make, queue, lease, store, now):
    queue(make.message(id="m"))
    lease("gone")
    recovered = store.outbox.recover(now=now + MINUTE, resend=[], owner="other")
    assert recovered.requeued == 1
    assert ids(lease("two", at=now + MINUTE)) == ["m"]


def test_behind_a_fence_that_another_took_down_nothing_is_leased(opener, make, now):
    first, second = opener(), opener()
    with first.transaction() as batch:
        batch.queue([make.message() for _ in range(3)])
    mine = Fence("deliver:email", first.take_over("deliver:email").epoch)
    held = {"limit": 2, "now": now, "owner": "one", "lease_for": MINUTE, "fence": mine}
    assert len(first.outbox.lease("email", **held)) == 2
    second.take_over("deliver:email")
    second.outbox.recover(now=now, resend=[], owner="one")
    with pytest.raises(Conflict, match="another reader took over the stream deliver:email"):
        first.outbox.lease("email", **held)
    assert set(states(second).values()) == {"queued"}


def test_a_lane_takes_back_its_own_channel_only(make, queue, lease, store, now):
    queue(make.message(id="mail"), make.message(id="text", channel="sms"))
    lease()
    lease(channel="sms")
    store.outbox.record(owner="one", begun=[Begun("mail", now), Begun("text", now)])
    store.outbox.recover(now=now + MINUTE, resend=["email"], channel="email")
    assert states(store) == {"mail": "queued", "text": "attempted"}


LEFT = {
    "all": [],
    "channel:email": [],
    "channel:sms": ["service", "review", "cart"],
    "marketing": ["service"],
    "workflow:cart": ["service", "review"],
}


@pytest.mark.parametrize("scope", LEFT)
def test_what_a_pause_covers_stays_queued(make, queue, lease, store, now, scope):
    queue(
        make.message(id="service", message_class=MessageClass.SERVICE, workflow="password"),
        make.message(id="cart", priority=90),
        make.message(id="review", message_class=MessageClass.RELATIONSHIP, workflow="review"),
    )
    store.pause(Pause(scope=scope, reason="test", at=now))
    assert ids(lease()) == LEFT[scope]
    store.resume(scope, at=now)
    assert len(lease("two")) == 3 - len(LEFT[scope])


def test_messages_are_listed_by_state_workflow_customer_and_channel(make, queue, lease, store, now):
    queue(
        make.message(id="a", decided_at=now - MINUTE),
        make.message(id="b", workflow="review", customer_id="ben"),
        make.message(id="c", channel="sms"),
    )
    lease()
    views = store.views
    assert [kept.message.id for kept in views.messages()] == ["c", "b", "a"]
    assert [kept.message.id for kept in views.messages(workflow="review")] == ["b"]
    assert [kept.message.id for kept in views.messages(state=DeliveryState.QUEUED)] == ["c"]
    assert [kept.message.id for kept in views.messages(customer="ben")] == ["b"]
    assert [kept.message.id for kept in views.messages(channel="sms")] == ["c"]
    assert views.messages(customer="ben", channel="sms") == []
    assert [kept.message.id for kept in views.messages(limit=1)] == ["c"]
