"""What providers tell: signed, read by declared paths, kept once, about whom it concerns."""

from __future__ import annotations

import hmac
import json
import time
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from support.pages import CONSENT, pages_in_process
from support.running import PROJECT

from shopflow.domain.event import DeliveryReport, Outcome
from shopflow.engine.consent import OBJECTABLE
from shopflow.store.records import Settled

pytestmark = pytest.mark.anyio

SECRET = "a secret of providers"
PROVIDERS = f"""
  sms: {{url: "https://sms.example/send", authorization: x, sender: SHOP, body: {{to: "{{to}}"}}}}
providers:
  plain: {{channel: sms, secret: {SECRET}}}
  mails:
    channel: email
    secret: {SECRET}
    auth: hmac
    header: X-Signature
    prefix: "sha256="
    encoding: base64
    list: data.items
    fields: {{id: uid, kind: event, provider_id: msg.ref, address: to.0.mail}}
    kinds: {{dropped: bounced, deferred: soft_bounced, spamreport: complained, ok: delivered}}
  inbox:
    channel: sms
    secret: {SECRET}
    auth: header
    header: Authorization
    prefix: "Bearer "
    fields: {{address: From, text: Body, id: MessageSid, kind: none}}
    kinds: {{"": received}}
"""
FILES = {
    "shopflow.yaml": PROJECT.format(port=1, connections=1, timeout=30) + PROVIDERS,
    "rules/policies/consent.yaml": CONSENT.replace(
        "{email: {double_opt_in: true}}", "{email: {double_opt_in: true}, sms: {}}"
    ),
}


@pytest.fixture(scope="module")
def inside(tmp_path_factory):
    with pages_in_process(tmp_path_factory.mktemp("providers"), FILES) as found:
        yield found


@pytest.fixture
def number():
    return f"+33612{uuid4().int % 10**6:06}"


@pytest.fixture
def otto(inside, number):
    name = f"otto-{uuid4().hex[:8]}"
    inside.tell(name, "customer.updated", phone=number, email=f"{name}@example.com")
    for channel in ("sms", "email"):
        inside.tell(name, "consent.confirmed", channel=channel, purpose="marketing")
    return name


def signed(body, at=None, secret=SECRET):
    stamp = str(int(at or time.time()))
    made = hmac.digest(secret.encode(), f"{stamp}.".encode() + body, "sha256").hex()
    return {"Shopflow-Signature": f"t={stamp},v1={made}"}


async def tell(inside, *words, name="plain", headers=None, body=None):
    raw = body if body is not None else json.dumps(words if len(words) != 1 else words[0]).encode()
    async with inside.client() as client:
        given = signed(raw) if headers is None else headers
        return await client.post(f"/v1/providers/{name}", content=raw, headers=given)


def told(inside, customer, event_type):
    return [one for one in inside.events(customer) if one.type == event_type]


def stops(inside, address):
    found = inside.store.views.suppressions([inside.app.hashes.address(address)])
    return {(one.channel, str(one.scope), one.reason) for one in found}


@pytest.mark.parametrize("text", ["STOP", "Arrêt", "unsubscribe"])
async def test_stop_by_text_withdraws_and_replayed_counts_once(inside, otto, number, text):
    word = {"id": uuid4().hex, "kind": "received", "address": number[1:], "text": text}
    answer = await tell(inside, word)
    assert answer.json() == {"taken": 1, "suppressed": 0, "left_alone": 0}
    assert inside.consent(otto, "sms") == "withdrawn"
    assert inside.consent(otto, "email") == "granted"
    # The person agrees anew, and the provider tells the old word again.
    inside.tell(otto, "consent.granted", channel="sms", purpose="marketing")
    assert (await tell(inside, word)).status_code == 200
    assert inside.consent(otto, "sms") == "granted"
    assert len(told(inside, otto, "consent.withdrawn")) == 1


async def test_stop_of_somebody_unknown_holds_for_whoever_has_the_number(inside, number):
    answer = await tell(inside, {"id": "x", "kind": "unsubscribed", "address": number})
    assert answer.json()["suppressed"] == 1
    assert stops(inside, number) == {("sms", "marketing", "manual")}


async def test_a_text_is_a_reply_of_the_one_who_has_the_number(inside, otto, number):
    word = {"From": number, "Body": "When do you open? START", "MessageSid": uuid4().hex}
    headers = {"authorization": f"Bearer {SECRET}"}
    answer = await tell(inside, word, name="inbox", headers=headers)
    assert answer.json()["taken"] == 1
    (reply,) = told(inside, otto, "message.replied")
    assert (reply.channel, reply.body) == ("sms", "When do you open? START")
    # Two people at one number: nobody knows who wrote.
    inside.tell(f"twin-{otto}", "customer.updated", phone=number)
    again = {**word, "MessageSid": uuid4().hex}
    answer = await tell(inside, again, name="inbox", headers=headers)
    assert answer.json()["left_alone"] == 1


