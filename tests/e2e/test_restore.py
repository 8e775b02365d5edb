"""A restored backup forgets nothing that people said, and sends nothing twice."""

from __future__ import annotations

import json
import shutil

import pytest
from support.running import MailSink
from support.shop import Shop, ago

from shopflow.runtime.restoring import read
from shopflow.runtime.safety import SafetyLog


@pytest.fixture
def sink():
    with MailSink().listening() as sink:
        yield sink


@pytest.fixture
def shop(sink, tmp_path):
    return Shop(tmp_path / "shop", sink.port)


def database(shop):
    return shop.folder / "shopflow.db"


def back_up(shop, tmp_path):
    shutil.copy(database(shop), tmp_path / "backup.db")


def restore(shop, tmp_path):
    for left in shop.folder.glob("shopflow.db*"):
        left.unlink()
    shutil.copy(tmp_path / "backup.db", database(shop))


def mark(shop):
    """What a running process does every few minutes."""
    from shopflow.runtime.app import open_app  # noqa: PLC0415

    with open_app(shop.folder) as app:
        app.safety.mark(app.store)


def replayed(shop):
    log = shop.folder / "safety.jsonl"
    return json.loads(shop.call("restore", "--replay", str(log), "--format", "json"))


def test_after_a_restore_nothing_leaves_until_the_log_was_replayed(shop, sink, tmp_path):
    shop.run(*shop.known(), *shop.known("bert"), *shop.known("carl"), *shop.known("dora"))
    mark(shop)
    back_up(shop, tmp_path)
    # All of this the backup does not know.
    withdrawn = shop.event("consent.withdrawn", channel="email", purpose="marketing")
    look = shop.search("dora", event_id="look")
    shop.run(withdrawn, look)
    shop.call("suppressions", "add", "carl@example.com")
    shop.call("customer", "erase", "bert", "--yes")
    mark(shop)
    assert len(sink.arrivals) == 1
    restore(shop, tmp_path)
    shop.run(*[shop.search(name) for name in ("anna", "carl")], look)
    assert len(sink.arrivals) == 1
    [pause] = json.loads(shop.call("status", "--format", "json"))["pauses"]
    assert (pause["scope"], "shopflow restore --replay" in pause["reason"]) == ("all", True)
    done = replayed(shop)
    assert done == {
        "refusals": 1,
        "suppressions": 3,
        "erasures": 1,
        "sends": 1,
        "resumed": True,
    }
    again = {**shop.search("bert"), "occurred_at": ago(minutes=90)}
    shop.run(shop.search("anna"), shop.search("carl"), again)
    assert len(sink.arrivals) == 1, "nobody who said no, and nothing twice"
    assert "no customer 'bert'" in shop.call("customer", "export", "bert", code=2)
    shop.run(shop.search("dora", query="shade"))
    assert len(sink.arrivals) == 2, "whoever did not refuse is written to"
    assert replayed(shop)["erasures"] == 0, "once more does no harm"


def test_a_send_that_the_backup_does_not_know_is_not_repeated_when_decided_anew(
    shop, sink, tmp_path
):
    shop.run(*shop.known())
    mark(shop)
    back_up(shop, tmp_path)
    look = shop.search()
    shop.run(look)
    mark(shop)
    restore(shop, tmp_path)
    assert replayed(shop)["sends"] == 1
    shop.run(look)
    assert len(sink.arrivals) == 1


def test_a_refusal_of_somebody_whom_the_backup_does_not_know_still_holds(shop, sink, tmp_path):
    shop.run(*shop.known("bert"))
    back_up(shop, tmp_path)
    known = shop.known()
    shop.run(*known, shop.event("consent.withdrawn", channel="email", purpose="marketing"))
    restore(shop, tmp_path)
    replayed(shop)
    shop.run(*known, shop.search())
    assert not sink.arrivals


def test_the_log_names_nobody_and_a_database_that_is_up_to_date_is_not_paused(shop):
    shop.run(*shop.known(), shop.search())
    shop.run(shop.event("message.complained", channel="email"))
    mark(shop)
    shop.run(shop.search())
    assert json.loads(shop.call("status", "--format", "json"))["pauses"] == []
    text = (shop.folder / "safety.jsonl").read_text()
    assert {json.loads(line)["kind"] for line in text.splitlines()} == {
        "refused",
        "suppressed",
        "sent",
        "mark",
        "log",
    }
    assert "anna" not in text


def test_a_line_that_was_cut_off_is_left_out_and_a_wrong_file_is_refused(shop, tmp_path):
    log = tmp_path / "log"
    log.write_text('{"kind": "sent", "id": "m1", "at": "2026-03-01T10:00:00+00:00"}\n{"kind": "se')
    assert list(read([log]).sent) == ["m1"]
    log.write_text("who,what\n")
    shop.run(*shop.known())
    said = shop.call("restore", "--replay", str(log), code=2)
    assert "log:1: is no line of a safety log" in said


def test_a_log_that_cannot_be_written_stops_what_it_would_tell(shop, monkeypatch):
    shop.run(*shop.known())
    monkeypatch.setenv("SHOPFLOW_SAFETY_LOG", str(shop.folder / "nowhere" / "log"))
    said = shop.call("customer", "erase", "anna", "--yes", code=3)
    assert "name another file in SHOPFLOW_SAFETY_LOG" in said
    monkeypatch.setenv("SHOPFLOW_SAFETY_LOG", "off")
    shop.call("customer", "erase", "anna", "--yes")


def test_a_kill_between_the_two_marks_is_no_restore(tmp_path, monkeypatch):
    from shopflow.store.opening import open_store  # noqa: PLC0415

    def killed(*_, **__):
        raise KeyboardInterrupt

    store, log = open_store("memory:"), SafetyLog(tmp_path / "log")
    for _ in range(2):
        log.mark(store)
        with monkeypatch.context() as patched:
            patched.setattr("shopflow.runtime.safety._write", killed)
            for _ in range(2):
                with pytest.raises(KeyboardInterrupt):
                    log.mark(store)
        assert not log.is_ahead_of(store)


def test_the_newest_mark_is_found_in_a_long_file(tmp_path):
    from shopflow.store.opening import open_store  # noqa: PLC0415

    store, log = open_store("memory:"), SafetyLog(tmp_path / "log")
    assert not log.is_ahead_of(store)
    log.mark(store)
    log.note([{"kind": "sent", "id": f"m{n:06}", "at": "2026"} for n in range(40_000)], sync=False)
    assert not log.is_ahead_of(store)
    assert log.is_ahead_of(open_store("memory:"))
