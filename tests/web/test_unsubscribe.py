"""The way out: a page that changes nothing, a button that does, and one click for mail programs."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shopflow.errors import StoreError
from shopflow.runtime.erasure import erase, person_of
from shopflow.runtime.links import For

pytestmark = pytest.mark.anyio

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def way_out(inside, anna):
    return inside.url(For.UNSUBSCRIBE, anna, "email", "marketing")


async def test_looking_changes_nothing(inside, anna, way_out):
    async with inside.client() as client:
        for method in ("GET", "HEAD", "GET"):
            assert (await client.request(method, way_out)).status_code == 200
    assert inside.consent(anna) == "granted"
    assert not [one for one in inside.events(anna) if one.type == "consent.withdrawn"]


async def test_the_button_withdraws_marketing_and_relationship_of_the_channel(
    inside, anna, way_out
):
    async with inside.client() as client:
        page = await client.get(f"{way_out}?lang=en")
        assert "Unsubscribe me" in page.text
        done = await client.post(f"{way_out}?lang=fr")
    assert "Vous êtes désabonné" in done.text
    states = {p: inside.consent(anna, purpose=p) for p in ("marketing", "cart_recovery", "review")}
    assert set(states.values()) == {"withdrawn"}
    assert inside.consent(anna, purpose="tracking") is None


async def test_one_click_is_answered_without_page_redirect_or_cookie(inside, anna, way_out):
    async with inside.client() as client:
        answer = await client.post(way_out, data=ONE_CLICK)
    assert (answer.status_code, answer.content) == (200, b"")
    assert not {"set-cookie", "location"} & set(answer.headers)
    assert inside.consent(anna) == "withdrawn"
    (event,) = [one for one in inside.events(anna) if one.type == "consent.withdrawn"]
    assert event.source == "one_click"


async def test_one_click_as_multipart_counts_too(inside, anna, way_out):
    async with inside.client() as client:
        parts = {"List-Unsubscribe": (None, "One-Click")}
        answer = await client.post(way_out, files=parts)
    assert (answer.status_code, answer.content) == (200, b"")
    assert inside.consent(anna) == "withdrawn"


async def test_asked_twice_it_is_so_once(inside, anna, way_out):
    async with inside.client() as client:
        for _ in range(3):
            assert (await client.post(way_out, data=ONE_CLICK)).status_code == 200
    assert len([one for one in inside.events(anna) if one.type == "consent.withdrawn"]) == 1


async def test_what_is_not_kept_is_not_answered_with_success(inside, anna, way_out, monkeypatch):
    def refuses(*_args, **_more):
        raise StoreError("the disk is full")

    monkeypatch.setattr(inside.parts.wishes, "take", refuses)
    async with inside.client() as client:
        clicked = await client.post(way_out, data=ONE_CLICK)
        assert (clicked.status_code, clicked.content) == (503, b"")
        page = await client.post(way_out, headers={"accept-language": "en"})
    assert page.status_code == 503
    assert "Nothing was saved" in page.text
    assert inside.consent(anna) == "granted"


async def test_somebody_who_is_gone_is_told_the_same_as_anybody(inside):
    url = inside.url(For.UNSUBSCRIBE, "nobody-we-know", "email", "marketing")
    async with inside.client() as client:
        assert (await client.post(url, data=ONE_CLICK)).status_code == 200
    assert inside.consent("nobody-we-know") == "withdrawn"


async def test_a_visitor_who_turned_out_to_be_a_customer_leaves_as_that_customer(inside, anna):
    visitor = f"visitor-of-{anna}"
    inside.tell(anna, "customer.identified", anonymous_id=visitor)
    url = inside.url(For.UNSUBSCRIBE, visitor, "email", "marketing")
    async with inside.client() as client:
        assert (await client.post(url, data=ONE_CLICK)).status_code == 200
    assert inside.consent(anna) == "withdrawn"


async def test_a_link_brings_nobody_back_who_was_erased(inside, anna, way_out):
    person = person_of(inside.store, anna)
    erase(inside.store, inside.app.hashes, person, datetime.now(UTC), thorough=False)
    async with inside.client() as client:
        assert (await client.post(way_out, data=ONE_CLICK)).status_code == 200
        assert (await client.get(way_out)).status_code == 200
    assert inside.store.views.customer(anna) is None
    assert inside.events(anna) == []
