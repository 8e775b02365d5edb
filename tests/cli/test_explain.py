"""`explain`: one enrolment, every value that decided, and what an event would lead to."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from support.running import a_project, an_event, who, write_events
from support.small_project import CART as CART_WORKFLOW
from support.small_project import project_files

CART = {"total": 90.0, "items": []}
#: Addresses, numbers and names that no output may show.
SEEKS = {
    "id": "by-mail",
    "trigger": {
        "event": "customer.registered",
        "when": "has(event.email) && event.email != '' && event.first_name == 'Berta'",
    },
    "steps": [{"id": "rest", "wait": "1h"}],
}


@pytest.fixture
def shop(tmp_path, sink, command):
    """A small project that has sent anna a mail."""
    a_project(tmp_path, sink.port)
    now = datetime.now(UTC)
    events = [
        who("anna", (now - timedelta(minutes=2)).isoformat()),
        an_event(1, "anna", at=(now - timedelta(minutes=1)).isoformat()),
    ]
    command("run", str(write_events(tmp_path / "events.jsonl", events)))
    return command


@pytest.fixture
def what_if(folder, command):
    """`explain event` on the small project of rules, which needs no database."""
    folder(project_files(**{"rules/workflows/shop/by-mail.yaml": {**CART_WORKFLOW, **SEEKS}}))

    def ask(event_type, data, *options, code=0):
        text = data if isinstance(data, str) else json.dumps(data)
        return command("explain", "event", event_type, "--data", text, *options, code=code)

    return ask


def test_an_enrolment_is_told_from_its_event_to_its_end(shop):
    lines = json.loads(shop("explain", "customer", "anna", "--format", "json"))["timeline"]
    enrolments = {line["enrolment_id"] for line in lines if line.get("enrolment_id")}
    told = {each: shop("explain", "enrolment", each) for each in enrolments}
    for each, text in told.items():
        assert text.startswith(f"enrolment {each}, of customer anna\n")
        assert "(event e1)" in text
    hello = next(text for text in told.values() if "hello: " in text)
    assert "later" not in hello
    assert "a***@example.com was accepted by the channel" in hello


def test_an_enrolment_that_nobody_knows_is_said(shop):
    assert "no enrolment 'x1' is known here" in shop("explain", "enrolment", "x1", code=2)


def test_addresses_are_shown_to_whoever_asks_for_them(shop):
    assert "anna@example.com" not in shop("explain", "event", "e1", "--level", "full")
    assert "anna@example.com was accepted" in shop("explain", "event", "e1", "--unmask")


def test_the_full_level_names_the_enrolment(shop):
    assert "enrolment " not in shop("explain", "customer", "anna")
    assert ", version 1\n" in shop("explain", "customer", "anna", "--level", "full")


def test_what_an_event_would_start_is_told(what_if):
    told = what_if("cart.updated", CART)
    assert "\ncart would start\n" in told
    assert "1 more workflow takes no event of this type" in told


def test_why_it_would_start_nothing_is_told_with_each_part(what_if):
    told = what_if("cart.updated", {"total": 5.0, "items": []})
    assert "\ncart would not start\n  when: no\n" in told
    assert "    false  event.total >= 20  event.total = 5.0\n" in told


def test_a_yes_is_taken_apart_in_full(what_if):
    assert "when: yes" not in what_if("cart.updated", CART)
    told = what_if("cart.updated", CART, "--level", "full")
    assert "    true  event.total >= 20  event.total = 90.0\n" in told


def test_machines_read_the_same(what_if):
    told = json.loads(what_if("cart.updated", {"total": 5.0, "items": []}, "--format", "json"))
    (cart,) = told["workflows"]
    assert (cart["workflow"], cart["answer"]) == ("cart", "no")
    parts = cart["conditions"]["when"]["parts"]
    assert [one["answer"] for one in parts] == ["true", "false"]


def test_personal_values_are_masked_in_an_answer(what_if):
    person = {"email": "anna.martin@example.com", "first_name": "Anna"}
    told = what_if("customer.registered", person)
    assert "by-mail would not start" in told
    assert "event.email = 'a***@example.com'" in told
    assert "Anna" not in told
    shown = what_if("customer.registered", person, "--unmask")
    assert "event.email = 'anna.martin@example.com'" in shown


def test_an_event_is_read_from_a_file_as_the_shop_sends_it(what_if, tmp_path):
    path = tmp_path / "event.json"
    path.write_text(json.dumps(an_event(1, "anna", "cart.updated", **CART)))
    assert "cart would start" in what_if("cart.updated", f"@{path}")


@pytest.mark.parametrize(
    ("event_type", "data", "told"),
    [
        ("cart.upated", "{}", "did you mean 'cart.updated'?"),
        ("cart.updated", "{", "--data is no JSON"),
        ("cart.updated", "@missing.json", "cannot be read"),
        ("cart.updated", '{"total": "much"}', "the shop could not send this: data.total"),
    ],
)
def test_what_the_shop_could_not_send_is_refused(what_if, event_type, data, told):
    assert told in what_if(event_type, data, code=2)


def test_a_known_customer_is_asked_about_as_they_are(shop):
    data = json.dumps({"sku": "A1"})
    told = shop("explain", "event", "product.viewed", "--data", data, "--customer", "anna")
    assert "about customer anna" in told
    assert "later would not start: " in told
    assert "no customer 'nobody'" in shop(
        "explain", "event", "product.viewed", "--data", data, "--customer", "nobody", code=2
    )


def test_a_question_about_what_would_be_needs_the_payload(shop):
    assert "go with --data" in shop("explain", "event", "e1", "--customer", "anna", code=2)


def test_a_workflow_that_there_is_not_explains_nothing(shop):
    told = shop("explain", "customer", "anna", "--workflow", "helo", code=2)
    assert "no workflow named 'helo'; did you mean 'hello'?" in told
    assert "more events led to nothing" not in shop("explain", "customer", "anna")


def test_what_did_not_come_about_stands_alone_on_demand(shop, tmp_path, command):
    assert "hello: " not in shop("explain", "customer", "anna", "--level", "fails")
    again = an_event(9, "anna", at=datetime.now(UTC).isoformat())
    command("run", str(write_events(tmp_path / "again.jsonl", [again])))
    told = shop("explain", "customer", "anna", "--level", "fails")
    assert "hello: did not enter: it may start only once, and it has" in told
    assert "accepted by the channel" not in told
    kinds = json.loads(shop("explain", "event", "e9", "--level", "fails", "--format", "json"))
    assert [line["kind"] for line in kinds["timeline"]] == ["refused"] * 2


def test_what_would_start_is_left_out_where_only_a_no_is_asked_for(what_if):
    told = what_if("cart.updated", CART, "--level", "fails")
    assert "would start\n" not in told
    assert "1 more workflow takes no event of this type" in told
