"""Every registered channel keeps the contract, and the checks notice one that does not."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import ClassVar

import pytest
from aiosmtpd.smtp import AuthResult
from shopflow_channels.helpdesk import HelpdeskChannel
from shopflow_channels.onsite import OnsiteChannel
from shopflow_channels.sms import SmsChannel
from shopflow_channels.social import SocialChannel
from shopflow_channels.webpush import WebPushChannel
from shopflow_channels.whatsapp import WhatsAppChannel
from support.push_browser import Browser, vapid_key

from shopflow.channel import Receipt
from shopflow.plugins import find_channels
from shopflow.testing.channel import Subject, a_message, check_channel
from shopflow.testing.recording import RecordingChannel

SECRET = "s3cret-s3cret-s3cret"
INSTALLED = find_channels()


@contextmanager
def in_a_thread(server, **options):
    """The server in an event loop of its own: the checks run theirs."""
    loop, ready, done = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve():
        async with server.listening(**options):
            ready.set()
            await done.wait()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    ready.wait(10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(10)
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


@pytest.fixture
def subjects(sink, receiver, free_port, tmp_path):
    @contextmanager
    def email():
        server = sink()
        common = {"host": "127.0.0.1", "from": "a@shop.example", "username": "u", "tls": "none"}
        with in_a_thread(server, auth_require_tls=False, authenticator=_anyone()):
            yield Subject(
                channel=INSTALLED["email"],
                settings={**common, "port": server.port, "password": SECRET},
                unreachable={**common, "port": free_port, "password": SECRET},
                secrets=[SECRET],
                keys=lambda: [mail["Message-ID"] for mail in server.mails],
            )

    @contextmanager
    def webhook():
        server = receiver()
        with in_a_thread(server):
            url = "http://127.0.0.1:{}/hook-{}"
            told = {"secret": SECRET, "allow_private": True}
            yield Subject(
                channel=INSTALLED["webhook"],
                settings={"url": url.format(server.port, SECRET), **told},
                unreachable={"url": url.format(free_port, SECRET), **told},
                secrets=[SECRET],
                keys=lambda: server.keys,
            )

    @contextmanager
    def log():
        yield Subject(channel=INSTALLED["log"], settings={"file": str(tmp_path / "log.jsonl")})

    @contextmanager
    def onsite():
        yield Subject(channel=OnsiteChannel, settings={"slots": ["home"]})

    def posting(channel, address="", **more):
        @contextmanager
        def subject():
            server = receiver()
            with in_a_thread(server):
                url = "http://127.0.0.1:{}/hook-{}"
                told = {"authorization": f"Bearer {SECRET}", "allow_private": True, **more}
                yield Subject(
                    channel=channel,
                    settings={"url": url.format(server.port, SECRET), **told},
                    unreachable={"url": url.format(free_port, SECRET), **told},
                    secrets=[SECRET],
                    keys=lambda: server.keys,
                    **({"address": address} if address else {}),
                )

        return subject

    @contextmanager
    def webpush():
        server, key = receiver(), vapid_key()
        with in_a_thread(server):
            told = {"private_key": key, "contact": "mailto:shop@shop.example"}
            yield Subject(
                channel=WebPushChannel,
                settings={**told, "services": ["127.0.0.1"], "allow_private": True},
                secrets=[key],
                address=Browser(server.port).subscription,
                keys=lambda: [headers["topic"] for headers, _ in server.requests],
            )

    return {
        "email": email,
        "helpdesk": posting(HelpdeskChannel),
        "log": log,
        "onsite": onsite,
        "sms": posting(SmsChannel, "+33612345678", sender="BOUTIQUE"),
        "social": posting(SocialChannel),
        "webhook": webhook,
        "webpush": webpush,
        "whatsapp": posting(WhatsAppChannel, "+33612345678"),
    }


def _anyone():
    return lambda *_: AuthResult(success=True)


@pytest.mark.parametrize("name", sorted({*INSTALLED, "onsite", "sms", "webpush", "whatsapp"}))
def test_registered_channel_keeps_the_contract(name, subjects):
    assert name in subjects, f"say in this file how to try the channel '{name}'"
    with subjects[name]() as subject:
        assert check_channel(subject) == []


def test_recording_channel_keeps_the_contract():
    assert check_channel(Subject(channel=RecordingChannel, settings={})) == []


def test_recording_channel_answers_as_told():
    async def run():
        channel = RecordingChannel()
        channel.answer_with([Receipt.uncertain("timeout")])
        return [pair async for pair in channel.send([a_message("a"), a_message("b")])]

    (_, first), (_, second) = asyncio.run(run())
    assert (first.outcome, second.outcome) == ("uncertain", "accepted")


class Forgetful(RecordingChannel):
    async def send(self, messages):
        for message in messages[1:]:
            yield message.id, Receipt.accepted(detail=f"took {message.to}")


class Careless(RecordingChannel):
    settings_schema: ClassVar = {"type": "object", "properties": {"key": {"type": "string"}}}

    def __repr__(self):
        return f"Careless({self.settings})"

    async def send(self, messages):
        for message in messages:
            asyncio.get_running_loop().create_task(asyncio.sleep(5))
            yield message.id, Receipt.accepted()
            yield message.id, Receipt.accepted()


def test_the_checks_notice_lost_messages_and_addresses_in_details():
    found = check_channel(Subject(channel=Forgetful, settings={}))
    assert "message 'contract-0' got 0 receipts" in found
    assert "a receipt's detail shows the address" in found


def test_the_checks_notice_open_settings_secrets_doubles_and_tasks():
    subject = Subject(channel=Careless, settings={"key": SECRET}, secrets=[SECRET])
    found = check_channel(subject)
    assert "an unknown setting is accepted; set additionalProperties to false" in found
    assert "its repr shows a secret" in found


def test_the_checks_notice_doubles_and_tasks_left_behind():
    class Doubling(Careless):
        settings_schema: ClassVar = RecordingChannel.settings_schema

        def __repr__(self):
            return "Doubling"

    found = check_channel(Subject(channel=Doubling, settings={}))
    assert "message 'contract-0' got 2 receipts" in found
    assert any("tasks still run" in line for line in found)


def test_importing_the_contract_loads_nothing_heavy():
    script = (
        "import sys, shopflow.channel;"
        "heavy = {'sqlalchemy', 'redis', 'rq', 'httpx', 'aiosmtplib', 'jsonschema', 'yaml'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"
