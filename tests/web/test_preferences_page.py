"""The preference page: what is shown is what holds, and what is chosen holds at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shopflow.runtime.links import LIFE, For

pytestmark = pytest.mark.anyio

ALL = ["email:marketing", "email:cart_recovery", "email:review"]


def page_of(inside, customer, **more):
    address = inside.links.fingerprint(f"{customer}@example.com")
    return inside.url(For.PREFERENCES, customer, "email", address, **more)


async def test_what_is_shown_is_what_holds(inside, anna):
    async with inside.client() as client:
        page = await client.get(page_of(inside, anna) + "?lang=en")
    assert page.status_code == 200
    for name, is_on in {**dict.fromkeys(ALL, True), "email:tracking": False}.items():
        assert (f'value="{name}" checked' in page.text) is is_on, name
        assert f'value="{name}"' in page.text
    assert "log:" not in page.text


async def test_one_purpose_is_withdrawn_and_the_others_stay(inside, anna):
    async with inside.client() as client:
        chosen = [name for name in ALL if name != "email:cart_recovery"]
        page = await client.post(page_of(inside, anna) + "?lang=fr", data={"choice": chosen})
    assert "Vos choix sont enregistrés" in page.text
    assert inside.consent(anna, purpose="cart_recovery") == "withdrawn"
    assert inside.consent(anna) == "granted"
    assert inside.consent(anna, purpose="review") is None


async def test_without_its_parent_a_purpose_is_withdrawn_too(inside, anna):
    async with inside.client() as client:
        await client.post(page_of(inside, anna), data={"choice": ["email:cart_recovery"]})
    assert inside.consent(anna) == "withdrawn"
    assert inside.consent(anna, purpose="cart_recovery") == "withdrawn"


async def test_what_is_ticked_by_a_link_to_the_address_is_confirmed_and_provable(inside, anna):
    async with inside.client() as client:
        await client.post(page_of(inside, anna), data={"weekly": ""})
        assert inside.consent(anna) == "withdrawn"
        await client.post(page_of(inside, anna), data={"choice": ALL})
    assert inside.consent(anna) == "granted"
    yes = [one for one in inside.events(anna) if one.type == "consent.confirmed"][-3:]
    assert {one.source for one in yes} == {"preference_page"}
    assert all(one.text_version and "this address" in one.proof for one in yes)


async def test_with_a_link_to_another_address_a_yes_waits_for_its_confirmation(inside, anna):
    url = page_of(inside, anna)
    async with inside.client() as client:
        await client.post(url, data={"weekly": ""})
        inside.tell(anna, "customer.updated", email=f"new-{anna}@example.com")
        await client.post(url, data={"choice": ALL})
    assert inside.consent(anna) == "pending"


async def test_nothing_that_stays_as_it_is_becomes_an_event(inside, anna):
    before = len(inside.events(anna))
    async with inside.client() as client:
        await client.post(page_of(inside, anna), data={"choice": ALL})
    assert len(inside.events(anna)) == before


async def test_a_rest_a_weekly_cap_and_all_of_it_taken_back(inside, anna):
    day = (datetime.now(UTC) + timedelta(days=20)).date().isoformat()
    async with inside.client() as client:
        wish = {"choice": ALL, "rest": day, "weekly": "1"}
        page = await client.post(page_of(inside, anna), data=wish)
        assert f'value="{day}"' in page.text
        assert inside.consent(anna) == "paused"
        assert inside.parts.wishes.customer(anna).attributes["max_per_week"] == 1
        await client.post(page_of(inside, anna), data={"choice": ALL, "rest": "", "weekly": ""})
    assert inside.consent(anna) == "granted"
    assert "max_per_week" not in inside.parts.wishes.customer(anna).attributes


@pytest.mark.parametrize("day", ["yesterday", "2020-01-01", "2999-01-01", "2026-13-45"])
async def test_a_day_that_is_none_is_refused_and_nothing_is_kept(inside, anna, day):
    async with inside.client() as client:
        page = await client.post(page_of(inside, anna), data={"rest": day})
    assert page.status_code == 422
    assert 'aria-invalid="true"' in page.text
    assert inside.consent(anna) == "granted"


async def test_stop_everything_stops_everything_that_may_be_stopped(inside, anna):
    async with inside.client() as client:
        await client.post(page_of(inside, anna), data={"action": "stop", "choice": ALL})
    assert {inside.consent(anna, purpose=name.partition(":")[2]) for name in ALL} == {"withdrawn"}


async def test_a_form_can_grant_nothing_that_the_page_does_not_offer(inside, anna):
    async with inside.client() as client:
        await client.post(
            page_of(inside, anna),
            data={"choice": [*ALL, "sms:marketing", "email:service", "email:'; DROP TABLE--", "x"]},
        )
    consents = inside.parts.wishes.customer(anna).consents
    assert {channel for channel, _ in consents} == {"email"}
    assert not {"service", "'; DROP TABLE--"} & {purpose for _, purpose in consents}


async def test_a_link_is_for_one_person_and_for_a_while(inside, anna):
    late = datetime.now(UTC) - LIFE[For.PREFERENCES] - timedelta(minutes=1)
    async with inside.client() as client:
        assert (await client.get(page_of(inside, anna, now=late))).status_code == 410
        unsubscribe = inside.url(For.UNSUBSCRIBE, anna, "email", "marketing")
        swapped = unsubscribe.replace("/u/", "/p/")
        assert (await client.post(swapped, data={"action": "stop"})).status_code == 404
    assert inside.consent(anna) == "granted"


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"choice=%FF%FE", "application/x-www-form-urlencoded", 400),
        (b"&".join(b"choice=x" for _ in range(500)), "application/x-www-form-urlencoded", 400),
        (b"{}", "application/json", 415),
        (b"choice=" + b"x" * 100_000, "application/x-www-form-urlencoded", 413),
        (b"weekly=" + b"9" * 400, "application/x-www-form-urlencoded", 400),
        (b"weekly=%00", "application/x-www-form-urlencoded", 400),
    ],
    ids=["no text", "many fields", "no form", "huge", "long", "control"],
)
async def test_what_is_no_form_of_ours_is_refused_plainly(inside, anna, content, kind, status):
    async with inside.client() as client:
        page = await client.post(
            page_of(inside, anna), content=content, headers={"content-type": kind}
        )
    assert page.status_code == status
    assert "<h1>" in page.text
    assert inside.consent(anna) == "granted"
