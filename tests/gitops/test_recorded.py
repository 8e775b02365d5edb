"""A test made of what was recorded of somebody: it passes, and names nobody."""

from __future__ import annotations

import json

import jsonschema_rs
import pytest
import yaml
from click.testing import CliRunner
from support.small_project import CART, project_files

from shopflow.cli.main import main
from shopflow.gitops.recorded.stand_ins import StandIns
from shopflow.lang.reading import parse
from shopflow.lang.schemas import shipped_events

#: What may be found nowhere in the test that is made.
PERSONAL = {
    "email": "zenobie.lefebvre@mail.example",
    "phone": "+33612345678",
    "first_name": "Zénobie",
    "last_name": "Lefebvre",
}
CHOOSY = {
    "trigger": {
        **CART["trigger"],
        "when": (
            "has(event.total) && event.total >= 20 && has(event.locale) && event.locale == 'fr-BE'"
        ),
    },
    "steps": [CART["steps"][0], {**CART["steps"][1], "only_if": "customer.orders_count < 2"}],
}


def an_event(number, event_type, at, **data):
    return {
        "id": f"secret-id-{number}",
        "type": event_type,
        "occurred_at": f"2026-03-03T{at}Z",
        "customer_id": "zenobie-7731",
        "data": data,
    }


CART_EVENT = {
    "cart_id": "cart-of-zenobie-99",
    "cart_url": "https://boutique.example/r/zenobie",
    "total": 90.0,
    "locale": "fr-BE",
    "note_to_the_shop": "ring at Zénobie Lefebvre's",
    "items": [{"sku": "ENGRAVED-ZENOBIE", "price": 90.0, "quantity": 1}],
}


@pytest.fixture
def recorded(folder, tmp_path):
    """The text of a test made of these events, run before on a small project."""
    folder(project_files(CHOOSY))

    def make(*events, words=(), code=0):
        path = tmp_path / "events.jsonl"
        path.write_text("".join(json.dumps(each) + "\n" for each in events))
        run("run", str(path), "--clock", "event", "--until", "drain")
        return run("test", "--from-customer", "zenobie-7731", *words, code=code)

    def run(*words, code=0):
        ran = CliRunner().invoke(main, [*words, "--project", str(tmp_path)])
        assert ran.exit_code == code, ran.output
        return ran.output

    make.run = run
    return make


def a_week():
    return [
        an_event(1, "customer.registered", "09:00:00", **PERSONAL),
        an_event(2, "order.placed", "09:30:00", order_id="o-zenobie-1", total=10.0, items=[]),
        an_event(3, "product.viewed", "09:40:00", sku="ENGRAVED-ZENOBIE"),
        an_event(4, "cart.updated", "10:00:00.25", **CART_EVENT),
        an_event(5, "order.placed", "14:00:00", order_id="o-zenobie-2", total=90.0, items=[]),
    ]


def test_it_passes_and_tells_nothing_of_the_person(recorded, tmp_path):
    text = recorded(*a_week())
    for word in (*PERSONAL.values(), "zenobie", "Zénobie", "ZENOBIE", "secret-id", "note_to"):
        assert word not in text
    path = tmp_path / "rules/tests/shop/recorded.test.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert recorded.run("test") == "1 passed\n"
    assert recorded.run("lint").startswith("no problems found")


def test_it_shows_what_the_rules_make_of_the_events(recorded):
    (test,) = yaml.safe_load(recorded(*a_week()))["tests"]
    # Neither what no rule reads, nor who it was.
    assert [each["type"] for each in test["events"]] == [
        "customer.registered",
        "order.placed",
        "cart.updated",
        "order.placed",
    ]
    # The mail leaves: one order is less than two, and the locale is the one that is asked for.
    assert [each["step"] for each in test["expect"]["sends"]] == ["reminder"]
    assert test["expect"]["end"]["outcome"] == "completed"
    assert test["events"][2]["data"]["locale"] == "fr-BE"


def test_what_the_record_has_otherwise_is_said(recorded, tmp_path):
    recorded(*a_week())
    path = tmp_path / "rules/workflows/shop/cart.yaml"
    path.write_text(yaml.safe_dump({**CART, **CHOOSY, "steps": CART["steps"][:1]}))
    text = recorded.run("test", "--from-customer", "zenobie-7731")
    assert "# reminder by email was sent then, and is not now\n" in text


def test_a_workflow_that_heard_nothing_makes_no_test(recorded):
    told = recorded(a_week()[0], words=["--workflow", "cart"], code=2)
    assert "nothing is recorded of this customer that concerns cart" in told


def test_nobody_makes_no_test(recorded):
    recorded(*a_week())
    assert "no customer 'nobody'" in recorded.run("test", "--from-customer", "nobody", code=2)
    words = ["test", "--from-customer", "zenobie-7731", "--workflow", "crat"]
    assert "did you mean 'cart'?" in recorded.run(*words, code=2)


def test_equal_values_have_equal_stand_ins():
    stand_ins = StandIns()
    first, again = (stand_ins.text("order_id", "A-17") for _ in range(2))
    assert first == again == "order-id-1"
    assert stand_ins.text("order_id", "A-18") == "order-id-2"
    assert StandIns(kept={"garden"}).text("category", "garden", personal=False) == "garden"
    # A name that stands in for itself would be no stand-in.
    assert StandIns().text("first_name", "Anna") != "Anna"


def shipped_payloads(repo):
    """Every payload of the starter pack's tests, with its type."""
    for path in sorted((repo / "rules/tests").rglob("*.test.yaml")):
        data = parse(path.name, path.read_text(encoding="utf-8")).root.data
        fixtures = data.get("fixtures", {})
        for event in (each for test in data["tests"] for each in test.get("events", ())):
            payload = event.get("data", {})
            yield event["type"], fixtures[payload] if isinstance(payload, str) else payload


def test_schemas_accept_the_stand_ins_of_every_shipped_payload(repo):
    schemas = shipped_events().schemas
    checked = 0
    for event_type, payload in shipped_payloads(repo):
        if event_type not in schemas:
            continue
        validator = jsonschema_rs.validator_for(dict(schemas[event_type]), validate_formats=True)
        if validator.is_valid(payload):
            made = StandIns().payload(payload, schemas[event_type])
            errors = [error.message for error in validator.iter_errors(made)]
            assert errors == [], (event_type, payload, made)
            checked += 1
    assert checked > 500
