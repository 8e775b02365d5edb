"""The log channel writes whole lines, for its owner only."""

from __future__ import annotations

import asyncio
import json
import logging

from shopflow_channels.log import LogChannel

from shopflow.channel import FailureReason, Outcome
from shopflow.testing.channel import a_message


def written(settings, messages):
    async def run():
        channel = LogChannel(settings)
        pairs = [pair async for pair in channel.send(messages)]
        await channel.aclose()
        return pairs

    return asyncio.run(run())


def test_each_message_is_one_line_appended_to_a_private_file(tmp_path):
    target = tmp_path / "out.jsonl"
    for number in range(2):
        written({"file": str(target)}, [a_message(f"{number}-{i}") for i in range(3)])
    lines = [json.loads(line) for line in target.read_text().splitlines()]
    assert [line["id"] for line in lines] == ["0-0", "0-1", "0-2", "1-0", "1-1", "1-2"]
    assert lines[0]["content"]["text"] == "Bonjour"
    assert target.stat().st_mode & 0o777 == 0o600


def test_without_a_file_it_logs(caplog):
    with caplog.at_level(logging.INFO, logger="shopflow.messages"):
        written({}, [a_message("m-1")])
    assert json.loads(caplog.messages[0])["id"] == "m-1"


def test_dash_is_standard_error(capsys):
    written({"file": "-"}, [a_message("m-1")])
    assert json.loads(capsys.readouterr().err)["id"] == "m-1"


def test_file_that_cannot_be_written_fails_retryably(tmp_path):
    pairs = written({"file": str(tmp_path / "no" / "such" / "folder")}, [a_message("m-1")])
    ((_, receipt),) = pairs
    assert (receipt.outcome, receipt.reason) == (Outcome.FAILED, FailureReason.SETTINGS)
    assert receipt.retryable
