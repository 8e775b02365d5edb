"""The sound project of `tests/rules/project`, and where a file goes that is dropped into it."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

from shopflow.channel import ContentSpec, OnUncertain
from shopflow.rulebook import load_project

RULES = Path(__file__).parents[1] / "rules"
PLACES = {
    "Project": "shopflow.yaml",
    "Workflow": "rules/workflows/new/{name}.yaml",
    "WorkflowTest": "rules/tests/new/{name}.test.yaml",
    "Traits": "rules/traits.yaml",
    "Segments": "rules/segments.yaml",
    "ConsentPolicy": "rules/policies/consent.yaml",
    "FrequencyCaps": "rules/policies/caps.yaml",
    "QuietHours": "rules/policies/quiet-hours.yaml",
    "Retention": "rules/policies/retention.yaml",
    "Coupon": "rules/coupons/{name}.yaml",
    "Question": "rules/questions/{name}.yaml",
}
#: The day on which suppressions are looked at.
TODAY = date(2026, 11, 1)
SETTINGS = {
    "type": "object",
    "properties": {"host": {"type": "string"}},
    "additionalProperties": False,
}


def a_channel(
    name: str, *extensions: str, required: tuple[str, ...] = (), is_sms: bool = False
) -> type:
    class Installed:
        settings_schema = SETTINGS
        needs_address = True
        content = ContentSpec(extensions=extensions, required=required, is_sms=is_sms)
        on_uncertain = OnUncertain.RESEND

        def __init__(self, settings) -> None: ...

        async def send(self, messages) -> AsyncIterator:
            for message in messages:
                yield message.id, None

        async def aclose(self) -> None: ...

    Installed.name = name
    return Installed


CHANNELS = {
    channel.name: channel
    for channel in (
        a_channel("email", "mjml", "html", "txt", required=("subject", "html")),
        a_channel("sms", "txt", required=("text",), is_sms=True),
        a_channel("webpush", "yaml", required=("title", "body")),
        a_channel("fax", "txt"),
    )
}


def place_of(text: str, name: str) -> str:
    """Where a rule file of that text belongs, by its `kind`; a workflow where it names none."""
    kind = re.search(r"^kind: (\w+)", text, re.MULTILINE)
    return PLACES.get(kind[1] if kind else "", PLACES["Workflow"]).format(name=name)


class SoundProject:
    """A copy of the sound project, into which files are dropped for a moment."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(RULES / "project", root, dirs_exist_ok=True)

    def load(self, files=None, *, tested=True):
        """The project with those files, path -> text, in place of its own or beside them.

        Unless `tested` is false, each workflow among them that is live has a test.
        """
        files = {**(files or {}), **(_tests_of(files or {}) if tested else {})}
        before = {
            path: path.read_bytes() if path.exists() else None
            for path in (self.root / name for name in files)
        }
        for path, text in zip(before, files.values(), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        try:
            return load_project(self.root, env={}, channels=CHANNELS, today=TODAY)
        finally:
            for path, content in before.items():
                path.unlink() if content is None else path.write_bytes(content)


def _tests_of(files):
    """A test of each live workflow, that it may be live without one."""
    live = (
        re.search(r"^id: ([a-z0-9_-]+)$", text, re.MULTILINE)
        for text in files.values()
        if re.search(r"^kind: Workflow$", text, re.MULTILINE) and "\nstatus: live" in text
    )
    return {
        f"rules/tests/of/{found[1]}.test.yaml": f"""apiVersion: shopflow/v1
kind: WorkflowTest
workflow: {found[1]}
clock: {{start: "2026-03-03T10:00:00", timezone: Europe/Paris}}
tests: [{{name: nothing happens, events: [], expect: {{sends: []}}}}]
"""
        for found in live
        if found
    }
