"""Erasure: nothing of a person is left in files, dumps, streams or logs, and nothing comes back."""

from __future__ import annotations

import json
import subprocess

import pytest
from support.production import a_shop
from support.running import FILES as RUNNING
from support.running import PROJECT, MailSink
from support.servers import tool
from support.shop import FILES, Shop, ago
from support.traces import files_in, redis_values, traces

ID, EMAIL, PHONE = "kunde-4711-zq", "zorro.quaxel@example.com", "+33698765432"
FIRST, LAST, VISITOR = "Zorroline", "Quaxelbert", "visitor-9z-zq"
PERSON = (ID, EMAIL, PHONE, FIRST, LAST, VISITOR)


def life(shop):
    """Everything that somebody may leave behind."""
    visit = {**shop.event("product.viewed", at=ago(hours=6), sku="A1"), "anonymous_id": VISITOR}
    del visit["customer_id"]
    became = {**shop.event("customer.identified", ID, ago(hours=5)), "anonymous_id": VISITOR}
    became["data"] = {}
    told = {"email": EMAIL, "phone": PHONE, "first_name": FIRST, "last_name": LAST}
    bad = shop.event("order.placed", ID, ago(minutes=20), total="much", items=[], note=EMAIL)
    bad["data"]["who"] = f"{FIRST} {LAST}"
    return [
        visit,
        became,
        *shop.known(ID, **told),
        shop.event("product.viewed", ID, ago(minutes=30), sku="A1"),
        shop.event("search.performed", ID, ago(minutes=25), query=f"gift for {FIRST}"),
        bad,
        # What somebody else's event says.
        *shop.known("bert"),
        shop.event("search.performed", "bert", ago(minutes=10), query=f"friend {EMAIL.upper()}"),
    ]


def order(shop, at):
    item = {"sku": "A1", "price": 9.0, "quantity": 1}
    return shop.event("order.placed", ID, at, order_id="o9", total=9.0, items=[item])


@pytest.fixture
def sink():
    with MailSink().listening() as sink:
        yield sink


@pytest.fixture
def shop(sink, tmp_path):
    return Shop(tmp_path / "shop", sink.port)


def found_in(folder):
    return {where for where, _ in traces(PERSON, files_in(folder, but=(".jsonl",)))}


def test_nothing_is_left_in_the_files_of_sqlite(shop, sink, caplog):
    shop.run(*life(shop))
    assert "shopflow.db" in found_in(shop.folder), "the search finds what is there"
    assert len(sink.arrivals) == 3
    said = json.loads(shop.call("customer", "erase", ID, "--yes", "--format", "json"))
    assert found_in(shop.folder) == set()
    assert traces(PERSON, [("log", caplog.text.encode())]) == []
    assert traces(PERSON, [("receipt", json.dumps(said).encode())]) == []
    assert said["mentions"] >= 1
    assert said["rows"]["dead_letters"] == 1
    assert said["rows"]["customers"] == 2
    assert json.loads(shop.call("customer", "export", "bert"))["profile"]["email"]


def test_previews_show_nobody_whom_the_shop_knows(shop):
    shop.run(*life(shop))
    gallery = shop.folder / "gallery"
    shop.call("preview", "--no-pictures", "--out", str(gallery))
    assert (gallery / "index.html").is_file()
    assert found_in(gallery) == set()


def test_old_events_bring_nobody_back(shop, sink):
    events = life(shop)
    shop.run(*events)
    shop.call("customer", "erase", ID, "--yes")
    sent = len(sink.arrivals)
    again = [{**one, "id": f"again-{number}"} for number, one in enumerate(events)]
    shop.run(*again, *events)
    theirs = {ID, VISITOR}
    ours = [e for e in again if not theirs & {e.get("customer_id"), e.get("anonymous_id")}]
    assert len(sink.arrivals) - sent == sum(e["type"] == "search.performed" for e in ours)
    left = {
        where for where, _ in traces((ID, VISITOR, FIRST), files_in(shop.folder, but=(".jsonl",)))
    }
    assert left == set()
    reasons = json.loads(shop.call("status", "--format", "json"))["dead_letters"]
    assert reasons["erased"] > 0
    assert f"no customer '{ID}'" in shop.call("customer", "export", ID, code=2)


