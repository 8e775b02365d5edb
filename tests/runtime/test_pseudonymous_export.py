"""What `events export --pseudonymous` writes: enough to decide by, and nobody's name."""

from __future__ import annotations

import base64
import gzip
import json
from urllib.parse import quote, quote_plus

import pytest
from click.testing import CliRunner
from support.repositories import commit, repository, write
from support.small_project import PROJECT, TRAITS, project_files

from shopflow.cli.main import main
from shopflow.errors import SettingsError
from shopflow.runtime.pseudonyms import PSEUDONYM_KEY, pseudonyms_of

KEY = {PSEUDONYM_KEY: "a-key-that-nobody-guesses"}
SMS = {
    "url": "http://localhost:1/texts",
    "sender": "SHOP",
    "body": {"to": "{to}", "text": "{text}"},
}
SHOP = {**PROJECT, "database": "sqlite:///shopflow.db"}
ATTRIBUTES = {
    **TRAITS,
    "attributes": {
        **TRAITS["attributes"],
        **{name: {"type": "string"} for name in ("email", "phone", "first_name", "last_name")},
    },
}
#: Everything of the people below that must never be seen.
PERSONAL = [
    "anna.martin@mail.example", "Anna", "Martin", "+33612345678", "0612345678",
    "ben@shop.example", "Benoît", "+4915112345678", "1984-05-06", "75011", "rue des Lilas",
    "for my mother", "c-anna@crm", "anna-martin-cart",
]  # fmt: skip


def event(number, at, kind, customer, **data):
    return {
        "id": f"anna-martin-{number}",
        "type": kind,
        "occurred_at": at,
        "customer_id": customer,
        "data": data,
    }


EVENTS = [
    event(1, "2026-03-01T10:00:00Z", "customer.registered", "c-anna@crm",
          email="anna.martin@mail.example", phone="+33612345678", first_name="Anna",
          last_name="Martin", birthday="1984-05-06", postcode="75011", gender="female",
          source="told Anna Martin at the till",
          consents=[{"channel": "email", "purpose": "marketing", "source": "by Anna",
                     "proof": "anna.martin@mail.example said yes"}]),
    event(2, "2026-03-01T11:00:00Z", "customer.registered", "ben", email="ben@shop.example",
          first_name="Benoît", phone="+4915112345678"),
    event(3, "2026-03-03T10:00:00Z", "cart.updated", "c-anna@crm", cart_id="anna-martin-cart",
          total=90.0, cart_url="https://shop.example/r/anna.martin@mail.example",
          note="for my mother, rue des Lilas", category="anna.martin@mail.example",
          items=[{"sku": "0612345678", "name": "A lamp for Anna", "price": 90.0, "quantity": 1}]),
    event(4, "2026-03-03T10:30:00Z", "cart.updated", "ben", total=12.0, items=[]),
    event(5, "2026-03-03T12:00:00Z", "order.placed", "ben", order_id="o-1", total=12.0, items=[],
          email="ben@shop.example", shipping_address={"street": "rue des Lilas", "city": "Paris"}),
    event(6, "2026-03-03T15:00:00Z", "product.viewed", "c-anna@crm", sku="A1"),
]  # fmt: skip


