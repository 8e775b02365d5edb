"""What a running process knows of keys: new ones soon, and the known ones while nobody answers."""

from __future__ import annotations

import pytest

from shopflow.errors import StoreError
from shopflow.runtime.keys import KNOWN_WITHIN, KeysNow


class Away:
    """A store that answers, or does not."""

    def __init__(self):
        self.keys, self.asked, self.now = ("first",), 0, 0.0

    def read(self):
        self.asked += 1
        if self.keys is None:
            raise StoreError("no answer")
        return self.keys


@pytest.fixture
def store():
    return Away()


@pytest.fixture
def known(store):
    return KeysNow(store.read, lambda: store.now)


def test_a_new_key_is_known_within_half_a_minute_and_nobody_asks_sooner(store, known):
    assert known() == ("first",)
    store.keys = ("second", "first")
    assert known() == ("first",)
    assert store.asked == 1
    store.now += KNOWN_WITHIN
    assert known() == ("second", "first")


def test_known_keys_serve_while_the_store_does_not_answer(store, known):
    known()
    store.keys, store.now = None, 2 * KNOWN_WITHIN
    assert known() == ("first",)


def test_without_any_known_key_it_is_an_error(store, known):
    store.keys = None
    with pytest.raises(StoreError):
        known()
