"""Facts counted independently from recorded streams come out of workflows, exactly.

The streams are real ones; two programs that know nothing of workflows agreed on each fact.
"""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import orjson
import pytest
import yaml

from shopflow.domain.codec import message_from_json
from shopflow.runtime.simulate import as_send

HERE = Path(__file__).parent
FACTS = yaml.safe_load((HERE / "facts.yaml").read_text(encoding="utf-8"))
EXPRESSED = [
    (stream, fact)
    for stream, facts in FACTS.items()
    for fact, how in facts.items()
    if "none" not in how
]
TIMERS = [(stream, fact) for stream, fact in EXPRESSED if FACTS[stream][fact]["is"] == "timers"]

#: What goes through the database as well, where all of it would take long.
ENOUGH = {
    "online_retail": {"no-next-order-60d", "no-second-order-30d", "net-spend-1000-at-end"},
    "rees46": {"browse-abandoned-30min", "cart-abandoned-30min", "viewed-3x-in-1h"},
}

pytestmark = pytest.mark.slow


@cache
def truth(data, stream):
    return json.loads((data / stream / "truth.json").read_text(encoding="utf-8"))


@cache
def truth_ids(data, stream):
    with gzip.open(data / stream / "truth_ids.json.gz") as file:
        return json.load(file)


@pytest.fixture(scope="module")
def simulated(shared, tmp_path_factory):
    """Runs the command once for each stream and end of the clock."""
    folder = tmp_path_factory.mktemp("sends")

    @cache
    def run(stream, until):
        sends = folder / f"{stream}-{until}.jsonl"
        ran = shopflow(
            *("simulate", events_of(shared, stream), "--until", until, "--sends", sends),
            *("--format", "json", "--project", HERE / "facts" / stream),
        )
        lines = [json.loads(line) for line in sends.read_text(encoding="utf-8").splitlines()]
        return SimpleNamespace(**json.loads(ran), lines=lines)

    return run


def shopflow(*arguments):
    """What the command prints."""
    command = [Path(sys.executable).parent / "shopflow", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def events_of(shared, stream):
    return shared / "data" / stream / "events.jsonl.gz"


def sends_of(result, workflow):
    return [line for line in result.lines if line["workflow"] == workflow]


def customers_in(sends):
    return len({line["customer_id"] for line in sends})


def trigger_ids(sends):
    return sorted(line["trigger_event_id"] for line in sends)


@pytest.mark.parametrize("stream", FACTS)
def test_every_fact_of_a_stream_is_named(shared, stream):
    assert list(FACTS[stream]) == list(truth(shared / "data", stream)["facts"])


def test_no_recorded_stream_is_left_out(shared):
    assert set(FACTS) == {path.parent.name for path in (shared / "data").glob("*/truth.json")}


@pytest.mark.parametrize(("stream", "fact"), TIMERS)
def test_timers_fire_as_often_and_for_the_same_events(shared, simulated, stream, fact):
    workflow = FACTS[stream][fact]["workflow"]
    drained = sends_of(simulated(stream, "drain"), workflow)
    by_end = sends_of(simulated(stream, "end"), workflow)
    assert {
        "all": len(drained),
        "due_by_end": len(by_end),
        "customers_all": customers_in(drained),
        "customers_due_by_end": customers_in(by_end),
    } == truth(shared / "data", stream)["facts"][fact]["value"]
    assert trigger_ids(drained) == sorted(truth_ids(shared / "data", stream)[fact])
    assert [line for line in by_end if line not in drained] == []


@pytest.mark.parametrize(("stream", "fact"), [pair for pair in EXPRESSED if pair not in TIMERS])
def test_counts_come_out_exactly(shared, simulated, stream, fact):
    how = FACTS[stream][fact]
    result = simulated(stream, how.get("until", "end"))
    counts = result.workflows[how["workflow"]]
    sends = sends_of(result, how["workflow"])
    match how["is"]:
        case "sends":
            found = sum(counts["sends"].values())
            assert found == len(sends)
        case outcome:
            found = counts["ended"].get(outcome, 0)
    assert found == truth(shared / "data", stream)["facts"][fact]["value"]
    if fact in truth_ids(shared / "data", stream):
        assert trigger_ids(sends) == sorted(truth_ids(shared / "data", stream)[fact])


@pytest.mark.parametrize("stream", FACTS)
def test_every_event_is_good_and_no_condition_fails(simulated, stream):
    result = simulated(stream, "end")
    assert (result.duplicates, result.dead_letters, result.errors) == (0, 0, 0)


@pytest.mark.parametrize("stream", FACTS)
def test_counts_of_the_summary_are_those_of_the_sends_file(simulated, stream):
    result = simulated(stream, "drain")
    for workflow, counts in result.workflows.items():
        assert sum(counts["sends"].values()) == len(sends_of(result, workflow))


def copied(stream, folder):
    """The project of a stream in a folder of its own, with as many workflows as are enough."""
    project = folder / stream
    shutil.copytree(HERE / "facts" / stream, project)
    for path in project.rglob("rules/workflows/*/*.yaml"):
        if path.stem not in ENOUGH.get(stream, {path.stem}):
            path.unlink()
    return project


def kept_sends(project):
    """The messages in the database, as the lines of a sends file."""
    with sqlite3.connect(project / "shopflow.db") as database:
        rows = database.execute("SELECT state, message FROM messages").fetchall()
    database.close()
    assert {state for state, _ in rows} == {"sent"}
    messages = [message_from_json(json.loads(text)) for _, text in rows]
    return [json.loads(orjson.dumps(as_send(m), option=orjson.OPT_UTC_Z)) for m in messages]


def in_order(sends):
    return sorted(json.dumps(send, sort_keys=True) for send in sends)


@pytest.mark.parametrize(
    ("stream", "until"),
    [
        ("otto", "end"),
        ("otto", "drain"),
        ("snowplow_demo", "end"),
        ("snowplow_demo", "drain"),
        ("rees46", "end"),
        pytest.param("online_retail", "drain", marks=pytest.mark.soak),
    ],
)
def test_run_into_a_database_sends_what_simulate_says(shared, simulated, tmp_path, stream, until):
    project = copied(stream, tmp_path)
    options = ("--clock", "event", "--until", until, "--project", project)
    shopflow("run", events_of(shared, stream), *options)
    kept = kept_sends(project)
    workflows = {path.stem for path in project.rglob("rules/workflows/*/*.yaml")}
    said = [line for line in simulated(stream, until).lines if line["workflow"] in workflows]
    assert kept
    assert in_order(kept) == in_order(said)
