"""Links that are no good: forged, truncated, expired, of another purpose, guessed."""

from __future__ import annotations

import logging
import random
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime

import pytest

from shopflow.runtime.keys import rotate
from shopflow.runtime.links import LIFE, For, Keyring, Links
from shopflow.store.memory import MemoryStore
from shopflow.web.tokens import GUESSES

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 3, 10, tzinfo=UTC)
SAYS = ("anna@example.com", "email", "marketing")


def some_links(secret=b"one secret", **more):
    return Links(keyring=Keyring(secrets=[secret], **more), base_url="https://shop.example")


def test_every_changed_letter_and_every_cut_is_refused():
    links = some_links()
    token = links.token(For.UNSUBSCRIBE, *SAYS)
    assert links.open(For.UNSUBSCRIBE, token, now=NOW).says == list(SAYS)
    for place, letter in enumerate(token[:-1]):
        other = "A" if letter != "A" else "B"
        changed = token[:place] + other + token[place + 1 :]
        assert links.open(For.UNSUBSCRIBE, changed, now=NOW) is None
        assert links.open(For.UNSUBSCRIBE, token[:place], now=NOW) is None


@pytest.mark.parametrize(
    "token", ["", ".", "0.", "0.é", "9.AAAA", "-1.AAAA", "0." + "A" * 10_000, "٣.AAAA", "0.\x00"]
)
def test_what_is_no_token_is_refused(token):
    assert some_links().open(For.UNSUBSCRIBE, token, now=NOW) is None


def test_a_token_of_one_purpose_opens_nothing_else():
    links = some_links()
    for made_for in For:
        token = links.token(made_for, *SAYS, now=NOW if made_for in LIFE else None)
        opens = [each for each in For if links.open(each, token, now=NOW)]
        assert opens == [made_for]


def test_another_shop_s_token_is_refused():
    token = some_links(b"another secret").token(For.UNSUBSCRIBE, *SAYS)
    assert some_links().open(For.UNSUBSCRIBE, token, now=NOW) is None


def test_nothing_personal_is_to_be_read_in_a_link():
    links, token = some_links(), some_links().token(For.UNSUBSCRIBE, *SAYS)
    raw = urlsafe_b64decode(token.partition(".")[2] + "==")
    assert b"anna" not in raw
    assert b"email" not in raw
    assert links.fingerprint("anna@example.com") == links.fingerprint("anna@example.com")
    assert "anna" not in links.fingerprint("anna@example.com")


def test_only_unsubscribes_never_expire():
    assert set(For) - set(LIFE) == {For.UNSUBSCRIBE}
    with pytest.raises(ValueError, match="expires"):
        some_links().token(For.CONFIRM, *SAYS)
    with pytest.raises(ValueError, match="good for ever"):
        some_links().token(For.UNSUBSCRIBE, *SAYS, now=NOW)


def test_a_retired_key_opens_what_it_sealed_and_a_condemned_one_unsubscribes_only(store_keys):
    links = some_links(read=store_keys.all)
    first = {each: links.token(each, *SAYS, now=NOW if each in LIFE else None) for each in For}
    assert rotate(store_keys, at=NOW, leaked=False).number == 1
    second = {each: links.token(each, *SAYS, now=NOW if each in LIFE else None) for each in For}
    assert all(token.startswith("1.") for token in second.values())
    for tokens in (first, second):
        assert all(links.open(each, token, now=NOW) for each, token in tokens.items())
    rotate(store_keys, at=NOW, leaked=True)
    for tokens in (first, second):
        opened = [each for each, token in tokens.items() if links.open(each, token, now=NOW)]
        assert opened == [For.UNSUBSCRIBE]


def test_a_former_secret_opens_unsubscribes_only():
    old = some_links(b"the old secret")
    new = Links(keyring=Keyring(secrets=[b"the new secret", b"the old secret"]))
    way_out, preferences = old.token(For.UNSUBSCRIBE, *SAYS), old.token(For.PREFERENCES, now=NOW)
    assert new.verify(way_out) == SAYS
    assert new.open(For.PREFERENCES, preferences, now=NOW) is None


@pytest.fixture
def store_keys():
    return MemoryStore().keys


def test_ten_thousand_guesses_open_nothing():
    links, rng = some_links(), random.Random(7)
    for _ in range(10_000):
        guess = urlsafe_b64encode(rng.randbytes(rng.choice([16, 40, 80]))).decode().rstrip("=")
        assert not any(links.open(each, f"0.{guess}", now=NOW) for each in For)


async def test_whoever_guesses_is_slowed_down_and_shuts_nobody_out(inside, anna, caplog):
    caplog.set_level(logging.INFO)
    good = inside.url(For.UNSUBSCRIBE, anna, "email", "marketing")
    async with inside.client("198.51.100.7") as client:
        found = [(await client.get(f"/u/0.{number:043d}")).status_code for number in range(200)]
        assert found[:GUESSES] == [404] * GUESSES
        assert set(found[GUESSES + 1 :]) == {429}
        # Somebody else behind the same address has a good link.
        assert (await client.post(good, data={"List-Unsubscribe": "One-Click"})).status_code == 200
    assert inside.consent(anna) == "withdrawn"
    ours = [one for one in caplog.records if one.name.startswith(("shopflow", "uvicorn"))]
    assert ours == [], "a guess is no news, and a link no text for a log"


async def test_a_refused_link_says_so_plainly_in_the_reader_s_language(inside):
    async with inside.client("198.51.100.8") as client:
        page = await client.get("/u/0.AAAA", headers={"accept-language": "en-GB,fr;q=0.5"})
        assert (page.status_code, "not valid" in page.text) == (404, True)
        french = await client.get("/u/0.AAAA", headers={"accept-language": "fr-BE"})
        assert "pas valable" in french.text


async def test_every_page_has_the_headers_that_guard_it(inside, anna):
    async with inside.client() as client:
        good = await client.get(inside.url(For.UNSUBSCRIBE, anna, "email", "marketing"))
        bad = await client.get("/u/0.AAAA")
    for page in (good, bad):
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in page.headers
        assert "set-cookie" not in page.headers
        assert "<script" not in page.text


async def test_a_huge_body_is_refused_before_it_is_read(inside, anna):
    url = inside.url(For.UNSUBSCRIBE, anna, "email", "marketing")
    read = 0

    async def endless():
        nonlocal read
        for _ in range(10_000):
            read += 1
            yield b"x" * 10_000

    async with inside.client() as client:
        answer = await client.post(url, content=endless())
    assert answer.status_code == 413
    assert inside.consent(anna) == "granted"
