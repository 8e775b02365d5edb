"""The contract of a channel as checks that any plugin's author can run.

```python
def test_my_channel_keeps_the_contract():
    subject = Subject(channel=MyChannel, settings={"key": "k" * 32}, secrets=["k" * 32])
    assert check_channel(subject) == []
```
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import cast

from jsonschema import Draft202012Validator

from shopflow.channel import Channel, FailureReason, Message, Outcome, Receipt, Sender
from shopflow.errors import ShopflowError
from shopflow.plugins import complaints_about, fault_of

_MOMENT = datetime(2026, 3, 3, 9, 30, tzinfo=UTC)
_PERSON = "secret-customer-7315"
#: How long a check may take before the channel counts as hanging.
_PATIENCE = 60.0

Pairs = list[tuple[str, Receipt]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A channel and what is needed to try it."""

    channel: type[Channel]
    #: Settings with which every message is accepted.
    settings: Mapping[str, object]
    #: Settings with which nobody answers; None when the channel depends on nobody.
    unreachable: Mapping[str, object] | None = None
    #: Texts out of the settings that no error and no receipt may show.
    secrets: Sequence[str] = ()
    #: An address that the channel can take.
    address: str = "anna@customers.example"
    #: The idempotency keys that the receiver saw so far, in order; None when it cannot be asked.
    keys: Callable[[], Sequence[str]] | None = None


def a_message(identity: str, **changes: object) -> Message:
    """A message with everything that any channel may want; change what matters to the test."""
    message = Message(
        id=identity,
        to="anna@customers.example",
        customer_id=_PERSON,
        message_class="marketing",
        purpose="cart_recovery",
        workflow="abandoned-cart",
        step="reminder",
        locale="fr",
        content={
            "subject": "Votre panier vous attend",
            "preheader": "Il reste 2 articles",
            "text": "Bonjour",
            "html": "<html><body><p>Bonjour</p></body></html>",
            "title": "Votre panier",
            "name": "votre_panier",
            "slot": "home",
            "body": '{"hello": "world"}',
        },
        variables={"total": 90.0},
        unsubscribe_url="https://boutique.example/u/token",
        unsubscribe_mailto="stop@boutique.example",
        sender=Sender(
            legal_name="Ma Boutique SAS", address="1 rue de la Paix, Paris", sms_stop="36111"
        ),
        created_at=_MOMENT,
    )
    return replace(message, **changes)  # type: ignore[arg-type]


def check_channel(subject: Subject) -> list[str]:
    """Every way in which the channel breaks the contract, one line each; runs its own loop."""
    complaints = _declarations(subject)
    if complaints:
        return complaints
    complaints += asyncio.run(_in_use(subject))
    if subject.unreachable is not None:
        complaints += asyncio.run(_unreachable(subject, subject.unreachable))
    return complaints


def _declarations(subject: Subject) -> list[str]:
    channel = subject.channel
    if fault := fault_of(channel, getattr(channel, "name", "")):
        return [f"the class {fault}"]
    found = [f"the settings given to the check: {c}" for c in _complaints(subject, {})]
    if not _complaints(subject, {"no_such_setting_at_all": 1}):
        found.append("an unknown setting is accepted; set additionalProperties to false")
    for key in channel.settings_schema.get("required", ()):  # type: ignore[attr-defined]
        rest = {name: value for name, value in subject.settings.items() if name != key}
        if not complaints_about(channel, rest):
            found.append(f"the required setting '{key}' can be left out")
    try:
        Draft202012Validator.check_schema(channel.settings_schema)
        broken = channel({**subject.settings})
    except ShopflowError as e:
        return [*found, f"cannot be built with the settings given to the check: {e}"]
    found += _leaks(subject, "its repr", repr(broken))
    for key in subject.settings:
        text = " ".join(_complaints(subject, {key: object()}))
        found += _leaks(subject, "the complaint about a wrong setting", text)
    return found


