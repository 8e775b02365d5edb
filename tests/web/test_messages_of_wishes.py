"""What follows from a wish leaves at once: whoever delivers is told, and only then."""

from __future__ import annotations

from shopflow.runtime.wishes import Wish


def test_whoever_delivers_is_told_of_messages_and_of_nothing_else(inside, anna, monkeypatch):
    told = []
    monkeypatch.setattr(inside.parts.wishes, "when_queued", lambda: told.append(1))
    inside.parts.wishes.take(anna, lambda _: [Wish(type="customer.updated", data={"city": "Lyon"})])
    assert told == []
    inside.parts.wishes.take(anna, lambda _: [Wish(type="product.viewed", data={"sku": "A1"})])
    assert told == [1]
