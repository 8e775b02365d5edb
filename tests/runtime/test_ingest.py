"""Whatever comes in: an event, or the reason why it is none. Never an exception."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopflow.runtime.ingest import Accepted, BadReason, Ingest, Refused, routing_id

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SCHEMAS = {
    "order.placed": {
        "type": "object",
        "required": ["order_id"],
        "properties": {
            "order_id": {"type": "string", "maxLength": 64},
            "total": {"type": "number", "minimum": 0},
            "email": {"type": "string", "maxLength": 20},
            "items": {"type": "array", "items": {"type": "object", "required": ["sku"]}},
        },
    },
    "customer.identified": {"type": "object"},
    "account.password_reset_requested": {
        "type": "object",
        "required": ["reset_url"],
        "properties": {
            "reset_url": {"type": "string", "x-secret": True},
            "device": {
                "type": "object",
                "properties": {"token": {"type": "string", "x-secret": True}},
            },
        },
    },
}


@pytest.fixture(scope="module")
def ingest():
    return Ingest(SCHEMAS)


def an_event(**changes):
    event = {
        "id": "e1",
        "type": "order.placed",
        "occurred_at": "2026-03-01T11:00:00Z",
        "customer_id": "anna",
        "data": {"order_id": "o1"},
    }
    return {name: value for name, value in {**event, **changes}.items() if value is not ...}


def read(ingest, event, now=NOW):
    raw = event if isinstance(event, bytes | str) else json.dumps(event)
    return ingest.read(raw, received_at=now)


def test_a_good_event_is_taken_as_it_is(ingest):
    taken = read(ingest, an_event())
    assert isinstance(taken, Accepted)
    assert taken.event.id == "e1"
    assert taken.event.occurred_at == datetime(2026, 3, 1, 11, tzinfo=UTC)
    assert taken.event.data == {"order_id": "o1"}
    assert routing_id(taken.event) == "anna"


BAD = {
    "text": (b"hello", BadReason.NOT_JSON),
    "an empty line": (b"", BadReason.NOT_JSON),
    "half an object": (b'{"id": "e1", ', BadReason.NOT_JSON),
    "a list": (b"[]", BadReason.ENVELOPE),
    "a number": (b"7", BadReason.ENVELOPE),
    "not UTF-8": (b'{"id": "\xff"}', BadReason.NOT_JSON),
    "half a surrogate": (b'{"id": "\\ud800"}', BadReason.NOT_JSON),
    "not a number": (json.dumps(an_event(data={"order_id": "o1", "total": float("nan")})), None),
    "infinity": (json.dumps(an_event(data={"order_id": "o1", "total": float("inf")})), None),
    "beyond every number": (b'{"a": 1e999}', BadReason.NOT_JSON),
    "too large": (an_event(data={"order_id": "o1", "note": "x" * 262_144}), BadReason.TOO_LARGE),
    "nested deep": (b'{"data":' + b"[" * 100 + b"]" * 100 + b"}", BadReason.TOO_DEEP),
    "nested very deep": (b"[" * 100_000, BadReason.TOO_DEEP),
    "a NUL byte": (b'{"id": "a\x00b"}', BadReason.NUL),
    "a NUL in a payload": (an_event(data={"order_id": "a\x00b"}), BadReason.NUL),
    "a NUL in a key": (an_event(data={"order_id": "o1", "a\x00": 1}), BadReason.NUL),
    "no id": (an_event(id=...), BadReason.ENVELOPE),
    "an empty id": (an_event(id=" "), BadReason.ENVELOPE),
    "an id that is a number": (an_event(id=7), BadReason.ENVELOPE),
    "a long id": (an_event(id="x" * 201), BadReason.ENVELOPE),
    "an id with a line break": (an_event(id="a\nb"), BadReason.ENVELOPE),
    "a customer id of 10 kB": (an_event(customer_id="x" * 10_240), BadReason.ENVELOPE),
    "a customer id that is a list": (an_event(customer_id=["anna"]), BadReason.ENVELOPE),
    "an unknown field": (an_event(context={}), BadReason.ENVELOPE),
    "no type": (an_event(type=...), BadReason.ENVELOPE),
    "an unknown type": (an_event(type="order.eaten"), BadReason.UNKNOWN_TYPE),
    "data that is a list": (an_event(data=[]), BadReason.PAYLOAD),
    "data of a wrong type": (an_event(data={"order_id": 7}), BadReason.PAYLOAD),
    "data without what it needs": (an_event(data={}), BadReason.PAYLOAD),
    "no time": (an_event(occurred_at=...), BadReason.ENVELOPE),
    "a time without zone": (an_event(occurred_at="2026-03-01T11:00:00"), BadReason.BAD_TIME),
    "a day": (an_event(occurred_at="2026-03-01"), BadReason.BAD_TIME),
    "a Unix time": (an_event(occurred_at=1772362800), BadReason.ENVELOPE),
    "the year 0": (an_event(occurred_at="0000-01-01T00:00:00Z"), BadReason.BAD_TIME),
    "the year 1": (an_event(occurred_at="0001-01-01T00:00:00+14:00"), BadReason.BAD_TIME),
    "the year 9999": (an_event(occurred_at="9999-12-31T23:59:59-12:00"), BadReason.BAD_TIME),
    "the 30th of February": (an_event(occurred_at="2026-02-30T00:00:00Z"), BadReason.BAD_TIME),
    "digits of another script": (an_event(occurred_at="٢٠٢٦-03-01T00:00:00Z"), BadReason.BAD_TIME),
    "tomorrow": (an_event(occurred_at="2026-03-02T12:00:00Z"), BadReason.FROM_FUTURE),
    "identified as oneself": (
        an_event(type="customer.identified", data={"anonymous_id": "anna"}),
        BadReason.PAYLOAD,
    ),
    "identified as two": (
        an_event(type="customer.identified", anonymous_id="v1", data={"anonymous_id": "v2"}),
        BadReason.PAYLOAD,
    ),
    "identified as nobody": (an_event(type="customer.identified", data={}), BadReason.ENVELOPE),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_with_its_reason(ingest, case):
    event, reason = BAD[case]
    refused = read(ingest, event)
    assert isinstance(refused, Refused)
    assert refused.reason == (reason or BadReason.NOT_JSON)
    assert refused.detail
    assert "\x00" not in refused.raw + refused.event_id + refused.type
    assert len(refused.raw) <= 8192


def test_a_duplicate_key_is_tolerated_and_the_last_one_counts(ingest):
    raw = json.dumps(an_event())[:-1] + ', "customer_id": "berta"}'
    assert read(ingest, raw).event.customer_id == "berta"


def test_what_only_looks_like_a_nul_is_text(ingest):
    taken = read(ingest, an_event(data={"order_id": "\\u0000"}))
    assert isinstance(taken, Accepted)


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2026-03-01T11:00:00Z", "2026-03-01T11:00:00+00:00"),
        ("2026-03-01t11:00:00z", "2026-03-01T11:00:00+00:00"),
        ("2026-03-01T12:00:00+01:00", "2026-03-01T11:00:00+00:00"),
        ("2026-03-01T11:00:00.5Z", "2026-03-01T11:00:00.500000+00:00"),
        ("2026-03-01T11:00:00.123456789Z", "2026-03-01T11:00:00.123456+00:00"),
    ],
)
def test_times_become_utc(ingest, written, utc):
    assert read(ingest, an_event(occurred_at=written)).event.occurred_at.isoformat() == utc


def test_a_clock_that_runs_a_little_ahead_is_clamped_to_the_receipt(ingest):
    ahead = NOW + timedelta(minutes=4)
    taken = read(ingest, an_event(occurred_at=ahead.isoformat()))
    assert taken.event.occurred_at == NOW
    assert taken.sent_at == ahead


def test_when_events_are_the_clock_none_is_ahead_of_it():
    replay = Ingest(SCHEMAS, event_clock=True)
    ahead = NOW + timedelta(days=400)
    assert read(replay, an_event(occurred_at=ahead.isoformat())).event.occurred_at == ahead
    assert read(replay, an_event(occurred_at="9999-12-31T00:00:00Z")).reason == BadReason.BAD_TIME


def test_the_reason_names_the_place_and_no_value(ingest):
    refused = read(
        ingest, an_event(data={"order_id": "o1", "email": "anna.very.long@shop.example"})
    )
    assert "data.email" in refused.detail
    assert "20 characters" in refused.detail
    assert "anna" not in refused.detail
    nested = read(ingest, an_event(data={"order_id": "o1", "items": [{"sku": "a"}, {}]}))
    assert "data.items.1" in nested.detail


@pytest.mark.parametrize(
    "event",
    [
        an_event(type="account.password_reset_requested", data={"reset_url": 7}),
        an_event(
            type="account.password_reset_requested",
            data={"reset_url": "s3cret", "device": {"token": "s3cret"}},
            customer_id="x" * 300,
        ),
        an_event(type="account.unheard_of", data={"reset_url": "s3cret"}),
        '{"type": "account.password_reset_requested", "data": {"reset_url": "s3cret"',
    ],
    ids=["wrong type", "nested", "unknown type", "not JSON"],
)
def test_a_secret_is_kept_in_no_dead_letter(ingest, event):
    refused = read(ingest, event)
    assert isinstance(refused, Refused)
    assert "s3cret" not in refused.raw + refused.detail


def test_a_secret_is_blanked_before_an_event_is_stored(ingest):
    data = {"reset_url": "s3cret", "device": {"token": "s3cret", "name": "phone"}}
    event = read(ingest, an_event(type="account.password_reset_requested", data=data)).event
    assert event.data == data
    assert ingest.secrets.blanked(event).data == {
        "reset_url": "***",
        "device": {"token": "***", "name": "phone"},
    }


def test_an_identification_is_decided_on_the_visitors_row(ingest):
    event = an_event(type="customer.identified", data={"anonymous_id": "v1"})
    assert read(ingest, event).event.concerns == "v1"
    event = an_event(type="customer.identified", customer_id=..., anonymous_id="v1",
                     data={"customer_id": "anna"})  # fmt: skip
    assert read(ingest, event).event.concerns == "v1"


def test_an_event_about_nobody_is_routed_by_its_own_id(ingest):
    assert routing_id(read(ingest, an_event(customer_id=None)).event) == "e1"


@given(st.binary(max_size=300))
def test_no_bytes_raise(raw):
    assert isinstance(INGEST.read(raw, received_at=NOW), Refused)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["id", "type", "occurred_at", "customer_id", "data"]), JSON))
def test_no_document_raises(document):
    read(INGEST, json.dumps({**an_event(), **document}))


INGEST = Ingest(SCHEMAS)
