"""`coupons` and all that comes of them: imported, tested, simulated, sent, counted."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from support.running import a_project, an_event, who, write_events

from shopflow.store.opening import open_store

FILES = {
    "rules/policies/consent.yaml": """
apiVersion: shopflow/v1
kind: ConsentPolicy
purposes:
  service: {class: service}
  marketing: {class: marketing, channels: {email: {soft_opt_in: {event: order.placed}}}}
""",
    "rules/coupons/cart10.yaml": """
apiVersion: shopflow/v1
kind: Coupon
id: cart10
type: percent
value: 10
codes: {pool: spring}
valid_for: 14d
per_customer: 1
""",
    "rules/coupons/thanks.yaml": """
apiVersion: shopflow/v1
kind: Coupon
id: thanks
type: amount
value: 5
codes: {pattern: "MERCI-{random:8}"}
when_exhausted: drop_message
""",
    "rules/workflows/offer.yaml": """
apiVersion: shopflow/v1
kind: Workflow
id: offer
version: 1
title: Offer
owner: team
status: live
purpose: marketing
trigger: {event: product.viewed, key: event.sku, reentry: restart}
steps:
  - {id: offer, send: email, template: offer, coupon: cart10}
  - {id: gift, coupon: thanks, else: [{id: none_left, end: no_code}]}
  - {id: show, send: email, template: gift, with: {code: steps.gift.code}}
""",
    "rules/templates/offer/email.en.txt": """---
subject: "An offer"
purposes: [marketing]
---
{% if coupon %}Your code: {{ coupon.code }}{% else %}Come and see{% endif %}
""",
    "rules/templates/gift/email.en.txt": """---
subject: "A gift"
purposes: [marketing]
variables: {code: string}
---
A gift: {{ code }}
""",
    "rules/tests/offer.test.yaml": """
apiVersion: shopflow/v1
kind: WorkflowTest
workflow: offer
clock: {start: "2026-03-03T10:00:00", timezone: Europe/Paris}
customers:
  anna: {consent: {email: [marketing]}}
fixtures:
  lamp: {sku: A1}
tests:
  - name: a code is shown
    customer: anna
    events: [{at: 0s, type: product.viewed, data: lamp}]
    expect:
      sends: [{step: offer}, {step: show}]
      render: {contains: ["Your code: SPRING-000001", "A gift: MERCI-"]}
  - name: an empty pool leaves the block out
    customer: anna
    mocks: {coupons: {cart10: exhausted}}
    events: [{at: 0s, type: product.viewed, data: lamp}]
    expect:
      sends: [{step: offer}, {step: show}]
      render: {contains: ["Come and see"]}
  - name: no gift is left
    customer: anna
    mocks: {coupons: {thanks: exhausted}}
    events: [{at: 0s, type: product.viewed, data: lamp}]
    expect: {sends: [{step: offer}], end: {outcome: no_code}}