async def test_a_form_is_read_like_json(inside, otto, number):
    body = f"From=%2B{number[1:]}&Body=stop&MessageSid={uuid4().hex}".encode()
    headers = {"authorization": f"Bearer {SECRET}"}
    answer = await tell(inside, name="inbox", headers=headers, body=body)
    assert answer.json()["taken"] == 1
    assert inside.consent(otto, "sms") == "withdrawn"


async def mail_word(inside, otto, event, **more):
    item = {"uid": uuid4().hex, "event": event, "to": [{"mail": f"{otto}@example.com"}], **more}
    body = json.dumps({"data": {"items": [item]}}).encode()
    made = b64encode(hmac.digest(SECRET.encode(), body, "sha256")).decode()
    headers = {"x-signature": f"sha256={made}"}
    return (await tell(inside, name="mails", headers=headers, body=body)).json()


async def test_a_providers_own_json_is_read_by_the_paths_of_the_settings(inside, otto):
    assert (await mail_word(inside, otto, "spamreport"))["taken"] == 1
    assert inside.consent(otto, "email") == "withdrawn"
    assert ("email", "marketing", "complaint") in stops(inside, f"{otto}@example.com")


async def test_a_hard_bounce_without_its_message_stops_the_address(inside, otto):
    assert (await mail_word(inside, otto, "dropped"))["suppressed"] == 1
    assert stops(inside, f"{otto}@example.com") == {("email", "address", "hard_bounce")}


@pytest.fixture
def sent(inside, otto):
    """A message that left, as its provider calls it."""
    inside.tell(otto, "product.viewed", sku="A1")
    now, lease_for = datetime.now(UTC), timedelta(minutes=1)
    leased = inside.store.outbox.lease("email", limit=100, now=now, owner="me", lease_for=lease_for)
    message = next(one.message for one in leased if one.message.customer_id == otto)
    report = DeliveryReport(message=message, outcome=Outcome.ACCEPTED, at=now)
    reference = f"ref-{message.id}"
    inside.store.outbox.record(owner="me", settled=[Settled(report=report, provider_id=reference)])
    return message.id, reference


@pytest.mark.parametrize(
    ("event", "becomes", "stopped"),
    [
        ("ok", "message.delivered", set()),
        ("deferred", "message.bounced", set()),
        ("dropped", "message.bounced", {("email", "address", "hard_bounce")}),
        ("spamreport", "message.complained", {("email", "marketing", "complaint")}),
    ],
)
async def test_a_message_is_known_by_the_id_of_its_receipt(
    inside, otto, sent, event, becomes, stopped
):
    message_id, reference = sent
    assert (await mail_word(inside, otto, event, msg={"ref": reference}))["taken"] == 1
    (found,) = told(inside, otto, becomes)
    assert found.message_id == message_id
    assert stops(inside, f"{otto}@example.com") == stopped


async def test_a_message_is_known_by_our_own_id_whatever_the_address(inside, otto, sent):
    word = {"id": uuid4().hex, "kind": "delivered", "message_id": sent[0], "address": "+1"}
    assert (await tell(inside, word)).json()["taken"] == 1
    assert [one.message_id for one in told(inside, otto, "message.delivered")] == [sent[0]]


@pytest.mark.parametrize("event", ["ok", "deferred", "opened", ""])
async def test_what_concerns_no_known_message_changes_nothing(inside, otto, event):
    before = len(inside.events(otto))
    assert (await mail_word(inside, otto, event))["taken"] == 0
    assert len(inside.events(otto)) == before
    assert stops(inside, f"{otto}@example.com") == set()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Shopflow-Signature": "t=1,v1=00"},
        {b"Shopflow-Signature": "t=é,v1=é".encode()},
        "another secret",
        "of yesterday",
    ],
    ids=["none", "old", "garbage", "another secret", "of yesterday"],
)
async def test_who_does_not_know_the_secret_is_refused(inside, otto, number, headers):
    body = json.dumps({"id": "1", "kind": "received", "address": number, "text": "STOP"}).encode()
    if headers == "another secret":
        headers = signed(body, secret="not the secret at all")
    elif headers == "of yesterday":
        headers = signed(body, at=time.time() - 86_400)
    answer = await tell(inside, headers=headers, body=body)
    assert answer.status_code == 401
    assert inside.consent(otto, "sms") == "granted"


async def test_a_provider_that_there_is_not_is_told_the_same(inside):
    answer = await tell(inside, {"kind": "received"}, name="nobody")
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"\xff\xfe", 400),
        (b"nonsense", 400),
        (b"x" * 1_100_000, 413),
        (b"[" + b"{}," * 1001 + b"{}]", 400),
        (b"[]", 200),
        (b"null", 200),
        (b'{"kind": {"a": 1}, "id": [1]}', 200),
        (b'{"kind": "received", "address": {"x": 1}, "text": null}', 200),
    ],
)
async def test_a_body_that_says_nothing_is_told_so(inside, body, status):
    answer = await tell(inside, body=body)
    assert answer.status_code == status
    if status == 200:
        assert answer.json()["taken"] == 0


def test_what_may_be_objected_to_is_what_stop_ends():
    assert {str(each) for each in OBJECTABLE} == {"marketing", "relationship"}
