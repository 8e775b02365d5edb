"""Deploys without a command: the rules of a folder put to work, and events between deploys."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from support.running import FILES, write_events

from shopflow.gitops.bundle import Provenance
from shopflow.gitops.deploying import Leave, compiled_folder, deploy, proposed
from shopflow.runtime.app import open_app
from shopflow.runtime.embedded import Embedded
from shopflow.runtime.sources import open_sources

LATER = "rules/workflows/later.yaml"


def write_later(root, version, changes=()):
    """Another version of the workflow that waits before it asks; changes are pairs of texts."""
    text = FILES[LATER].replace("version: 1", f"version: {version}")
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    (root / LATER).write_text(text, encoding="utf-8")


def put_to_work(root, store, at=None, **leave):
    """The folder's rules are live from then on, or from now."""
    given = Leave(shrink=True, **leave)
    at = at or datetime.now(UTC)
    proposal = proposed(store, compiled_folder(root, Provenance()), given, at=at)
    return deploy(store, proposal, at=at, by="anna", leave=given)


def happen(root, *events):
    """What happens by the rules at work, on the clock of the events; nothing is delivered."""
    path = write_events(root / "events.jsonl", events)
    with open_app(root, event_clock=True) as app:
        asyncio.run(Embedded(app.parts(deliver=False), sources=open_sources([str(path)])).run())
