"""Planning with what a database holds: the past as it was, even where events are forgotten."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from support.production import scratch_database
from support.repositories import repository, write
from support.small_project import PROJECT, TRAITS, project_files

from shopflow.cli.main import main
from shopflow.runtime.recorded import recorded
from shopflow.store.opening import open_store

SHOP = {**PROJECT, "database": "sqlite:///shopflow.db"}
ATTRIBUTES = {**TRAITS, "attributes": {**TRAITS["attributes"], "email": {"type": "string"}}}
STEPS = [
    {"id": "settle", "wait": "1h"},
    {"id": "reminder", "send": "email", "template": "cart/reminder",
     "with": {"total": "trigger.total"}},
]  # fmt: skip
YES = {"consents": [{"channel": "email", "purpose": "marketing"}]}


def event(number, at, kind, customer="anna", **data):
    return {"id": f"e-{number}", "type": kind, "occurred_at": at, "customer_id": customer,
            "data": data}  # fmt: skip


EVENTS = [
    event(1, "2026-01-01T10:00:00Z", "customer.registered", email="anna@shop.example", **YES),
    event(2, "2026-03-03T10:00:00Z", "cart.updated", total=90.0, items=[]),
    event(3, "2026-03-03T12:00:00Z", "product.viewed", "ben", sku="A1"),
    event(4, "2026-03-03T12:30:00Z", "cart.updated", "anna", total=95.0, items=[]),
]


def files(steps=STEPS, database=SHOP["database"]):
    workflow = {"purpose": "marketing", "steps": steps}
    project = {**SHOP, "database": database}
    more = {"shopflow.yaml": project, "rules/traits.yaml": ATTRIBUTES}
    return project_files(workflow, **more)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request):
    """The URL of a database with nothing in it, of each kind that there is."""
    if request.param == "sqlite":
        yield SHOP["database"]
        return
    with scratch_database() as url:
        yield url.replace("postgresql:", "postgresql+psycopg:")


@pytest.fixture
def shop(tmp_path, database):
    root = repository(tmp_path / "shop", files(database=database))
    write(root, {"events.jsonl": "".join(json.dumps(each) + "\n" for each in EVENTS)})
    clock = ["--clock", "event", "--until", "end"]
    ran = run(root, "run", str(root / "events.jsonl"), *clock)
    assert ran.exit_code == 0, ran.output
    return root


def run(root, *words):
    return CliRunner().invoke(main, [*words, "--project", str(root)])


def plan(root, *options):
    ran = run(root, "plan", "--against", "main", "--recorded", "30d", "--format", "json", *options)
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)["replay"]


@pytest.fixture
def store(shop, database):
    opened = open_store(database.replace("///", f"///{shop}/"), create=False)
    yield opened
    opened.close()


def test_what_the_database_holds_is_replayed_and_its_enrolments_counted(shop):
    found = plan(shop)
    assert found["channels"] == {"email": {"before": 1, "after": 1, "delta": 0}}
    assert [(one["step"], one["count"]) for one in found["in_flight"]["standing"]] == [
        ("settle", 1)
    ]


def test_consents_and_addresses_are_known_though_their_events_are_forgotten(shop, store):
    before = datetime(2026, 2, 1, tzinfo=UTC)
    assert store.forget_events(before)
    types = {each["type"] for each in EVENTS}
    told = [(one.type, one.occurred_at.date().isoformat()) for one in recorded(store, types)]
    assert told == [
        ("consent.confirmed", "2026-01-01"),
        ("customer.updated", "2026-03-03"),
        ("cart.updated", "2026-03-03"),
        ("product.viewed", "2026-03-03"),
        ("cart.updated", "2026-03-03"),
    ]
    store.close()
    assert plan(shop)["channels"]["email"]["before"] == 1


def test_customers_are_named_by_pseudonyms_unless_asked_for(shop, database):
    write(shop, files([{"id": "settle", "wait": "30m"}, STEPS[1]], database))
    (told,) = plan(shop)["outcomes"]
    assert told["why"] == "30m earlier"
    assert told["customers"][0].startswith("p-")
    assert plan(shop, "--show-ids")["outcomes"][0]["customers"] == ["anna"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--recorded", "soon"], "'soon' is no length of time such as 30d"),
        (["--recorded", "1d", "--events", "events.jsonl"], "are two sources; give one"),
    ],
)
def test_wrong_usage_is_told(shop, options, told, monkeypatch):
    monkeypatch.chdir(shop)
    ran = run(shop, "plan", "--against", "main", *options)
    assert ran.exit_code == 2
    assert told in ran.output


def test_without_a_database_it_says_so(tmp_path):
    root = repository(tmp_path / "shop", files())
    ran = run(root, "plan", "--against", "main", "--recorded", "30d")
    assert ran.exit_code == 3
    assert "shopflow.db" in ran.output
