"""From an address typed by anybody to a consent that its owner gave."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from shopflow.runtime.links import LIFE, For
from shopflow.web.subscribe import TO_ONE

pytestmark = pytest.mark.anyio


@pytest.fixture
def address():
    return f"nora-{uuid4().hex[:8]}@example.com"


@pytest.fixture
async def client(inside):
    # A client of its own: limits are by where a request comes from.
    async with inside.client(f"198.51.{uuid4().int % 250}.{uuid4().int % 250}") as found:
        yield found


def visitor(inside, address):
    return f"web-{inside.links.fingerprint('subscribe', address)}"


def asked(inside, address):
    found = inside.events(visitor(inside, address))
    return [one for one in found if one.type == "newsletter.subscribed"]


def link_in(inside, address, **more):
    """The link of the mail that asks: what the event carries is not kept, as it is a secret."""
    says = visitor(inside, address), "email", inside.links.fingerprint(address)
    return inside.url(For.CONFIRM, *says, **more)


FORM = {"purpose": "marketing", "first_name": "Nora"}


async def test_subscribe_waits_for_the_owner_of_the_address(inside, client, address):
    page = await client.post("/subscribe?lang=en", data={**FORM, "email": address})
    assert "One click to go" in page.text
    assert inside.consent(visitor(inside, address)) == "pending"
    (event,) = asked(inside, address)
    assert (event.email, event.first_name, event.locale) == (address, "Nora", "en")
    assert event.confirm_url == "***", "a link that confirms is never kept"
    assert event.consents[0]["text_version"].startswith("en:")


async def test_looking_confirms_nothing_the_button_does_and_once(inside, client, address):
    await client.post("/subscribe", data={**FORM, "email": address})
    url, who = link_in(inside, address), visitor(inside, address)
    for _ in range(2):
        page = await client.get(url, headers={"accept-language": "en"})
        assert "Our offers" in page.text
    assert inside.consent(who) == "pending"
    done = await client.post(url)
    assert done.status_code == 200
    assert inside.consent(who) == "granted"
    (yes,) = [one for one in inside.events(who) if one.type == "consent.confirmed"]
    assert "sent to this address" in yes.proof
    assert (await client.post(url)).status_code == 410
    assert len([one for one in inside.events(who) if one.type == "consent.confirmed"]) == 1


async def test_an_old_link_brings_nothing_back_that_was_withdrawn(inside, client, address):
    await client.post("/subscribe", data={**FORM, "email": address})
    url, who = link_in(inside, address), visitor(inside, address)
    await client.post(url)
    await client.post(inside.url(For.UNSUBSCRIBE, who, "email", "marketing"))
    assert (await client.post(url)).status_code == 410
    assert inside.consent(who) == "withdrawn"


async def test_a_link_confirms_only_what_was_asked_before_it_was_made(inside, client, address):
    earlier = link_in(inside, address, now=datetime.now(UTC) - timedelta(hours=1))
    await client.post("/subscribe", data={**FORM, "email": address})
    assert (await client.post(earlier)).status_code == 410
    assert inside.consent(visitor(inside, address)) == "pending"


async def test_a_link_confirms_only_at_the_address_that_it_was_sent_to(inside, client, address):
    await client.post("/subscribe", data={**FORM, "email": address})
    who = visitor(inside, address)
    theirs = inside.links.fingerprint("somebody.else@example.com")
    assert (await client.post(inside.url(For.CONFIRM, who, "email", theirs))).status_code == 410
    assert inside.consent(who) == "pending"


async def test_an_expired_link_says_so(inside, client, address):
    late = datetime.now(UTC) - LIFE[For.CONFIRM] - timedelta(minutes=1)
    assert (await client.post(link_in(inside, address, now=late))).status_code == 410


@pytest.mark.parametrize(
    ("form", "wrong"),
    [
        ({"email": "no address"}, "email"),
        ({"email": "a@b@c.example"}, "email"),
        ({"email": "a@example.com\r\nBcc: b@example.com"}, "email"),
        ({"email": "nora@example.com", "purpose": ""}, "agree"),
        ({"email": "nora@example.com", "purpose": "service"}, "agree"),
    ],
)
async def test_what_is_wrong_is_said_beside_its_field(client, form, wrong):
    page = await client.post("/subscribe?lang=en", data={**FORM, **form})
    assert page.status_code == 422
    assert f'id="{wrong}-hint"' in page.text
    assert "Something is left to correct" in page.text


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        "{{ 7 * 7 }}",
        "visit evil.example now",
        "http://evil.example",
        "Nora\r\nBcc: x@example.com",
        "A" * 200,
    ],
)
async def test_a_name_carries_no_text_of_a_stranger(inside, client, address, name):
    page = await client.post("/subscribe", data={**FORM, "email": address, "first_name": name})
    assert page.status_code in {200, 422}
    assert "<script>alert" not in page.text
    assert "49" not in page.text.partition("<main")[2].partition("</main>")[0]
    assert all(not hasattr(event, "first_name") for event in asked(inside, address))


async def test_what_was_typed_comes_back_escaped(client):
    page = await client.post("/subscribe", data={"email": '"><script>alert(1)</script>'})
    assert page.status_code == 422
    assert "<script>" not in page.text
    assert "&lt;script&gt;" in page.text


async def test_nobody_learns_who_is_a_customer(inside, client, anna):
    known = await client.post("/subscribe", data={**FORM, "email": f"{anna}@example.com"})
    other = await client.post("/subscribe", data={**FORM, "email": "nobody@example.com"})
    assert known.text == other.text
    # And what is known of the customer has not changed.
    assert inside.parts.wishes.customer(anna).attributes["first_name"] == "Anna"


async def test_one_address_gets_a_few_mails_however_often_it_is_typed(inside, address):
    for number in range(TO_ONE[0] + 4):
        async with inside.client(f"203.0.113.{number}") as elsewhere:
            page = await elsewhere.post("/subscribe", data={**FORM, "email": address})
            assert page.status_code == 200
    assert len(asked(inside, address)) == TO_ONE[0]


async def test_one_place_signs_up_so_many_and_no_more(inside):
    async with inside.client("203.0.113.200") as one:
        found = [
            (await one.post("/subscribe", data={**FORM, "email": f"n{n}@example.com"})).status_code
            for n in range(30)
        ]
    assert found[0] == 200
    assert found[-1] == 429


async def test_a_robot_that_fills_every_field_is_thanked_and_ignored(inside, client, address):
    page = await client.post("/subscribe", data={**FORM, "email": address, "website": "x"})
    assert page.status_code == 200
    assert asked(inside, address) == []


async def test_who_has_confirmed_is_not_asked_again(inside, client, address):
    await client.post("/subscribe", data={**FORM, "email": address})
    await client.post(link_in(inside, address))
    await client.post("/subscribe", data={**FORM, "email": address})
    assert len(asked(inside, address)) == 1
