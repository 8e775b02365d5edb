"""What is kept of single persons: the ledger is only added to, suppressions have scopes."""

from __future__ import annotations

import sqlite3
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from shopflow.domain.customer import Consent, ConsentState, LegalBasis, SuppressionScope
from shopflow.domain.ids import CustomerId
from shopflow.domain.journal import LedgerEntry
from shopflow.store.mentions import blanked, pattern_of
from shopflow.store.people import Erasure, Lifted
from shopflow.store.records import Suppression

ANNA = CustomerId("anna")

#: Whoever holds the memory may do as they like, and a simulation is over before anybody asks to be
#: forgotten.
in_sql = pytest.mark.parametrize("opener", ["sqlite", "postgres"], indirect=True)


def an_entry(now, customer="anna", state=ConsentState.GRANTED, **more):
    consent = Consent(state=state, at=now, basis=LegalBasis.SOFT_OPT_IN, until=None)
    given = {"channel": "email", "purpose": "marketing", "consent": consent}
    told = {"source": "checkout", "text_version": "v3", "proof": "log 7", "event_id": "e1"}
    return LedgerEntry(customer_id=customer, **given | told | more)


def test_the_ledger_gives_back_what_was_written_in_order(store, now):
    entries = [an_entry(now), an_entry(now, state=ConsentState.WITHDRAWN), an_entry(now, "bert")]
    with store.transaction() as batch:
        batch.ledger(entries)
    assert store.people.ledger([ANNA]) == entries[:2]


def forbidden(url, *statements):
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    try:
        for statement in statements:
            with pytest.raises(DBAPIError, match="only added to"), engine.begin() as connection:
                connection.execute(text(statement))
    finally:
        engine.dispose()


@in_sql
def test_nobody_changes_or_deletes_an_entry_of_the_ledger(opener, now):
    store = opener()
    with store.transaction() as batch:
        batch.ledger([an_entry(now)])
    forbidden(
        opener.url,
        "UPDATE consents SET state = 'granted'",
        "DELETE FROM consents",
        "DELETE FROM consents WHERE customer_id = 'anna'",
    )
    assert len(store.people.ledger([ANNA])) == 1


def test_a_permit_to_erase_is_for_its_entries_only_and_never_left_behind(opener, now):
    store = opener()
    with store.transaction() as batch:
        batch.ledger([an_entry(now), an_entry(now, "bert")])
    store.people.erase(Erasure(ids=[ANNA], hashes=["h"], at=now))
    assert store.people.ledger([ANNA]) == []
    assert len(store.people.ledger([CustomerId("bert")])) == 1
    if opener.url != "memory:":
        forbidden(opener.url, "DELETE FROM consents")


def test_a_visitor_is_found_by_the_customer_that_it_turned_out_to_be(store, make):
    with store.transaction() as batch:
        batch.save([make.customer("v1", alias_of="anna"), make.customer("v2", alias_of="v1")])
        batch.save([make.customer("anna"), make.customer("v3", alias_of="bert")])
    assert store.people.aliases(ANNA) == ["v1", "v2"]


def test_old_aliases_are_found_too(tmp_path, make):
    """Those from before there was a table of them."""
    from shopflow.store.opening import open_store, upgrade  # noqa: PLC0415

    url = f"sqlite:///{tmp_path / 'shop.db'}"
    store = open_store(url)
    with store.transaction() as batch:
        batch.save([make.customer("v1", alias_of="anna")])
    store.close()
    from alembic.operations import Operations  # noqa: PLC0415
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415

    from shopflow.store.sql import migrate  # noqa: PLC0415

    engine = create_engine(url)
    with engine.begin() as connection:
        context = MigrationContext.configure(connection)
        scripts = migrate.known_steps()
        step = next(s for s in scripts.walk_revisions() if s.revision == "0009")
        with Operations.context(context):
            for script in scripts.iterate_revisions("heads", step.down_revision):
                script.module.downgrade()
            context.stamp(scripts, step.down_revision)
    engine.dispose()
    assert upgrade(url)
    again = open_store(url)
    assert again.people.aliases(ANNA) == ["v1"]
    again.close()


def stop(now, hash_="h", channel="email", scope=SuppressionScope.MARKETING, **more):
    return Suppression(hash=hash_, channel=channel, scope=scope, at=now, **more)


def test_one_address_may_be_stopped_by_several_scopes(store, now):
    bounced = stop(now, scope=SuppressionScope.ADDRESS, reason="hard_bounce")
    with store.transaction() as batch:
        batch.suppress([stop(now, reason="complaint"), bounced])
    assert {s.scope for s in store.views.suppressions(["h"])} == {"marketing", "address"}
    assert [s.reason for s in store.people.suppressions()] == ["hard_bounce", "complaint"]


