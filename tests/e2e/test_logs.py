"""What real processes write to standard error: JSON a line, and nothing of who anybody is."""

from __future__ import annotations

import json
import logging
import re

import pytest
from support.production import a_shop, wait_for
from support.running import MailSink, a_project, an_event, shopflow, write_events

from shopflow.runtime.logs import JsonFormatter, TextFormatter

PEOPLE = ("anna", "bertrand", "chloe", "dieter")
PHONE, NAME = "+33612345678", "Lefebvre-Okonkwo"


def email(person):
    return f"{person}@mail-of-{person}.example"


def events():
    """Good ones, bad ones with personal data in the wrong place, and nonsense."""
    for number, person in enumerate(PEOPLE):
        at = f"2026-03-01T10:0{number}:00Z"
        data = {"email": email(person), "phone": PHONE, "last_name": NAME, "first_name": person}
        yield {**an_event(0, person, "customer.updated", at), "id": f"who-{person}", "data": data}
        yield an_event(number, person, at=at)
        yield {**an_event(f"{number}b", person, at=at), "data": {"sku": {"email": email(person)}}}
        yield {**an_event(f"{number}c", person, at=at), "type": f"x.{person}"}
        yield {"id": email(person), "name": NAME, "phone": PHONE}


def lines_of(stderr):
    """Every line as JSON; each has a time, a level and a message."""
    lines = stderr.splitlines()
    assert all(line.startswith("{") for line in lines), stderr
    found = list(map(json.loads, lines))
    assert all({"at", "level", "logger", "message"} <= line.keys() for line in found)
    return found


def assert_nobody(text):
    secrets = [*map(email, PEOPLE), *PEOPLE, PHONE, PHONE[3:], NAME]
    assert not [secret for secret in secrets if re.search(re.escape(secret), text, re.IGNORECASE)]


@pytest.fixture
def sink():
    with MailSink().listening() as sink:
        # Every other mail is refused for good, with words about whom it was for.
        sink.behave = lambda number: (
            f"550 no mailbox for {email('anna')}" if number % 2 else "451 later"
        )
        yield sink


def test_a_run_names_nobody(tmp_path, sink):
    a_project(tmp_path, sink.port)
    path = write_events(tmp_path / "events.jsonl", events())
    ran = shopflow(tmp_path, "run", str(path), "--clock", "event", "--log-format", "json")
    lines = lines_of(ran.stderr)
    messages = {line["message"] for line in lines}
    assert {"dead letters", "an attempt was not accepted"} <= messages
    reasons = [line["reasons"] for line in lines if line["message"] == "dead letters"]
    assert sum(sum(one.values()) for one in reasons) == 12
    assert_nobody(ran.stderr)


@pytest.mark.slow
def test_workers_name_nobody_and_tell_what_they_did(tmp_path, sink):
    a_project(tmp_path, sink.port)
    settings = tmp_path / "shopflow.yaml"
    text = settings.read_text().replace("database: sqlite:///shopflow.db\npartitions: 4\n", "")
    settings.write_text(text)
    with a_shop(tmp_path) as shop:
        given = [json.dumps(event) for event in events()]
        shop.add([*given, f"no json at all of {email('anna')} {PHONE} {NAME}"])
        worker = shop.start("--log-format", "json")
        wait_for(lambda: sum(shop.status().events.values()) == len(given) + 1)
        worker.terminate()
        _, stderr = worker.communicate(timeout=60)
        lines = lines_of(stderr)
        told = {line["message"] for line in lines}
        assert {"the worker begins", "the worker ends", "dead letters", "worked"} <= told
        assert_nobody(stderr)


def a_record(error=None):
    try:
        if error is not None:
            raise error
    except ValueError as e:
        made = (type(e), e, e.__traceback__)
    else:
        made = None
    record = logging.LogRecord("shopflow.x", logging.ERROR, "f", 1, "it %s", ("broke",), made)
    record.channel = "email"
    return record


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()])
def test_an_error_is_its_kind_and_place_and_not_its_words(formatter):
    line = formatter.format(a_record(ValueError(email("anna"))))
    assert "ValueError" in line
    assert "test_logs.py" in line
    assert "it broke" in line
    assert "email" in line
    assert "anna" not in line


def test_what_comes_with_a_line_is_a_field_of_its_own():
    line = json.loads(JsonFormatter().format(a_record()))
    assert (line["level"], line["channel"], line["logger"]) == ("error", "email", "shopflow.x")
    assert line["at"].endswith("Z")
