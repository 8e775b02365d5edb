"""What is kept comes back as it was: every value of the domain goes through JSON unchanged."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopflow.domain import codec
from shopflow.domain.codec import (
    STATE_VERSION,
    customer_from_state,
    customer_to_state,
    input_from_json,
    input_to_json,
    message_from_json,
    message_to_json,
)
from shopflow.domain.codec_making import changer, maker
from shopflow.domain.coupon import DrawnCode
from shopflow.domain.customer import (
    Awaited,
    Consent,
    ConsentState,
    Customer,
    Enrolment,
    GoalWatch,
    LegalBasis,
    Mark,
    RecentEvent,
    SentRecord,
    SlotState,
    StepResult,
    SuppressionScope,
)
from shopflow.domain.event import DeliveryReport, Event, Merge, News, Outcome, Tick
from shopflow.domain.ids import CustomerId
from shopflow.domain.message import Message
from shopflow.domain.policy import MessageClass
from shopflow.domain.product import IfSoldOut
from shopflow.domain.stored import with_parts
from shopflow.domain.trial import Result, TrialWatch
from shopflow.errors import StoreError

TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
COUNTS = st.integers(0, 1_000)
TIMES = st.datetimes(
    min_value=datetime(1, 1, 1),  # noqa: DTZ001 - the strategy adds the zone
    max_value=datetime(9999, 12, 31, 23, 59, 59, 999_999),  # noqa: DTZ001
    timezones=st.just(UTC),
)
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
DATA = st.dictionaries(TEXT, PLAIN, max_size=3)
WORDS = st.frozensets(NAMES, max_size=3)


def several(values):
    return st.lists(values, max_size=2).map(tuple)


def every_field(cls, **fields):
    """A strategy that sets each field: a new field that nobody thought of here fails at once."""
    names = {field.name for field in dataclasses.fields(cls)}
    assert names == set(fields), f"{cls.__name__}: not covered {names ^ set(fields)}"
    return st.builds(cls, **fields)


DRAWN = every_field(
    DrawnCode,
    draw=NAMES,
    coupon=NAMES,
    pool=NAMES,
    code=NAMES,
    enrolment_id=NAMES,
    at=TIMES,
    ends_at=st.none() | TIMES,
    issued=st.booleans(),
    used_at=st.none() | TIMES,
)
MESSAGES = every_field(
    Message,
    id=NAMES,
    customer_id=NAMES,
    enrolment_id=NAMES,
    workflow=NAMES,
    version=COUNTS,
    digest=TEXT,
    step=NAMES,
    visit=COUNTS,
    channel=NAMES,
    fallbacks=several(NAMES),
    purpose=NAMES,
    message_class=st.sampled_from(MessageClass),
    priority=COUNTS,
    tags=WORDS,
    template=TEXT,
    locale=TEXT,
    address=TEXT,
    variables=DATA,
    codes=several(DRAWN),
    promotes=st.dictionaries(NAMES, st.sampled_from(IfSoldOut), max_size=2),
    trigger_event_id=NAMES,
    decided_at=TIMES,
    cursor_at=TIMES,
    send_by=TIMES,
)
RESULT = {
    "outcome": TEXT,
    "at": TIMES,
    "sent_at": st.none() | TIMES,
    "channel": st.none() | TEXT,
    "event": st.none() | DATA,
}
# Without a code there is nothing that could end.
RESULTS = every_field(StepResult, **RESULT, code=st.none(), expires_at=st.none()) | every_field(
    StepResult, **RESULT, code=NAMES, expires_at=st.none() | TIMES
)
ENROLMENTS = every_field(
    Enrolment,
    id=NAMES,
    workflow=NAMES,
    version=COUNTS,
    digest=TEXT,
    key=TEXT,
    entered_at=TIMES,
    trigger_event_id=NAMES,
    trigger=DATA,
    item=PLAIN,
    step=st.none() | NAMES,
    cursor_at=TIMES,
    due_at=st.none() | TIMES,
    held_since=st.none() | TIMES,
    holdout=st.booleans(),
    sent=st.booleans(),
    results=st.dictionaries(NAMES, RESULTS, max_size=2),
    visits=st.dictionaries(NAMES, COUNTS, max_size=2),
    gathered=several(DATA),
    awaits=several(every_field(Awaited, event_type=TEXT, key=TEXT, since=TIMES)),
    number=COUNTS,
)
SENDS = every_field(
    SentRecord,
    message_id=NAMES,
    enrolment_id=NAMES,
    workflow=NAMES,
    step=NAMES,
    channel=NAMES,
    purpose=NAMES,
    message_class=st.sampled_from(MessageClass),
    tags=WORDS,
    decided_at=TIMES,
    state=st.sampled_from(SlotState),
    accepted_at=st.none() | TIMES,
    due_at=st.none() | TIMES,
    message=st.none() | MESSAGES,
    queued=st.booleans(),
    draws=several(NAMES),
)
MARKS = every_field(Mark, entered_at=TIMES, last_message_at=st.none() | TIMES, used_at=TIMES)
CONSENTS = every_field(
    Consent,
    state=st.sampled_from(ConsentState),
    at=TIMES,
    basis=st.sampled_from(LegalBasis),
    until=st.none() | TIMES,
)
RECENT = every_field(RecentEvent, id=NAMES, type=NAMES, occurred_at=TIMES, data=DATA)
GOALS = every_field(
    GoalWatch,
    enrolment_id=NAMES,
    workflow=NAMES,
    version=COUNTS,
    digest=TEXT,
    since_at=TIMES,
    until=TIMES,
    holdout=st.booleans(),
    channel=st.none() | NAMES,
    step=st.none() | NAMES,
    trigger=DATA,
)
TRIALS = every_field(
    TrialWatch,
    trial=NAMES,
    workflow=NAMES,
    version=COUNTS,
    step=NAMES,
    enrolment_id=NAMES,
    branch=NAMES,
    until=TIMES,
    messages=several(NAMES),
    seen=st.frozensets(st.sampled_from(Result), max_size=2),
)
CUSTOMERS = every_field(
    Customer,
    id=NAMES,
    attributes=DATA,
    tags=WORDS,
    traits=DATA,
    segments=WORDS,
    segments_by=st.sampled_from(["", "0123456789ab"]),
    begun=WORDS,
    consents=st.dictionaries(st.tuples(TEXT, TEXT), CONSENTS, max_size=2),
    suppressions=st.frozensets(st.tuples(TEXT, st.sampled_from(SuppressionScope)), max_size=2),
    sent=several(SENDS),
    enrolments=several(ENROLMENTS),
    marks=st.dictionaries(st.tuples(NAMES, st.none() | TEXT), MARKS, max_size=2),
    goals=several(GOALS),
    recent=several(RECENT),
    codes=several(DRAWN),
    trials=several(TRIALS),
    watermark=st.none() | TIMES,
    calendar_at=st.none() | TIMES,
    alias_of=st.none() | NAMES,
    next_due_at=st.none() | TIMES,
)
EVENTS = every_field(
    Event,
    id=NAMES,
    type=NAMES,
    occurred_at=TIMES,
    data=DATA,
    customer_id=st.none() | NAMES,
    anonymous_id=st.none() | NAMES,
    hops=COUNTS,
    # A wish is decided at once; whatever it tells others is an event like any other.
    ahead=st.just(False),
)
INPUTS = (
    EVENTS
    | every_field(Tick, at=TIMES, timers_only=st.booleans())
    | every_field(
        DeliveryReport,
        message=MESSAGES,
        outcome=st.sampled_from(Outcome),
        at=TIMES,
        reason=TEXT,
    )
    | every_field(Merge, customer=CUSTOMERS, at=TIMES)
    | every_field(News, event=EVENTS, enrolments=several(NAMES))
)


def through_json(json):
    """Written and read as the stores do."""
    return orjson.loads(orjson.dumps(json, option=orjson.OPT_UTC_Z))


@given(CUSTOMERS)
def test_customer_comes_back_as_it_was(customer):
    state = through_json(customer_to_state(customer))
    again = customer_from_state(customer.id, state, STATE_VERSION, customer.next_due_at)
    assert again == customer
    assert list(again.marks) == list(customer.marks)
    assert list(again.consents) == list(customer.consents)


@given(MESSAGES)
def test_message_comes_back_as_it_was(message):
    assert message_from_json(through_json(message_to_json(message))) == message


@given(INPUTS)
def test_input_comes_back_as_it_was(what):
    assert input_from_json(through_json(input_to_json(what))) == what


@given(CUSTOMERS)
def test_equal_customers_have_equal_states(customer):
    again = dataclasses.replace(customer, tags=frozenset(sorted(customer.tags)[::-1]))
    assert orjson.dumps(customer_to_state(again)) == orjson.dumps(customer_to_state(customer))


def test_nobody_yet_takes_two_bytes():
    assert orjson.dumps(customer_to_state(Customer(id=CustomerId("anna")))) == b"{}"


def test_times_are_kept_as_iso_text_with_z():
    at = datetime(2026, 3, 3, 10, tzinfo=UTC)
    state = through_json(customer_to_state(Customer(id=CustomerId("anna"), watermark=at)))
    assert state == {"w": "2026-03-03T10:00:00Z"}


def test_a_time_of_another_zone_comes_back_as_the_same_instant():
    at = datetime(2026, 3, 3, 10, tzinfo=timezone(timedelta(hours=1)))
    state = through_json(customer_to_state(Customer(id=CustomerId("anna"), watermark=at)))
    assert customer_from_state(CustomerId("anna"), state, STATE_VERSION).watermark == at


def test_read_only_mappings_can_be_kept():
    customer = Customer(id=CustomerId("anna"), attributes=MappingProxyType({"a": 1}))
    state = through_json(customer_to_state(customer))
    assert customer_from_state(customer.id, state, STATE_VERSION) == customer


def test_an_old_state_is_brought_up_step_by_step(monkeypatch):
    monkeypatch.setattr(codec, "STATE_VERSION", 3)
    monkeypatch.setitem(codec.UPCASTERS, 1, lambda old: {**old, "g": [*old["g"], "two"]})
    monkeypatch.setitem(codec.UPCASTERS, 2, lambda old: {**old, "g": [*old["g"], "three"]})
    customer = customer_from_state(CustomerId("anna"), {"g": ["one"]}, 1)
    assert customer.tags == {"one", "two", "three"}


def test_a_newer_state_is_refused_with_what_to_do():
    with pytest.raises(StoreError, match=r"customer anna .* newer shopflow .* upgrade"):
        customer_from_state(CustomerId("anna"), {}, STATE_VERSION + 1)


def test_a_state_that_no_upcaster_leads_from_is_refused():
    with pytest.raises(StoreError, match="version 0, from which nothing leads"):
        customer_from_state(CustomerId("anna"), {}, 0)


def test_an_input_of_an_unknown_kind_is_refused():
    with pytest.raises(StoreError, match="unknown kind 'telegram'"):
        input_from_json({"k": "telegram"})


@given(MESSAGES)
def test_a_value_made_fast_cannot_be_told_from_any_other(message):
    fields = {field.name: getattr(message, field.name) for field in dataclasses.fields(Message)}
    fast = maker(Message)(**fields)
    assert type(fast) is Message
    assert fast == message
    assert dataclasses.replace(fast, step="other").step == "other"
    with pytest.raises(dataclasses.FrozenInstanceError):
        fast.step = "other"


def test_a_value_made_fast_has_the_defaults_of_its_class():
    at = datetime(2026, 3, 3, tzinfo=UTC)
    assert maker(Mark)(entered_at=at, used_at=at) == Mark(entered_at=at, used_at=at)
    with pytest.raises(TypeError, match="used_at"):
        maker(Mark)(entered_at=at)


@given(MESSAGES)
def test_a_value_changed_fast_is_what_replace_makes(message):
    changes = {"step": "other", "visit": 7}
    fast = changer(Message)(message, changes)
    assert type(fast) is Message
    assert fast == dataclasses.replace(message, **changes)
    assert changer(Message)(message, {}) == message


@given(CUSTOMERS, CUSTOMERS)
def test_a_stored_customer_with_other_parts_is_what_replace_makes(customer, other):
    state = through_json(customer_to_state(customer))
    kept = customer_from_state(customer.id, state, STATE_VERSION, customer.next_due_at)
    names = ("marks", "sent", "traits", "watermark", "next_due_at")
    changes = {name: getattr(other, name) for name in names}
    changed = with_parts(with_parts(kept, changes), {"tags": other.tags})
    wanted = dataclasses.replace(customer, **changes, tags=other.tags)
    assert changed == wanted
    assert wanted == changed
    assert dataclasses.replace(changed, segments=frozenset()) == dataclasses.replace(
        wanted, segments=frozenset()
    )
    assert through_json(customer_to_state(changed)) == through_json(customer_to_state(wanted))


@given(CUSTOMERS)
def test_what_has_not_changed_is_written_as_it_was_read(customer):
    state = through_json(customer_to_state(customer))
    kept = customer_from_state(customer.id, state, STATE_VERSION, customer.next_due_at)
    assert with_parts(kept, {}) is kept
    assert orjson.dumps(customer_to_state(kept)) == orjson.dumps(state)