def files(**workflow):
    return project_files(
        {"purpose": "marketing", **workflow},
        **{"shopflow.yaml": SHOP, "rules/traits.yaml": ATTRIBUTES},
    )


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A project whose database holds the events."""
    root = repository(tmp_path / "shop", files())
    write(root, {"events.jsonl": "".join(json.dumps(each) + "\n" for each in EVENTS)})
    monkeypatch.setenv(PSEUDONYM_KEY, KEY[PSEUDONYM_KEY])
    call("events", "import", str(root / "events.jsonl"), root=root)
    return root


def call(*words, root, code=0):
    ran = CliRunner().invoke(main, [*words, "--project", str(root)])
    assert ran.exit_code == code, ran.output
    return ran


def export(root, name="out.jsonl", since="3650d"):
    out = root / name
    call("events", "export", "--pseudonymous", "--since", since, "--out", str(out), root=root)
    return out


def spellings(text):
    """A text as it may stand in a file: plain, as JSON, in an address, in base 64."""
    yield from (
        text,
        json.dumps(text)[1:-1],
        quote(text),
        quote_plus(text),
    )
    for shift in range(3):
        packed = base64.b64encode(b" " * shift + text.encode()).decode().rstrip("=")
        # What the signs beside it take part in is left out.
        yield packed[4 if shift else 0 : -2]


def assert_names_nobody(text):
    low = text.lower()
    seen = {
        word
        for word in PERSONAL
        for spelt in spellings(word)
        if len(spelt) >= 3 and spelt.lower() in low
    }
    assert not seen


def test_export_names_nobody(shop):
    text = export(shop).read_text(encoding="utf-8")
    assert len(text.splitlines()) == len(EVENTS)
    assert_names_nobody(text)


def test_the_check_itself_finds_names_however_they_are_written():
    for spelt in spellings("anna.martin@mail.example"):
        with pytest.raises(AssertionError):
            assert_names_nobody(f"a line with {spelt} in it")


def test_same_key_same_bytes_and_another_key_other_names(shop, monkeypatch):
    first, again = export(shop, "a.jsonl.gz"), export(shop, "b.jsonl.gz")
    assert first.read_bytes() == again.read_bytes()
    monkeypatch.setenv(PSEUDONYM_KEY, "another-key-that-nobody-knows")
    others = set(gzip.decompress(export(shop, "c.jsonl.gz").read_bytes()).split(b'"'))
    tokens = {word for word in gzip.decompress(first.read_bytes()).split(b'"') if word[:2] == b"p-"}
    assert tokens
    assert not tokens & others


def test_rules_decide_on_it_as_on_the_events_themselves(shop):
    def simulated(path):
        ran = call("simulate", str(path), "--until", "drain", "--format", "json", root=shop)
        return json.loads(ran.stdout)["workflows"]

    assert simulated(export(shop)) == simulated(shop / "events.jsonl")
    assert simulated(export(shop))["cart"]["sends"] == {"email": 1}


def test_of_the_time_before_only_what_people_are_made_of_is_written(shop):
    kinds = [json.loads(line)["type"] for line in export(shop, since="1h").read_text().splitlines()]
    assert sorted(set(kinds)) == ["customer.registered", "order.placed", "product.viewed"]


def test_comment_plan_and_log_name_nobody(shop):
    recorded = export(shop)
    commit(shop)
    write(shop, files(steps=[{"id": "settle", "wait": "30m"},
                             {"id": "reminder", "send": "email", "template": "cart/reminder",
                              "with": {"total": "trigger.total"}}]))  # fmt: skip
    out = [shop / "plan.md", shop / "plan.json"]
    ran = call("plan", "--against", "HEAD", "--events", str(recorded),
               "--out", str(out[0]), "--out", str(out[1]), root=shop)  # fmt: skip
    assert "earlier" in ran.output
    for text in (ran.output, *(path.read_text(encoding="utf-8") for path in out)):
        assert_names_nobody(text)


@pytest.mark.parametrize(
    ("environment", "told"),
    [({}, "is missing; give a secret of at least 16"), ({PSEUDONYM_KEY: "short"}, "is shorter")],
)
def test_a_key_that_can_be_guessed_is_refused(environment, told):
    with pytest.raises(SettingsError, match=told):
        pseudonyms_of(environment)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "Missing option '--pseudonymous'"),
        (["--pseudonymous", "--since", "soon"], "'soon' is no length of time such as 30d"),
        (["--pseudonymous", "--out", "/none/x.jsonl"], "/none/x.jsonl: cannot be written"),
    ],
)
def test_wrong_usage_is_told(shop, options, told):
    assert told in call("events", "export", *options, root=shop, code=2).output
