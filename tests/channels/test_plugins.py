"""Channels are found by entry point, and what is wrong with one names the package at fault."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from types import SimpleNamespace

import pytest

from shopflow.errors import PluginError, SettingsError
from shopflow.plugins import GROUP, build, find_channels, settings_schema
from shopflow.testing.recording import RecordingChannel

RECORDING = "shopflow.testing.recording:RecordingChannel"


def entry(name, value, package="some-package"):
    point = EntryPoint(name, value, GROUP)
    vars(point).update(dist=SimpleNamespace(name=package))
    return point


def test_the_shipped_channels_are_installed():
    assert {"email", "log", "webhook"} <= set(find_channels())


def test_two_packages_with_one_name_are_both_named():
    with pytest.raises(PluginError, match=r"'recording': acme-one and acme-two"):
        find_channels(
            [entry("recording", RECORDING, "acme-two"), entry("recording", RECORDING, "acme-one")]
        )


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("no_such_module_at_all:X", "cannot be loaded"),
        ("shopflow.channel:Nothing", "cannot be loaded"),
        ("shopflow.channel:OPT_OUT_CLASSES", "is not a class"),
        ("shopflow.channel:Message", "does not declare 'name'"),
        (RECORDING, "calls itself 'recording'"),
    ],
)
def test_a_broken_plugin_names_its_package(value, fault):
    with pytest.raises(PluginError, match=fault) as caught:
        find_channels([entry("broken", value, "acme-broken")])
    assert "acme-broken" in str(caught.value)


def test_a_schema_that_is_none_is_refused(monkeypatch):
    monkeypatch.setattr(RecordingChannel, "settings_schema", {"type": "nonsense"})
    with pytest.raises(PluginError, match="no JSON Schema"):
        find_channels([entry("recording", RECORDING)])


def test_unknown_channel_gets_the_nearest_name():
    with pytest.raises(SettingsError, match=r"channels\.emial: .*did you mean 'email'"):
        build("emial", {})


def test_all_wrong_settings_are_named_at_once_and_no_value_is_shown():
    settings = {
        "port": "s3cret",
        "tsl": "tls",
        "tls": "s3cret",
        "senders": {"marketing": {"rate": "s3cret"}},
    }
    with pytest.raises(SettingsError) as caught:
        build("email", settings)
    text = str(caught.value)
    assert "channels.email.host: is missing" in text
    assert "channels.email.port: must be integer" in text
    assert "channels.email.tls: must be one of none, starttls, tls" in text
    assert "channels.email.tsl: no setting named 'tsl'; did you mean 'tls'?" in text
    assert "channels.email.senders.marketing.rate: must satisfy pattern" in text
    assert "s3cret" not in text


def test_common_settings_are_allowed_and_not_handed_to_the_channel():
    channels = {"recording": RecordingChannel}
    channel = build("recording", {"cost": 0.01, "on_uncertain": "hold"}, channels)
    assert channel.settings == {}
    with pytest.raises(SettingsError, match=r"channels\.recording\.cost"):
        build("recording", {"cost": -1}, channels)


def test_schema_for_editors_holds_the_common_settings():
    properties = settings_schema(find_channels()["email"])["properties"]
    assert {"cost", "on_uncertain", "host"} <= set(properties)
