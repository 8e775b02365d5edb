"""Finding the installed channels and building one from its settings.

What a channel must be is said in `shopflow.channel`; reading shopflow.yaml is left to others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from shopflow.channel import Channel, ContentSpec, OnUncertain
from shopflow.errors import PluginError, SettingsError
from shopflow.lang.schemas import accepts, flaw_of, violations

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

#: The entry-point group in which a package announces its channels.
GROUP = "shopflow.channels"

#: What every channel may be given besides its own settings; the deliverer reads these.
COMMON_SETTINGS: Mapping[str, object] = {
    "cost": {
        "type": "number",
        "minimum": 0,
        "description": "What one message costs, in the project's currency; for reports",
    },
    "deliverers": {
        "type": "integer",
        "minimum": 1,
        "maximum": 64,
        "description": "How many workers may deliver on it at a time; 1 unless given",
    },
    "on_uncertain": {
        "enum": [str(choice) for choice in OnUncertain],
        "description": "What becomes of a message whose answer was lost",
    },
}

_DECLARED = {
    "name": str,
    "settings_schema": Mapping,
    "needs_address": bool,
    "content": ContentSpec,
    "on_uncertain": OnUncertain,
}


def find_channels(entries: Iterable[EntryPoint] | None = None) -> Mapping[str, type[Channel]]:
    """The installed channels by name.

    Raises:
        PluginError: A package's channel cannot be loaded, breaks the contract, or takes a name
            that another package took.
    """
    found: dict[str, type[Channel]] = {}
    owners: dict[str, str] = {}
    for entry in sorted(
        entry_points(group=GROUP) if entries is None else entries,
        key=lambda entry: (entry.name, _package(entry)),
    ):
        owner = _package(entry)
        if entry.name in owners:
            raise PluginError(
                f"two packages offer a channel named '{entry.name}': "
                f"{owners[entry.name]} and {owner}; uninstall one of them"
            )
        found[entry.name] = _load(entry, owner)
        owners[entry.name] = owner
    return found


def settings_schema(channel: type[Channel]) -> Mapping[str, object]:
    """The schema of all that shopflow.yaml may say under this channel's name."""
    properties = channel.settings_schema.get("properties", {})
    return {**channel.settings_schema, "properties": {**COMMON_SETTINGS, **_mapping(properties)}}


def build(
    name: str,
    settings: Mapping[str, object],
    channels: Mapping[str, type[Channel]] | None = None,
) -> Channel:
    """The channel of that name with these settings; the common ones are not handed to it.

    Raises:
        SettingsError: No such channel is installed, or a setting is wrong; names each.
        PluginError: As `find_channels`.
    """
    installed = find_channels() if channels is None else channels
    if name not in installed:
        raise SettingsError(f"channels.{name}: {_unknown('channel', name, installed)}")
    channel = installed[name]
    if complaints := complaints_about(channel, settings):
        raise SettingsError("\n".join(complaints))
    own = _mapping(channel.settings_schema.get("properties", {}))
    return channel(
        {key: value for key, value in settings.items() if key in own or key not in COMMON_SETTINGS}
    )


def complaints_about(channel: type[Channel], settings: Mapping[str, object]) -> list[str]:
    """What is wrong with these settings, one line each; shows no value, it may be secret."""
    schema = settings_schema(channel)
    if accepts(schema, settings):
        return []
    errors = sorted(violations(schema, settings), key=lambda error: list(map(str, error.path)))
    return [line for error in errors for line in _complaints(channel.name, error)]


def fault_of(channel: object, name: str) -> str:
    """How this breaks what a channel of that name must declare; empty when it does not."""
    if not isinstance(channel, type):
        return "is not a class"
    for attribute, kind in _DECLARED.items():
        if not isinstance(getattr(channel, attribute, None), kind):
            return f"does not declare '{attribute}' ({kind.__name__})"
    for method in ("send", "aclose"):
        if not callable(getattr(channel, method, None)):
            return f"has no method '{method}'"
    declared = {attribute: getattr(channel, attribute) for attribute in _DECLARED}
    if declared["name"] != name:
        return f"calls itself '{declared['name']}'; the entry point and the class must agree"
    if flaw := flaw_of(declared["settings_schema"]):
        return f"has a settings_schema that is no JSON Schema: {flaw}"
    return ""


def _load(entry: EntryPoint, owner: str) -> type[Channel]:
    try:
        channel: type[Channel] = entry.load()
    # A plugin's module may fail in any way at all while it is imported.
    except Exception as e:
        raise PluginError(
            f"{owner}: channel '{entry.name}' ({entry.value}) cannot be loaded: {e}"
        ) from e
    if fault := fault_of(channel, entry.name):
        raise PluginError(f"{owner}: channel '{entry.name}' ({entry.value}) {fault}")
    return channel


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else entry.module.partition(".")[0]


def _complaints(channel: str, error: ValidationError) -> list[str]:
    where = ".".join(["channels", channel, *(str(part) for part in error.absolute_path)])
    schema = _mapping(error.schema)
    # The stubs leave both open; what they hold is fixed by the keyword matched on.
    wanted: Any = error.validator_value
    given: Any = error.instance
    match error.validator:
        case "required":
            missing = [key for key in wanted if key not in given]
            return [f"{where}.{key}: is missing" for key in missing]
        case "additionalProperties":
            known = _mapping(schema.get("properties", {}))
            surplus = [key for key in given if key not in known]
            return [f"{where}.{key}: {_unknown('setting', key, known)}" for key in surplus]
        case "type":
            return [f"{where}: must be {_words(wanted)}"]
        case "enum":
            return [f"{where}: must be one of {', '.join(map(str, wanted))}"]
        case "minLength":
            return [f"{where}: is empty"]
        case _:
            note = schema.get("description")
            rule = f"{error.validator} {wanted}"
            return [f"{where}: must satisfy {rule}" + (f" ({note})" if note else "")]


def _unknown(kind: str, name: object, known: Iterable[str]) -> str:
    names = sorted(known)
    close = get_close_matches(str(name), names, n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    label = "known" if kind == "setting" else "installed"
    return f"no {kind} named '{name}'; {hint}{label}: {', '.join(names) or 'none'}"


def _words(value: object) -> str:
    return " or ".join(value) if isinstance(value, list) else str(value)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
