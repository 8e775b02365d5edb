"""A number in the subscribe form: kept in one form, and of no use until its owner confirms it."""

from __future__ import annotations

from uuid import uuid4

import pytest
from support.pages import CONSENT, pages_in_process
from support.running import PROJECT

from shopflow.runtime.links import For

pytestmark = pytest.mark.anyio

SMS = """
  sms: {url: "https://sms.example/send", authorization: x, sender: SHOP, body: {to: "{to}"}}
"""
FILES = {
    "shopflow.yaml": PROJECT.format(port=1, connections=1, timeout=30) + SMS,
    "rules/policies/consent.yaml": CONSENT.replace(
        "{email: {double_opt_in: true}}",
        "{email: {double_opt_in: true}, sms: {double_opt_in: true}}",
    ),
}


@pytest.fixture(scope="module")
def inside(tmp_path_factory):
    with pages_in_process(tmp_path_factory.mktemp("phone"), FILES) as found:
        yield found


@pytest.fixture
def address():
    return f"nora-{uuid4().hex[:8]}@example.com"


def visitor(inside, address):
    return f"web-{inside.links.fingerprint('subscribe', address)}"


async def subscribe(inside, address, phone, locale="en"):
    async with inside.client(f"198.51.{uuid4().int % 250}.{uuid4().int % 250}") as client:
        form = {"purpose": "marketing", "email": address, "phone": phone}
        return await client.post(f"/subscribe?lang={locale}", data=form)


async def test_the_field_is_there_where_a_number_can_be_confirmed(inside):
    async with inside.client() as client:
        page = await client.get("/subscribe?lang=en")
    assert 'type="tel"' in page.text
    assert 'autocomplete="tel"' in page.text


@pytest.mark.parametrize(
    ("phone", "kept"),
    [
        ("+33 6 12 34 56 78", "+33612345678"),
        ("07400 123456", "+447400123456"),
        ("0033612345678", "+33612345678"),
    ],
)
async def test_a_number_is_kept_in_international_form_and_waits(inside, address, phone, kept):
    page = await subscribe(inside, address, phone)
    assert page.status_code == 200
    who = visitor(inside, address)
    assert inside.parts.wishes.customer(who).attributes["phone"] == kept
    assert inside.consent(who, "sms") == inside.consent(who, "email") == "pending"


@pytest.mark.parametrize("phone", ["12", "call me", "+33 6", "06 12 34 56 78 99 00", "<script>"])
@pytest.mark.parametrize("locale", ["en", "fr"])
async def test_what_is_no_number_is_told_at_its_field_and_nothing_is_kept(
    inside, address, phone, locale
):
    page = await subscribe(inside, address, phone, locale)
    assert page.status_code == 422
    told = {"en": "This number does not look right", "fr": "numéro"}[locale]
    assert told in page.text
    assert page.text.count('aria-invalid="true"') == 1
    assert "<script>" not in page.text
    assert address in page.text, "what was right need not be typed again"
    assert inside.events(visitor(inside, address)) == []


async def test_no_number_is_asked_of_nobody(inside, address):
    assert (await subscribe(inside, address, " ")).status_code == 200
    who = visitor(inside, address)
    assert inside.consent(who, "sms") is None
    assert inside.consent(who, "email") == "pending"


async def test_each_way_is_confirmed_by_what_was_sent_there(inside, address):
    await subscribe(inside, address, "+33612345678")
    who = visitor(inside, address)
    by_text = inside.url(For.CONFIRM, who, "sms", inside.links.fingerprint("+33612345678"))
    async with inside.client() as client:
        assert (await client.get(by_text)).status_code == 200
        assert (await client.post(by_text)).status_code == 200
    assert inside.consent(who, "sms") == "granted"
    assert inside.consent(who, "email") == "pending"
