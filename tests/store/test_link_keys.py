"""The keys of links: the newest seals, none is forgotten."""

from __future__ import annotations

from datetime import timedelta

DAY = timedelta(days=1)


def test_the_newest_comes_first_and_none_is_forgotten(store, now):
    assert list(store.keys.all()) == []
    first = store.keys.add("aa", at=now, condemn=False)
    second = store.keys.add("bb", at=now + DAY, condemn=False)
    assert (first.number, second.number) == (1, 2)
    *newest, secret = store.keys.all()
    assert newest == [second, first]
    assert (secret.number, secret.salt) == (0, "")


def test_a_leak_condemns_all_before_and_each_stays_condemned_since_its_own(store, now):
    store.keys.add("aa", at=now, condemn=False)
    store.keys.add("bb", at=now + DAY, condemn=True)
    store.keys.add("cc", at=now + 2 * DAY, condemn=True)
    found = [one.condemned_at for one in store.keys.all()]
    assert found == [None, now + 2 * DAY, now + DAY, now + DAY]