async def _in_use(subject: Subject) -> list[str]:
    channel = subject.channel(subject.settings)
    kinds = ("service", "relationship", "marketing", "service", "marketing")
    batch = [
        a_message(f"contract-{number}", message_class=kind, to=subject.address)
        for number, kind in enumerate(kinds)
    ]
    pairs = await _sent(channel, batch)
    found = _one_receipt_each(batch, pairs)
    found += [
        f"a message was not accepted: {receipt.detail or receipt.reason}"
        for _, receipt in pairs
        if receipt.outcome is not Outcome.ACCEPTED
    ]
    found += _quiet(subject, pairs)
    if await _sent(channel, []):
        found.append("a receipt for a message that was never given")
    if subject.keys is not None:
        found += await _passes_the_key_on(channel, subject, subject.keys)
    if channel.needs_address:
        found += await _refuses_bad_addresses(channel, subject)
    # Last: a receiver may note what was under way some time after it was stopped.
    found += await _stops_when_told(channel, batch)
    await channel.aclose()
    await channel.aclose()
    return found


async def _unreachable(subject: Subject, settings: Mapping[str, object]) -> list[str]:
    channel = subject.channel(settings)
    batch = [a_message(f"lost-{number}", to=subject.address) for number in range(7)]
    pairs = await _sent(channel, batch)
    await channel.aclose()
    found = _one_receipt_each(batch, pairs) + _quiet(subject, pairs)
    for _, receipt in pairs:
        if receipt.outcome is Outcome.ACCEPTED:
            found.append("a message was accepted by nobody")
        elif receipt.outcome is Outcome.FAILED and not receipt.retryable:
            found.append("a message failed for good only because nobody answered")
    return found


async def _sent(channel: Channel, batch: Sequence[Message]) -> Pairs:
    async with asyncio.timeout(_PATIENCE):
        return [pair async for pair in channel.send(batch)]


async def _stops_when_told(channel: Channel, batch: Sequence[Message]) -> list[str]:
    before = asyncio.all_tasks()
    # A channel's send is an asynchronous generator in practice; any other iterator just ends.
    stream = channel.send([replace(message, id=message.id + "-stopped") for message in batch])
    if hasattr(stream, "aclose"):
        async with aclosing(cast("AsyncGenerator[tuple[str, Receipt], None]", stream)) as given:
            async for _ in given:
                break
    left = asyncio.all_tasks() - before
    return [f"{len(left)} tasks still run after send was stopped"] if left else []


async def _passes_the_key_on(
    channel: Channel, subject: Subject, keys: Callable[[], Sequence[str]]
) -> list[str]:
    seen = len(keys())
    for attempt in (1, 2):
        await _sent(channel, [a_message("same-id", to=subject.address, attempt=attempt)])
    new = keys()[seen:]
    if len(set(new)) == 1:
        return []
    return [f"two attempts of one message carried {len(set(new))} different keys"]


async def _refuses_bad_addresses(channel: Channel, subject: Subject) -> list[str]:
    bad = ["", "nobody", "a b\r\nX-Injected: 1"]
    batch = [a_message(f"bad-{number}", to=address) for number, address in enumerate(bad)]
    pairs = await _sent(channel, batch)
    return [
        *_one_receipt_each(batch, pairs),
        *_quiet(subject, pairs),
        *(
            f"an impossible address got {receipt.outcome} {receipt.reason or ''}"
            for _, receipt in pairs
            if receipt.reason is not FailureReason.BAD_ADDRESS or receipt.retryable
        ),
    ]


def _one_receipt_each(batch: Sequence[Message], pairs: Pairs) -> list[str]:
    wanted = {message.id: 1 for message in batch}
    given = Counter(identity for identity, _ in pairs)
    return [
        f"message '{identity}' got {given[identity]} receipts"
        for identity in sorted({*wanted, *given})
        if given[identity] != wanted.get(identity, 0)
    ]


def _quiet(subject: Subject, pairs: Pairs) -> list[str]:
    return [
        leak
        for _, receipt in pairs
        for leak in _leaks(subject, "a receipt's detail", receipt.detail)
    ]


def _leaks(subject: Subject, where: str, text: str) -> list[str]:
    hidden = {"a secret": subject.secrets, "the address": [subject.address, "X-Injected"]}
    hidden["the customer"] = [_PERSON]
    return [
        f"{where} shows {what}"
        for what, words in hidden.items()
        if any(word in text for word in words)
    ]


def _complaints(subject: Subject, changes: Mapping[str, object]) -> list[str]:
    return complaints_about(subject.channel, {**subject.settings, **changes})
