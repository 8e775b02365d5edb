"""What is old is forgotten as the policy says, once a night, on a real database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from support.production import scratch_database, wait_for
from support.small_project import project_files

from shopflow.domain.customer import Consent, ConsentState, Customer
from shopflow.domain.event import Event
from shopflow.domain.journal import JournalEntry, Kind, LedgerEntry
from shopflow.domain.policy import Retention
from shopflow.rulebook import load_project
from shopflow.runtime.app import open_app
from shopflow.runtime.hashes import Hashes
from shopflow.runtime.nightly import Nightly
from shopflow.runtime.retirement import Retirement
from shopflow.runtime.upkeep import DONE, HOUR, SCHEDULE, forget_old, starter
from shopflow.store.opening import open_store
from shopflow.store.records import Arrival

NOW = datetime(2026, 3, 3, 10, tzinfo=UTC)
DAY = timedelta(days=1)
KINDS = ("product.viewed", "order.placed")
SHORT = Retention(
    events=30 * DAY,
    event_types={"product.viewed": 10 * DAY},
    journal=20 * DAY,
    dead_letters=5 * DAY,
)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request, tmp_path):
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'shop.db'}"
        return
    with scratch_database() as url:
        yield url


@pytest.fixture
def store(url):
    store = open_store(url, partitions=2)
    yield store
    store.close()


def an_arrival(store, name, kind, at):
    event = Event(id=name, type=kind, occurred_at=at, data={}, customer_id="anna")
    return Arrival(store.partition_of("anna"), event, b"{}")


def live(store, ages, now=NOW):
    """On each of these days before now: a look, an order, something decided, a dead letter."""
    with store.transaction() as batch:
        for age in ages:
            at = now - age * DAY
            batch.accept_events([an_arrival(store, f"{kind}-{age}", kind, at) for kind in KINDS])
            batch.journal([JournalEntry(at=at, customer_id="anna", kind=Kind.ENTERED)])
            batch.dead_letter("payload", at=at)


def kept(store, now=NOW):
    """How old the oldest of each is, in days."""
    timeline = store.views.timeline("anna")
    looks = [one for one in timeline.events if one.type == "product.viewed"]
    orders = [one for one in timeline.events if one.type == "order.placed"]
    letters = store.views.dead_letters()
    times = [
        min(one.occurred_at for one in looks),
        min(one.occurred_at for one in orders),
        min(one.at for one in timeline.journal),
        min(one.at for one in letters),
    ]
    return [(now - at).days for at in times]


def test_each_is_kept_for_as_long_as_the_policy_says(store):
    live(store, range(60))
    forget_old(store, SHORT, NOW)
    assert kept(store) == [10, 30, 20, 5]
    # The sum of what came in is what it was.
    assert store.views.status().events == {"accepted": 120}


def test_a_night_that_was_missed_is_made_up_for(store):
    live(store, range(-9, 40))
    forget_old(store, SHORT, NOW)
    later = NOW + 9 * DAY
    forget_old(store, SHORT, later)
    assert kept(store, later) == [10, 30, 20, 5]
    assert store.views.occurrences()[DONE] == later


def test_a_run_of_its_own_process_forgets(url, store):
    now = datetime.now(UTC)
    live(store, [0, 2, 100, 500], now)
    starter(url, 2, Retention(), Retirement(hashes=Hashes(b"key")))()
    wait_for(lambda: DONE in store.views.occurrences())
    assert kept(store, now) == [2, 100, 100, 2]


def test_it_is_done_once_a_night_and_not_on_the_first(store):
    begun = []
    nights = [
        Nightly(store, UTC, lambda: begun.append(1), schedule=SCHEDULE, hour=HOUR) for _ in "ab"
    ]
    for hours in (0, 1, 17, 18, 19, 20, 43, 44):
        for night in nights:
            night.look(NOW + timedelta(hours=hours))
    # At 4 in the morning is 18 hours later, and once more a day after that.
    assert len(begun) == 2


def test_a_worker_knows_the_policy_and_makes_room(folder, url):
    policy = {
        "apiVersion": "shopflow/v1",
        "kind": "Retention",
        "event_types": {"order.placed": "2w"},
    }
    root = folder(project_files(**{"rules/policies/retention.yaml": policy}))
    retention = load_project(root, env={}).require().ruleset.retention
    assert retention == Retention(event_types={"order.placed": 14 * DAY})
    with open_app(root, project={"database": url}) as app:
        assert sum(isinstance(one, Nightly) for one in app.nightly()) == 2


def retired(store, **retention):
    wanted = Retention(people_since="last_sign_at", **retention)
    return Retirement(hashes=Hashes(b"key")).retire(store, wanted, NOW)


def signed(days):
    """What `last: event.occurred_at` keeps of a sign of life so many days ago."""
    at = NOW - days * DAY
    return {"last_sign_at": [int(at.timestamp() * 1_000_000), at.isoformat()]}


def test_people_are_erased_three_years_after_their_last_contact(url):
    store = open_store(url, partitions=4)
    with store.transaction() as batch:
        batch.save(
            [
                Customer(id="gone", traits=signed(1096), watermark=NOW - 9 * DAY),
                Customer(id="here", traits=signed(1094), watermark=NOW - 2000 * DAY),
                Customer(id="silent", watermark=NOW - 1096 * DAY),
                Customer(id="new"),
            ]
        )
    assert retired(store) == 2
    found = store.views.customers(["gone", "here", "silent", "new"])
    assert set(found) == {"here", "new"}
    assert next(store.people.suppressions(), None) is None, "who never refused may come back"
    assert Retirement(hashes=Hashes(b"key")).retire(store, Retention(), NOW) == 0
    store.close()


def test_the_opt_out_of_whoever_refused_outlives_them(url):
    store = open_store(url, partitions=4)
    refused = Consent(state=ConsentState.WITHDRAWN, at=NOW - 1200 * DAY)
    customer = Customer(id="gone", traits=signed(1100), consents={("email", "marketing"): refused})
    with store.transaction() as batch:
        batch.save([customer])
    assert retired(store) == 1
    assert [one.reason for one in store.people.suppressions()] == ["erased"]
    store.close()


def test_whoever_signed_up_and_never_confirmed_is_erased_after_a_month(url):
    store = open_store(url, partitions=4)

    def asked(days):
        pending = Consent(state=ConsentState.PENDING, at=NOW - days * DAY)
        return {"consents": {("email", "marketing"): pending}, "watermark": NOW - days * DAY}

    def event(of, kind):
        return Event(
            id=f"{of}-{kind}", type=kind, occurred_at=NOW - 40 * DAY, data={}, customer_id=of
        )

    events = [event("gone", "newsletter.subscribed"), event("buyer", "order.placed")]
    with store.transaction() as batch:
        batch.accept_events(
            [Arrival(store.partition_of(one.customer_id), one, b"{}") for one in events]
        )
        batch.save(
            [
                Customer(id="gone", **asked(31)),
                Customer(id="fresh", **asked(29)),
                Customer(id="buyer", **asked(40)),
            ]
        )
    assert retired(store) == 1
    assert set(store.views.customers(["gone", "fresh", "buyer"])) == {"fresh", "buyer"}
    store.close()


def test_the_proof_of_a_consent_goes_five_years_after_its_end(url):
    store = open_store(url, partitions=4)

    def entry(state, days, purpose="marketing"):
        consent = Consent(state=state, at=NOW - days * DAY)
        return LedgerEntry(customer_id="a", channel="email", purpose=purpose, consent=consent)

    granted, withdrawn = ConsentState.GRANTED, ConsentState.WITHDRAWN
    with store.transaction() as batch:
        batch.ledger(
            [
                entry(granted, 4000),
                entry(withdrawn, 1900),
                entry(granted, 1850),
                entry(granted, 4000, "other"),
                entry(granted, 4000, "late"),
                entry(withdrawn, 100, "late"),
            ]
        )
    forget_old(store, Retention(), NOW)
    left = [(e.purpose, e.consent.state) for e in store.people.ledger(["a"])]
    assert left == [
        ("marketing", "granted"),
        ("other", "granted"),
        ("late", "granted"),
        ("late", "withdrawn"),
    ]
    store.close()
