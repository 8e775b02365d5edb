"""Where posts may lead: out of the house, and to the very address that was looked at."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from shopflow_channels import reaching
from shopflow_channels.poster import Poster
from shopflow_channels.webhook import WebhookChannel

from shopflow.channel import FailureReason
from shopflow.errors import SettingsError
from shopflow.testing.channel import a_message

SECRET = "0123456789abcdef-secret"
INWARD = [
    "127.0.0.1",
    "127.9.9.9",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fd00::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "2002:7f00:1::",
    "64:ff9b::a9fe:a9fe",
    "no address",
    "",
]


@pytest.mark.parametrize("address", INWARD)
def test_an_address_inside_is_not_public(address):
    assert not reaching.is_public(address)


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
)
def test_an_address_outside_is_public(address):
    assert reaching.is_public(address)


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST.", "a.localhost", "127.0.0.1", "10.0.0.7", "[::1]", "[fe80::1]"],
)
def test_settings_that_lead_inside_are_refused_at_the_start(host):
    url = f"https://{host}/hook"
    with pytest.raises(SettingsError, match=r"channels\.webhook\.url.*allow_private") as caught:
        WebhookChannel({"url": url, "secret": SECRET})
    assert "hook" not in str(caught.value).replace("webhook", "")
    WebhookChannel({"url": url, "secret": SECRET, "allow_private": True})


def posted(url):
    """The receipt of a post to the URL."""

    async def run():
        poster = Poster("webhook", {"url": url, "allow_http": True})
        try:
            return await poster.post(a_message("m-1"), b"{}")
        finally:
            await poster.aclose()

    return asyncio.run(run())


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1"])
def test_this_machine_by_another_name_is_reached_by_nothing(host, receiver):
    """The system's own look-up knows these for 127.0.0.1."""

    async def run(server):
        async with server.listening():
            poster = Poster("webhook", {"url": f"http://{host}:{server.port}/", "allow_http": True})
            receipt = await poster.post(a_message("m-1"), b"{}")
            await poster.aclose()
            return receipt

    server = receiver()
    receipt = asyncio.run(run(server))
    assert (receipt.reason, receipt.retryable) == (FailureReason.CONNECTION, True)
    assert server.requests == []


def test_a_name_that_stands_for_an_inner_address_is_refused_with_what_to_do(monkeypatch):
    async def inside(_host, _port):
        return ["10.0.0.7", "169.254.169.254"]

    monkeypatch.setattr(reaching.OutwardTransport.__init__, "__defaults__", (inside,))
    receipt = posted("http://hooks.shop.example/")
    assert receipt.reason is FailureReason.CONNECTION
    assert "allow_private" in receipt.detail


def test_a_name_that_stands_for_nothing_is_tried_again():
    receipt = posted("http://nobody.invalid/")
    assert (receipt.reason, receipt.retryable) == (FailureReason.CONNECTION, True)


def ask(url, find, receiver):
    """One request over a transport that finds addresses so; its status, and what arrived."""

    async def run(server):
        async with server.listening():
            limits = httpx.Limits(max_connections=2)
            transport = reaching.OutwardTransport(limits, find)
            async with httpx.AsyncClient(transport=transport) as client:
                return (await client.post(url.format(server.port), content=b"{}")).status_code

    server = receiver()
    return asyncio.run(run(server)), server.requests


def test_the_connection_goes_to_the_address_that_was_looked_at(receiver, monkeypatch):
    """A name that means another address a moment later is not asked again."""
    answers = iter([["10.0.0.1", "127.0.0.1"], ["10.0.0.1"]])
    asked = []

    async def find(host, _port):
        asked.append(host)
        return next(answers)

    # As if this machine were outside.
    monkeypatch.setattr(reaching, "is_public", lambda address: address == "127.0.0.1")
    status, requests = ask("http://rebound.example:{}/", find, receiver)
    assert status == 204
    assert asked == ["rebound.example"]
    [(headers, _)] = requests
    assert headers["host"].startswith("rebound.example:")


def test_of_several_addresses_the_next_is_tried_when_one_does_not_answer(receiver, monkeypatch):
    async def find(_host, _port):
        # Nobody listens on the first.
        return ["127.0.0.9", "127.0.0.1"]

    monkeypatch.setattr(reaching, "is_public", lambda _: True)
    status, requests = ask("http://two.example:{}/", find, receiver)
    assert (status, len(requests)) == (204, 1)