def test_of_two_words_on_one_suppression_the_later_stays(store, now):
    later = now + timedelta(hours=1)
    store.people.suppress([stop(later, reason="complaint")])
    store.people.suppress([stop(now, reason="manual")])
    [found] = store.people.suppressions()
    assert (found.reason, found.at) == ("complaint", later)


def test_what_is_lifted_is_what_stopped_marketing_before(store, now):
    later = now + timedelta(hours=1)
    store.people.suppress(
        [
            stop(now, channel=""),
            stop(now, scope=SuppressionScope.PERSON),
            stop(now, scope=SuppressionScope.ADDRESS),
            stop(later),
            stop(now, channel="sms"),
        ]
    )
    with store.transaction() as batch:
        batch.lift([Lifted("h", "email", now)])
    left = {(s.channel, s.scope) for s in store.people.suppressions()}
    assert left == {("email", "address"), ("email", "marketing"), ("sms", "marketing")}


def test_suppressions_are_read_page_by_page(store, now, monkeypatch):
    monkeypatch.setattr("shopflow.store.sql.people.PAGE", 2)
    hashes = [f"h{number}" for number in range(5)]
    store.people.suppress([stop(now, each) for each in hashes])
    assert [s.hash for s in store.people.suppressions()] == hashes
    assert store.people.unsuppress(["h1", "h3", "none"], "email") == 2
    assert [s.hash for s in store.people.suppressions()] == ["h0", "h2", "h4"]


def test_a_batch_sees_who_was_erased(store, now):
    store.people.erase(Erasure(ids=[ANNA], hashes=["h1"], at=now))
    store.people.erase(Erasure(ids=["v"], hashes=["h2"], at=now))
    with store.transaction() as batch:
        every = batch.tombstones(0)
        assert [(s.hash, s.at) for s in every] == [("h1", now), ("h2", now)]
        assert batch.tombstones(every[0].seq) == every[1:]


def test_settings_keep_the_first_word_until_it_is_changed(store):
    assert store.people.hold_setting("key", "a") == "a"
    assert store.people.hold_setting("key", "b") == "a"
    store.people.set_setting("key", "b")
    assert store.people.hold_setting("key", "c") == "b"


@pytest.mark.parametrize(
    ("text_", "expected"),
    [
        ('{"to": "anna@x.fr"}', '{"to": "***"}'),
        ('{"to": "Anna@X.fr."}', '{"to": "***."}'),
        ('{"to": "joanna@x.fr"}', '{"to": "joanna@x.fr"}'),
        ('{"to": "anna@x.fr.example"}', '{"to": "anna@x.fr.example"}'),
        ('{"a": "anna@x.fr,+33612345678"}', '{"a": "***,***"}'),
        ('{"a": "+336123456789"}', '{"a": "+336123456789"}'),
    ],
)
def test_an_address_is_blanked_and_longer_ones_are_somebody_elses(text_, expected):
    assert blanked(pattern_of(["anna@x.fr", "+33612345678"]), text_, "***") == expected


@in_sql
def test_what_others_rows_say_of_somebody_is_blanked(opener, make):
    store = opener()
    with store.transaction() as batch:
        raw = b'{"friend": "Anna@example.org"}'
        batch.accept_events([make.arrival(store.partition_of("bert"), raw, customer_id="bert")])
        batch.save([make.customer("bert", attributes={"friend": "anna@example.org"})])
        batch.queue([make.message(customer_id="bert", variables={"m": "anna@example.org"})])
        batch.journal([make.entry(customer_id="bert", values={"x": "anna@example.org"})])
    assert store.people.mentions(["anna@example.org"], blank="***") == 4
    assert store.views.customer("bert").attributes == {"friend": "***"}
    assert store.views.timeline("bert").events[0].payload == '{"friend": "***"}'
    assert store.people.mentions([], blank="***") == 0


def test_what_was_deleted_is_no_longer_in_the_files_of_sqlite(tmp_path, make):
    from shopflow.store.opening import open_store  # noqa: PLC0415

    path = tmp_path / "shop.db"
    store = open_store(f"sqlite:///{path}")
    with store.transaction() as batch:
        batch.save([make.customer(attributes={"note": "Zwiebelkuchen" * 500})])
    store.people.erase(Erasure(ids=[ANNA], hashes=["h"], at=make.event().occurred_at))
    store.people.scrub()
    assert all(b"Zwiebel" not in file.read_bytes() for file in tmp_path.iterdir())
    store.close()
    assert sqlite3.connect(path).execute("SELECT count(*) FROM customers").fetchone() == (0,)
