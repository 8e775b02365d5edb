"""A link in the wrong hands: it opens what it was made for, tells nobody's data, and no more."""

from __future__ import annotations

from uuid import uuid4

import pytest

from shopflow.runtime.links import For

pytestmark = pytest.mark.anyio


@pytest.fixture
def bert(inside):
    name = f"bert-{uuid4().hex[:8]}"
    inside.tell(name, "customer.updated", email=f"{name}@example.com", first_name="Bertold")
    inside.tell(name, "consent.confirmed", channel="email", purpose="marketing")
    return name


def preferences(inside, customer):
    address = inside.links.fingerprint(f"{customer}@example.com")
    return inside.url(For.PREFERENCES, customer, "email", address)


async def test_a_page_tells_whoever_has_its_link_neither_name_nor_address(inside, bert):
    urls = [preferences(inside, bert), inside.url(For.UNSUBSCRIBE, bert, "email", "marketing")]
    async with inside.client() as client:
        for url in urls:
            page = await client.get(url)
            assert page.status_code == 200
            for told in (bert, "Bertold", "example.com"):
                assert told not in page.text.replace(url, "")


@pytest.mark.parametrize("named", ["customer_id", "customer", "id", "who", "email", "token"])
async def test_a_form_sent_by_one_link_changes_nobody_else(inside, anna, bert, named):
    """Whatever else is written into it, or behind its address."""
    theirs = inside.url(For.UNSUBSCRIBE, anna, "email", "marketing").rpartition("/")[2]
    other = {named: theirs if named == "token" else anna}
    async with inside.client() as client:
        for url in (preferences(inside, bert), inside.url(For.UNSUBSCRIBE, bert, "email", "x")):
            answer = await client.post(url, params=other, data={"action": "stop", **other})
            assert answer.status_code == 200
    assert inside.consent(bert) == "withdrawn"
    assert inside.consent(anna) == "granted"


async def test_halves_of_two_links_are_no_link(inside, anna, bert):
    one, two = (inside.url(For.UNSUBSCRIBE, who, "email", "marketing") for who in (anna, bert))
    async with inside.client("198.51.100.9") as client:
        for place in range(len("/u/0."), min(len(one), len(two)), 7):
            for mixed in (one[:place] + two[place:], two[:place] + one[place:]):
                if mixed not in {one, two}:
                    assert (await client.post(mixed)).status_code in {404, 429}
    assert {inside.consent(anna), inside.consent(bert)} == {"granted"}
