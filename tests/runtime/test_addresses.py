"""Whose an address is, by keyed hash: kept with every change of it."""

from __future__ import annotations

import pytest
from support.pages import pages_in_process

from shopflow.report.sentences import sentence
from shopflow.report.status import as_json
from shopflow.runtime.addresses import fill_index, who_has
from shopflow.store.door import AddressLink


@pytest.fixture(scope="module")
def inside(tmp_path_factory):
    with pages_in_process(tmp_path_factory.mktemp("addresses")) as found:
        yield found


@pytest.fixture
def who(inside):
    return lambda address: who_has(inside.store, inside.app.hashes, address)


def test_an_address_leads_to_whoever_has_it_now(inside, who):
    inside.tell("anna", "customer.updated", email="anna@example.com", phone="+33612345678")
    inside.tell("bert", "customer.updated", email="Anna@Example.com")
    assert who("ANNA@example.com") == ["anna", "bert"]
    assert who("+33 6 12 34 56 78") == ["anna"]
    inside.tell("bert", "customer.updated", email="bert@example.com")
    assert who("anna@example.com") == ["anna"]
    assert who("nobody@example.com") == who("") == []


def test_people_from_before_there_was_an_index_are_found_after_it_is_filled(inside, who):
    inside.tell("emil", "customer.updated", email="emil@example.com")
    (link,) = [AddressLink(inside.app.hashes.address("emil@example.com"), "emil")]
    with inside.store.transaction() as batch:
        batch.link_addresses({link}, ())
    assert who("emil@example.com") == []
    fill_index(inside.store, inside.app.hashes)
    assert who("emil@example.com") == [], "it was filled for this key already"
    inside.store.people.set_setting("addresses_of", "another key")
    fill_index(inside.store, inside.app.hashes)
    assert who("emil@example.com") == ["emil"]


def test_what_is_no_address_is_told_and_counted_and_what_was_known_stays(inside, who):
    inside.tell("fred", "customer.updated", email="fred@example.com", phone="+33611223344")
    inside.tell(
        "fred",
        "customer.updated",
        email="fred@",
        phone="06 11 22 33 45",
        country="FR",
        first_name="F",
    )
    fred = inside.parts.wishes.customer("fred")
    assert fred.attributes["email"] == "fred@example.com"
    assert fred.attributes["first_name"] == "F"
    assert who("+33611223345") == ["fred"]
    (line,) = [e for e in inside.store.views.timeline("fred").journal if e.kind == "unusable"]
    assert line.reason == "email"
    assert "no address" in sentence(line)
    status = as_json(inside.store.views.status())
    assert status["unusable_addresses"] == {"email": 1}
    told = [one.email for one in inside.events("fred")]
    assert told == ["fred@example.com", "fred@"], "the event is kept as it was sent"
