"""`catalog`: feeds as shops have them become products, and messages never sell what is gone."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from support.running import a_project, an_event, who, write_events

HEADER = "id,title,link,image_link,price,sale_price,availability,brand,google_product_category"
LAMP = {
    "sku": "L1",
    "name": "Lamp",
    "url": "https://shop.example/l1",
    "image_url": "https://shop.example/l1.jpg",
    "price": 90.0,
    "currency": "EUR",
    "in_stock": True,
    "brand": "Lux",
    "category": "Home > Lamps",
}
CELLS = (
    "L1,Lamp,https://shop.example/l1,https://shop.example/l1.jpg,90.00 EUR,,in_stock,Lux,"
    "Home > Lamps"
)
RSS = """<?xml version="1.0"?>
<rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel><title>Shop</title>
<item><g:id>L1</g:id><g:title>Lamp</g:title><g:link>https://shop.example/l1</g:link>
<g:image_link>https://shop.example/l1.jpg</g:image_link><g:price>90.00 EUR</g:price>
<g:availability>in stock</g:availability><g:brand>Lux</g:brand>
<g:google_product_category>Home &gt; Lamps</g:google_product_category></item></channel></rss>
"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0">
<title>Shop</title><entry><g:id>L1</g:id><title>Lamp</title><link href="https://shop.example/l1"/>
<g:image_link>https://shop.example/l1.jpg</g:image_link><g:price>90.00 EUR</g:price>
<g:availability>https://schema.org/in_stock</g:availability><g:brand>Lux</g:brand>
<g:google_product_category>Home &gt; Lamps</g:google_product_category></entry></feed>
"""
OFFER = {
    "rules/policies/consent.yaml": """
apiVersion: shopflow/v1
kind: ConsentPolicy
purposes:
  offers: {class: marketing, channels: {email: {}}}
""",
    "rules/workflows/offer.yaml": """
apiVersion: shopflow/v1
kind: Workflow
id: offer
version: 1
title: Offer
owner: team
status: live
purpose: offers
trigger: {event: cart.updated, reentry: restart}
steps:
  - {id: settle, wait: 1m}
  - id: offer
    send: email
    template: offer
    with: {items: trigger.items}
    promotes: {items: replace}
""",
    "rules/templates/offer/email.en.txt": """---
subject: "Your cart"
purposes: [offers]
variables: {items: list}
---
{% for item in items %}{{ item.name }} at {{ item.price }}
{% endfor %}
""",
    "rules/tests/offer.test.yaml": """
apiVersion: shopflow/v1
kind: WorkflowTest
workflow: offer
clock: {start: "2026-03-03T10:00:00", timezone: Europe/Paris}
customers: {anna: {consent: {email: [offers]}}}
fixtures:
  cart: {cart_id: k1, items: [{sku: L1, name: Lamp, price: 99.0, quantity: 1}]}
  word: {sku: L1}
tests:
  - name: today's price
    customer: anna
    mocks: {products: {L1: {price: 90.0}}}
    events: [{at: 0s, type: cart.updated, data: cart}]
    expect: {sends: [{step: offer}], render: {contains: ["Lamp at 90"]}}
  - name: a substitute
    customer: anna
    mocks:
      products:
        L1: {in_stock: false, substitutes: [L2]}
        L2: {name: New lamp, price: 95.0}
    events: [{at: 0s, type: cart.updated, data: cart}]
    expect: {sends: [{step: offer}], render: {contains: ["New lamp at 95"]}}
  - name: sold out while it waits
    customer: anna
    events:
      - {at: 0s, type: cart.updated, data: cart}
      - {at: 30s, type: product.sold_out, data: word}
    expect: {sends: [], drops: [{step: offer, reason: guard}]}
  - name: sold out and back again
    customer: anna
    events:
      - {at: 0s, type: cart.updated, data: cart}
      - {at: 20s, type: product.sold_out, data: word}
      - {at: 40s, type: product.restocked, data: word}
    expect: {sends: [{step: offer}]}
  - name: sold out after it left
    customer: anna
    events:
      - {at: 0s, type: cart.updated, data: cart}
      - {at: 2m, type: product.sold_out, data: word}
    expect: {sends: [{step: offer}]}
