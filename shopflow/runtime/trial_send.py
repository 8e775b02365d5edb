"""One message to a test recipient, through the real channel.

No store is opened: no cap is filled, no code is drawn, and no report counts it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from uuid import uuid4

from shopflow import channel as outside
from shopflow import plugins
from shopflow.errors import SettingsError
from shopflow.lang.project import Project

#: What mails of this kind are told apart by, for whoever receives them.
HEADER = "X-Shopflow-Test"
#: The way out of a test leads nowhere: a real one would stop a real person's messages.
WAY_OUT = "https://example.com/unsubscribe"
_LINKS = {
    "confirm": "https://example.com/confirm",
    "preferences": "https://example.com/preferences",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialMessage:
    """What is sent, and as what."""

    to: str
    channel: str
    locale: str
    purpose: str
    message_class: str
    #: The values that it was rendered with, by name.
    fixture: str
    content: Mapping[str, str]


def check_recipient(project: Project, to: str) -> None:
    """Raises SettingsError unless the settings name the address as a test recipient."""
    patterns = project.delivery.test_recipients
    if any(fnmatchcase(to.lower(), pattern.lower()) for pattern in patterns):
        return
    if patterns:
        raise SettingsError(
            f"{to} is no test recipient; `delivery.test_recipients` in shopflow.yaml has "
            f"{', '.join(patterns)}"
        )
    raise SettingsError(
        "there are no test recipients; name them in shopflow.yaml, "
        f"such as delivery: {{mode: {project.delivery.mode}, test_recipients: [{to}]}}"
    )


def values_for(values: Mapping[str, object], project: Project) -> dict[str, object]:
    """The values of a fixture with what every message may read; its links lead nowhere."""
    return {
        **values,
        "shop": asdict(project.sender),
        "unsubscribe_url": WAY_OUT,
        "links": _LINKS,
    }


async def send_trial(project: Project, message: TrialMessage, now: datetime) -> outside.Receipt:
    """The channel's receipt.

    Raises:
        SettingsError: The address is no test recipient, or the channel is not set up.
        PluginError: The channel cannot be built.
    """
    check_recipient(project, message.to)
    settings = project.channels.get(message.channel)
    if settings is None:
        known: Sequence[str] = sorted(project.channels)
        raise SettingsError(
            f"the channel {message.channel} is not set up in shopflow.yaml; "
            f"there is {', '.join(known) or 'none'}"
        )
    channel = plugins.build(message.channel, settings, plugins.find_channels())
    leaves = message.message_class in outside.OPT_OUT_CLASSES
    ready = outside.Message(
        # Never twice the same, so that no provider takes it for one that it has already.
        id=f"test-{uuid4().hex}",
        to=message.to,
        message_class=message.message_class,
        purpose=message.purpose,
        locale=message.locale,
        content=message.content,
        unsubscribe_url=WAY_OUT if leaves else "",
        preferences_url=_LINKS["preferences"] if leaves else "",
        sender=outside.Sender(**asdict(project.sender)),
        created_at=now,
        headers={HEADER: " ".join(message.fixture.split())},
    )
    try:
        receipts = dict([each async for each in channel.send([ready])])
    finally:
        await channel.aclose()
    return receipts[ready.id]