def test_whoever_orders_later_is_new_without_consent_and_the_opt_out_stays(shop, sink):
    shop.run(*life(shop))
    shop.call("customer", "erase", ID, "--yes")
    sent = len(sink.arrivals)
    now = ago(seconds=0)
    shop.run(shop.event("customer.updated", ID, now, email=EMAIL), order(shop, now))
    told = json.loads(shop.call("customer", "export", ID))
    assert told["consents"] == []
    assert [one["type"] for one in told["events"]] == ["customer.updated", "order.placed"]
    assert {one["reason"] for one in told["suppressions"]} == {"erased"}
    shop.run(shop.event("product.viewed", ID, ago(seconds=0), sku="B2"))
    assert len(sink.arrivals) == sent + 1, "service goes on"
    granted = shop.event(
        "consent.granted", ID, ago(seconds=0), channel="email", purpose="marketing"
    )
    shop.run(granted, shop.event("search.performed", ID, ago(seconds=0), query="lamp"))
    assert len(sink.arrivals) == sent + 1, "a plain yes does not end the opt-out"


def test_who_was_never_known_can_be_kept_out(shop):
    shop.run(*shop.known("bert"))
    shop.call("customer", "erase", ID, "--yes")
    shop.run(*shop.known(ID))
    assert f"no customer '{ID}'" in shop.call("customer", "timeline", ID, code=2)


def test_an_export_holds_everything_and_is_safe_to_open(shop):
    shop.run(*shop.known(ID, first_name="<script>alert(1)</script>"), *life(shop))
    told = json.loads(shop.call("customer", "export", ID))
    assert told["also_known_as"] == [VISITOR]
    assert told["profile"]["phone"] == PHONE
    assert {one["type"] for one in told["events"]} >= {"product.viewed", "customer.identified"}
    assert [one["state"] for one in told["consents"]] == ["granted"]
    assert told["messages"][0]["address"].endswith("@example.com")
    assert told["decisions"]
    page = shop.call("customer", "export", ID, "--html")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert PHONE in page
    lines = shop.call("customer", "timeline", ID)
    assert "order.placed" not in lines
    assert "queued" in lines
    asked = shop.call("customer", "timeline", VISITOR, "--format", "json")
    assert len(json.loads(asked)) == int(lines.rsplit("\n", 2)[1].split()[0].replace(",", ""))


PRODUCTION = PROJECT.replace("database: sqlite:///shopflow.db\n", "").replace("partitions: 4\n", "")


def test_nothing_is_left_on_the_servers(sink, tmp_path):
    small = Shop(tmp_path / "other", sink.port)
    files = {
        **RUNNING,
        **FILES,
        "shopflow.yaml": PRODUCTION.format(port=sink.port, connections=4, timeout=30),
    }
    folder = tmp_path / "shop"
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    with a_shop(folder) as shop:
        shop.add([json.dumps(one) for one in life(small)])
        shop.finish(workers=1)
        dump = [tool("pg_dump", ["postgresql-client"]), "--no-owner", shop.database]

        def dumped():
            return subprocess.run(dump, capture_output=True, check=True).stdout

        assert traces(PERSON, [("dump", dumped())])
        # At the door, and not yet read.
        shop.add([json.dumps(one) for one in [*small.known(ID), small.search("bert")]])
        said = json.loads(shop.run("customer", "erase", ID, "--yes", "--format", "json").stdout)
        assert said["stream_entries"] == 2
        shop.finish(workers=1)
        everywhere = [("dump", dumped()), *redis_values(shop.redis, shop.namespace)]
        assert len(everywhere) > 1
        assert traces(PERSON, everywhere) == []
        assert b"bert" in dumped()