""",
}


@pytest.fixture
def shop(tmp_path, sink, command):
    """Runs a command on a project that promotes carts; returns its output."""
    a_project(tmp_path, sink.port, **OFFER)
    for unused in ("workflows/hello.yaml", "workflows/later.yaml"):
        (tmp_path / "rules" / unused).unlink()
    return command


def feed(tmp_path, text, name="feed"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    "text",
    [
        f"{HEADER}\n{CELLS}\n",
        f"\ufeff{HEADER}\r\n{CELLS}\r\n".replace(",", "\t"),
        RSS,
        ATOM,
        json.dumps(LAMP) + "\n",
    ],
    ids=["csv", "tsv", "rss", "atom", "jsonl"],
)
def test_every_kind_of_feed_gives_the_same_product(shop, tmp_path, text):
    assert "1 products are in the catalogue" in shop("catalog", "import", feed(tmp_path, text))
    assert json.loads(shop("catalog", "show", "L1")) == LAMP


@pytest.mark.parametrize(
    ("price", "sale", "wanted"),
    [
        ("12.90 EUR", "", {"price": 12.9, "currency": "EUR"}),
        ('"12,90 €"', "", {"price": 12.9, "currency": "EUR"}),
        ("EUR 1200", "", {"price": 1200.0, "currency": "EUR"}),
        ('"1,200.50 USD"', "", {"price": 1200.5, "currency": "USD"}),
        ("20 EUR", "15 EUR", {"price": 15.0, "previous_price": 20.0, "currency": "EUR"}),
    ],
)
def test_prices_are_read_as_feeds_write_them(shop, tmp_path, price, sale, wanted):
    shop("catalog", "import", feed(tmp_path, f"id,price,sale_price\nA,{price},{sale}\n"))
    assert json.loads(shop("catalog", "show", "A")) == {"sku": "A", **wanted}


def test_rows_that_are_no_products_are_told_and_the_others_go_in(shop, tmp_path):
    rows = [
        "id,price,availability,link",
        "A,12 EUR,in_stock,https://shop.example/a",
        ",12 EUR,in_stock,",
        "B,cheap,in_stock,",
        "C,1 EUR,perhaps,",
        "D,1 EUR,in_stock,shop.example/d",
        "A,1 EUR,in_stock,",
        f"{'X' * 65},1 EUR,in_stock,",
        "E,1 EUR,out_of_stock,",
    ]
    out = shop("catalog", "import", feed(tmp_path, "\n".join(rows)), code=1)
    assert "2 products are in the catalogue" in out
    assert "line 3: there is no id" in out
    assert "line 4: price 'cheap' is no amount" in out
    assert "line 5: availability 'perhaps' is none of" in out
    assert "line 6: url 'shop.example/d' is no address" in out
    assert "line 7: 'A' stands in line 2 already" in out
    assert "line 8: an id of 65 signs" in out
    assert json.loads(shop("catalog", "show", "E"))["in_stock"] is False


def test_json_lines_with_a_bad_one(shop, tmp_path):
    text = '{"sku": "A"}\nnot json\n[1]\n{"sku": "B", "stock": 0}\n'
    out = shop("catalog", "import", feed(tmp_path, text), "--format", "json", code=1)
    assert [row["line"] for row in json.loads(out)["bad_rows"]] == [2, 3]
    assert json.loads(shop("catalog", "show", "B")) == {"sku": "B", "stock": 0, "in_stock": False}


@pytest.mark.parametrize("text", ["<rss><item>", "name,price\nLamp,3\n", ""])
def test_what_is_no_feed_is_refused(shop, tmp_path, text):
    assert "error: " in shop("catalog", "import", feed(tmp_path, text), code=2)


def test_a_product_that_nobody_knows_is_said_so(shop, tmp_path):
    shop("catalog", "import", feed(tmp_path, '{"sku": "A"}\n'))
    assert "knows no product 'Z'" in shop("catalog", "show", "Z", code=2)


def test_rule_tests_live_through_stock(shop):
    assert "5 passed" in shop("test")


def now(**ago):
    return (datetime.now(UTC) - timedelta(**ago)).isoformat()


def agreed(at):
    return an_event("yes", "anna", "consent.granted", at, channel="email", purpose="offers")


def cart(sku, **more):
    items = [{"sku": sku, "name": "As it was", "price": 99.0, "quantity": 1}]
    return an_event(1, "anna", "cart.updated", now(minutes=5), items=items, **more)


def nobodys(event_type, at, **data):
    return {
        "id": f"{event_type}-{data['sku']}",
        "type": event_type,
        "occurred_at": at,
        "data": data,
    }


def test_events_keep_the_catalogue_and_stop_what_is_sold_out(shop, tmp_path, sink):
    events = [
        who("anna", now(minutes=9)),
        agreed(now(minutes=9)),
        nobodys("product.published", now(minutes=8), sku="L1", name="Lamp", price=90.0, stock=3),
        nobodys("product.sold_out", now(minutes=7), sku="L1"),
        cart("L1"),
    ]
    path = write_events(tmp_path / "events.jsonl", events)
    shop("run", str(path))
    assert sink.counts.total() == 0
    assert json.loads(shop("catalog", "show", "L1")) == {
        "sku": "L1",
        "name": "Lamp",
        "price": 90.0,
        "stock": 0,
        "in_stock": False,
    }
    back = nobodys("product.restocked", now(minutes=3), sku="L1")
    again = {**cart("L1"), "id": "again", "occurred_at": now(minutes=2)}
    shop("run", str(write_events(tmp_path / "more.jsonl", [back, again])))
    assert sink.counts.total() == 1


def test_a_replay_sends_what_a_simulation_sends(shop, tmp_path):
    events = [who("anna", "2026-03-01T10:00:00Z"), agreed("2026-03-01T10:00:00Z")]
    for hour, sold_out in enumerate(["", "before", "after"], 11):
        at = f"2026-03-01T{hour}:00:00Z"
        sku = f"L{hour}"
        one = an_event(
            hour, "anna", "cart.updated", at, items=[{"sku": sku, "name": sku, "price": 1}]
        )
        gone = nobodys("product.sold_out", at.replace(":00:00", ":00:30"), sku=sku)
        late = nobodys("product.sold_out", at.replace(":00:00", ":30:00"), sku=sku)
        events += [one, *{"": [], "before": [gone], "after": [late]}[sold_out]]
    path = str(write_events(tmp_path / "events.jsonl", events))
    found = json.loads(shop("simulate", path, "--until", "drain", "--format", "json"))
    assert found["workflows"]["offer"]["sends"] == {"email": 2}
    assert found["workflows"]["offer"]["drops"] == {"guard": 1}
    out = shop("run", path, "--clock", "event", "--until", "drain", "--format", "json")
    assert json.loads(out)["messages"]["sent"] == 2