""",
}


@pytest.fixture
def shop(tmp_path, sink, command):
    """Runs a command on a project with coupons; returns its output."""
    a_project(tmp_path, sink.port, **FILES)
    for unused in ("workflows/hello.yaml", "workflows/later.yaml"):
        (tmp_path / "rules" / unused).unlink()
    return command


def codes_file(tmp_path, text, name="codes.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def pools(shop):
    return {one["pool"]: one for one in json.loads(shop("coupons", "list", "--format", "json"))}


def test_codes_come_in_from_a_file_once(shop, tmp_path):
    path = codes_file(tmp_path, "code;ends_at\nAAA;2099-12-31\nBBB;\nCCC;\n")
    assert "3 codes are new, 0 were there already" in shop("coupons", "import", "spring", path)
    assert "0 codes are new, 3 were there already" in shop("coupons", "import", "spring", path)
    assert pools(shop)["spring"]["left"] == 3
    assert "the next ends 2099-12-31T00:00:00Z" in shop("coupons", "list")


@pytest.mark.parametrize(
    "text",
    [
        "AAA\nBBB\n",
        "\ufeffcode\r\nAAA\r\nBBB\r\n",
        "Voucher\tValue\nAAA\t10\nBBB\t10\n",
        '"code","note"\n"AAA","one, two"\n"BBB",""\n',
    ],
)
def test_the_files_that_shops_have_are_read(shop, tmp_path, text):
    shop("coupons", "import", "spring", codes_file(tmp_path, text))
    out = shop("coupons", "export", "spring")
    assert [line.split(",")[:2] for line in out.splitlines()[1:]] == [
        ["AAA", "free"],
        ["BBB", "free"],
    ]


def test_rows_that_are_no_codes_are_told_and_the_others_go_in(shop, tmp_path):
    rows = ["code,ends_at", "AAA,", ",2026-01-01", "B B,", "CCC,soon", f"{'X' * 65},", "DDD,"]
    out = shop("coupons", "import", "spring", codes_file(tmp_path, "\n".join(rows)), code=1)
    assert "2 codes are new" in out
    assert "line 3: there is no code" in out
    assert "line 4: the code has blanks inside" in out
    assert "line 5: 'soon' is no time" in out
    assert "line 6: a code of 65 signs; at most 64 are taken" in out


def test_a_pool_that_no_coupon_knows_is_refused(shop, tmp_path):
    path = codes_file(tmp_path, "AAA\n")
    out = shop("coupons", "import", "sprung", path, code=2)
    assert "no coupon in rules/coupons takes its codes from a pool 'sprung'; pools: spring" in out


@pytest.mark.parametrize("text", [b"\xff\xfe\x00", "name,price\nA,3\n"])
def test_a_file_without_codes_is_refused(shop, tmp_path, text):
    shop("coupons", "import", "spring", codes_file(tmp_path, text), code=2)


def test_rule_tests_know_coupons(shop):
    assert "3 passed" in shop("test")


def test_a_coupon_that_is_not_there_cannot_be_mocked(shop, tmp_path):
    path = tmp_path / "rules/tests/offer.test.yaml"
    path.write_text(path.read_text().replace("{thanks: exhausted}", "{thank: exhausted}"))
    assert "no coupon named 'thank'" in shop("test", code=2)


def now(**ago):
    return (datetime.now(UTC) - timedelta(**ago)).isoformat()


def told(*people):
    """The events of people who may be written to and look at something."""
    notice = {"text_version": "1", "refused": False}
    for person in people:
        yield who(person, now(minutes=3))
        order = {"order_id": person, "total": 9.0, "items": [], "marketing_notice": notice}
        yield {**an_event(person, person, "order.placed", now(minutes=2), **order)}
        yield {**an_event(person, person, at=now(minutes=1)), "id": f"view-{person}"}


def test_simulation_sends_what_a_run_sends(shop, tmp_path):
    path = write_events(tmp_path / "events.jsonl", told("anna", "ben"))
    found = json.loads(shop("simulate", str(path), "--format", "json"))
    assert found["workflows"]["offer"]["sends"] == {"email": 4}


def test_codes_leave_with_mails_and_are_counted(shop, tmp_path):
    shop("coupons", "import", "spring", codes_file(tmp_path, "AAA\nBBB\nCCC\n"))
    path = write_events(tmp_path / "events.jsonl", told("anna", "ben"))
    assert "messages: 4 sent" in shop("run", str(path))
    found = pools(shop)
    spring, thanks = found["spring"], found["pattern:thanks"]
    assert (spring["left"], spring["issued"], spring["used"]) == (1, 2, 0)
    assert (thanks["left"], thanks["issued"]) == (None, 2)
    store = open_store(f"sqlite:///{tmp_path / 'shopflow.db'}")
    issued = {one.code: one.customer_id for one in store.codes.of_pool("spring")}
    store.close()
    assert sorted(issued.values()) == ["", "anna", "ben"]
    code = next(code for code, customer in issued.items() if customer == "anna")
    used = {**an_event(9, "anna", "coupon.used", now(), code=code, coupon_id="cart10")}
    shop("run", str(write_events(tmp_path / "more.jsonl", [used])))
    assert pools(shop)["spring"]["used"] == 1


def test_a_mail_that_bounces_gives_its_code_back(shop, tmp_path, sink):
    shop("coupons", "import", "spring", codes_file(tmp_path, "AAA\n"))
    sink.behave = lambda _: "550 5.1.1 nobody here"
    path = write_events(tmp_path / "events.jsonl", told("anna"))
    shop("run", str(path))
    assert pools(shop)["spring"]["left"] == 1
    assert pools(shop)["spring"]["issued"] == 0
