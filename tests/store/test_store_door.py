"""What comes in from outside: whose an address is, and what was taken in before."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shopflow.domain.ids import CustomerId
from shopflow.store.door import AddressLink
from shopflow.store.people import Erasure

ANNA, BERT = CustomerId("anna"), CustomerId("bert")


def test_an_address_may_be_of_several_and_moves_with_them(store):
    with store.transaction() as batch:
        batch.link_addresses((), {AddressLink("h1", ANNA), AddressLink("h1", BERT)})
        batch.link_addresses((), {AddressLink("h1", ANNA)})
    assert store.people.at_address(["h1", "h2"]) == [ANNA, BERT]
    with store.transaction() as batch:
        batch.link_addresses({AddressLink("h1", ANNA)}, {AddressLink("h2", ANNA)})
    assert store.people.at_address(["h1"]) == [BERT]
    assert store.people.at_address(["h2"]) == [ANNA]
    assert store.people.at_address([]) == []


def test_who_is_erased_is_at_no_address(store, now):
    with store.transaction() as batch:
        batch.link_addresses((), {AddressLink("h1", ANNA), AddressLink("h1", BERT)})
    store.people.erase(Erasure(ids=[ANNA], hashes=["x"], at=now))
    assert store.people.at_address(["h1"]) == [BERT]


def test_what_was_taken_is_not_taken_again_until_it_is_forgotten(store, now):
    with store.transaction() as batch:
        assert batch.take_once("k", now)
        assert not batch.take_once("k", now + timedelta(days=2))
    store.people.forget_taken(now)
    with store.transaction() as batch:
        assert not batch.take_once("k", now)
    store.people.forget_taken(now + timedelta(seconds=1))
    with store.transaction() as batch:
        assert batch.take_once("k", now)


def test_a_transaction_that_fails_took_nothing(store, now):
    def fail():
        with store.transaction() as batch:
            batch.take_once("k", now)
            batch.link_addresses((), {AddressLink("h1", ANNA)})
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail()
    assert store.people.at_address(["h1"]) == []
    with store.transaction() as batch:
        assert batch.take_once("k", now)
