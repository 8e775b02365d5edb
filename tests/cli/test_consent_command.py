"""`shopflow consent` and `shopflow suppressions`, on a shop that sends to a real mail server."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from support.running import MailSink
from support.shop import Shop, ago


@pytest.fixture
def sink():
    with MailSink().listening() as sink:
        yield sink


@pytest.fixture
def shop(sink, tmp_path):
    return Shop(tmp_path, sink.port)


def at(**length):
    return (datetime.now(UTC) - timedelta(**length)).isoformat()


def stood(shop, *words):
    told = json.loads(shop.call("consent", "show", "anna", *words, "--format", "json"))
    return {(one["channel"], one["purpose"]): one["state"] for one in told["consents"]}


def test_consent_is_answerable_for_any_time(shop):
    withdrawn = shop.event("consent.withdrawn", at=ago(minutes=30), channel="email")
    shop.run(*shop.known(), withdrawn)
    key = ("email", "marketing")
    assert stood(shop)[key] == "withdrawn"
    assert stood(shop, "--at", at(minutes=45))[key] == "granted"
    assert stood(shop, "--at", at(hours=3)) == {}
    assert "withdrawn" in shop.call("consent", "show", "anna")
    assert "is no time such as 2026-03-01" in shop.call(
        "consent", "show", "anna", "--at", "yesterday", code=2
    )


def test_a_rest_shows_until_its_end(shop):
    until = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    shop.run(*shop.known(), shop.event("preferences.changed", paused_until=until))
    assert stood(shop)["email", "marketing"] == "paused"
    later = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    assert stood(shop, "--at", later)["email", "marketing"] == "granted"
    assert "paused until" in shop.call("consent", "show", "anna")


def test_the_proof_holds_source_text_and_evidence_of_the_customer_and_its_visitor(shop):
    visitor = {
        **shop.event("consent.denied", at=ago(hours=5), channel="email", purpose="tracking"),
        "anonymous_id": "v1",
    }
    del visitor["customer_id"]
    became = {**shop.event("customer.identified", at=ago(hours=4)), "anonymous_id": "v1"}
    became["data"] = {}
    shop.run(visitor, became, *shop.known())
    told = json.loads(shop.call("consent", "proof", "anna", "--format", "json"))["ledger"]
    assert [(one["customer_id"], one["state"]) for one in told] == [
        ("v1", "denied"),
        ("anna", "granted"),
    ]
    assert told[1] | {"text_version": "v3", "proof": "form 7", "source": "checkout"} == told[1]
    assert told[1]["legal_basis"] == "consent"
    text = shop.call("consent", "proof", "anna")
    assert "by checkout, text v3, proof: form 7" in text
    assert "2 entries" in text


def test_nobody_who_is_not_known_has_a_ledger(shop):
    shop.run(*shop.known())
    assert "no customer 'zoe' is known here" in shop.call("consent", "show", "zoe", code=2)


def test_a_suppressed_address_gets_nothing_whoever_has_it(shop, sink):
    shop.run(*shop.known())
    shop.call("suppressions", "add", " Anna@Example.com")
    twin = shop.known("twin", email="anna@example.com")
    shop.run(*twin, shop.search(), shop.search("twin"))
    assert not sink.arrivals
    status = json.loads(shop.call("status", "--format", "json"))
    assert status["messages"] == {"dropped": 2}
    shop.run(shop.event("product.viewed", sku="A1"))
    assert len(sink.arrivals) == 1, "service goes on"
    shop.call("suppressions", "remove", "anna@example.com")
    shop.run(shop.search())
    assert len(sink.arrivals) == 2


def test_an_address_that_bounced_gets_not_even_service(shop, sink):
    shop.run(*shop.known())
    shop.run(shop.event("message.bounced", message_id="m1", channel="email", bounce="hard"))
    [known] = json.loads(shop.call("suppressions", "list", "anna@example.com", "--format", "json"))
    assert (known["scope"], known["reason"], known["channel"]) == (
        "address",
        "hard_bounce",
        "email",
    )
    shop.run(*shop.known("twin", email="ANNA@example.com"))
    shop.run(shop.event("product.viewed", "twin", sku="A1"))
    assert not sink.arrivals


def test_lists_are_imported_and_exported_by_hash(shop, sink, tmp_path):
    shop.run(*shop.known(), *shop.known("bert"), *shop.known("carl"))
    listed = tmp_path / "list.csv"
    listed.write_text(
        "\ufeffEmail,reason\nanna@example.com,complaint\nbert@example.com,\n,\nx@y.fr,bored\n"
    )
    said = shop.call("suppressions", "import", str(listed), code=1)
    assert "2 suppressed, 2 lines refused" in said
    assert "line 4: names nobody" in said
    assert "line 5: reason: must be one of hard_bounce, complaint, manual" in said
    exported = tmp_path / "exported.csv"
    shop.call("suppressions", "export", str(exported))
    text = exported.read_text()
    assert "example.com" not in text
    assert text.count("\n") == 3
    for name in ("anna", "bert"):
        shop.call("suppressions", "remove", f"{name}@example.com", "--channel", "email")
    assert shop.call("suppressions", "list").startswith("0 suppressions")
    shop.call("suppressions", "import", str(exported))
    shop.run(*[shop.search(name) for name in ("anna", "bert", "carl")])
    assert len(sink.arrivals) == 1


def test_a_list_without_a_column_of_addresses_is_refused(shop, tmp_path):
    shop.run(*shop.known())
    listed = tmp_path / "list.csv"
    listed.write_text("who\nanna\n")
    said = shop.call("suppressions", "import", str(listed), code=2)
    assert "one must be email, phone, address or hash, found: who" in said


def test_another_key_is_refused_while_anything_hangs_on_the_first(shop, monkeypatch):
    shop.run(*shop.known())
    monkeypatch.setenv("SHOPFLOW_HASH_SECRET", "the first of two keys")
    shop.call("suppressions", "add", "anna@example.com")
    monkeypatch.setenv("SHOPFLOW_HASH_SECRET", "the second of two keys")
    said = shop.call("suppressions", "list", code=2)
    assert "SHOPFLOW_HASH_SECRET: is not the key that suppressions" in said
    assert "is not the key" in shop.call("run", "-", code=2, given="")


def test_a_fresh_double_opt_in_lifts_what_was_kept_of_a_complaint(shop, sink):
    def about(event_type, **length):
        return shop.event(event_type, at=ago(**length), channel="email", purpose="marketing")

    complaint = shop.event("message.complained", at=ago(minutes=50), channel="email")
    shop.run(*shop.known(), complaint, about("consent.granted", minutes=40), shop.search())
    assert not sink.arrivals
    shop.run(about("consent.confirmed", seconds=59), shop.search(at=ago(seconds=30)))
    assert len(sink.arrivals) == 1
    assert shop.call("suppressions", "list").startswith("0 suppressions")
