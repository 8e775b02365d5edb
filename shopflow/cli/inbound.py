"""`shopflow inbound`: a mail that came back, from a mail server's pipe."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO

import click

from shopflow.cli.options import PROJECT
from shopflow.cli.reading import open_for_reading
from shopflow.domain.event import Event
from shopflow.lang.project import Project
from shopflow.runtime import inbound as runtime
from shopflow.runtime.addresses import who_has
from shopflow.runtime.ingest import as_sent
from shopflow.runtime.keys import KeysNow
from shopflow.runtime.queue.connecting import connect
from shopflow.runtime.queue.streams import Streams
from shopflow.runtime.sealing import links_of, project_hashes
from shopflow.store.protocol import Batch, Store


@click.command
@click.argument("file", type=click.File("rb"), default="-")
@PROJECT
def inbound(file: IO[bytes], project: Path) -> None:
    """Take a mail that came back: a bounce, a complaint, a way out by mail, or a reply.

    It becomes an event about whoever the message was for: message.bounced, message.complained,
    message.replied, or consent.withdrawn where somebody asks for no more. A mail that answers
    nothing of ours is left alone, and says so.
    """
    raw = file.read(runtime.MAX_BYTES + 1)
    with open_for_reading(project) as (settings, store):
        links = links_of(settings, os.environ, KeysNow(store.keys.all))
        hashes = project_hashes(settings)
        said, now = runtime.read(raw, links.verify), datetime.now(UTC)
        at_address = partial(who_has, store, hashes)
        events = (
            []
            if said.why_not
            else runtime.events_of(said, raw, store.people.messages, at_address, now)
        )
        if not events:
            click.echo(f"left alone: {said.why_not or 'it concerns nobody who is known here'}")
            return
        with store.transaction() as batch:
            if not batch.take_once(hashes.once(runtime.name_of(raw)), now):
                click.echo("left alone: it was taken before")
                return
            # In the transaction, so that what cannot be passed on is not taken.
            _pass_on(settings, store, batch, events)
    click.echo(f"taken: {events[0].type}")


def _pass_on(settings: Project, store: Store, batch: Batch, events: Sequence[Event]) -> None:
    if settings.redis:
        streams = Streams(connect(settings), settings.queue.namespace, store.partitions)
        streams.add([as_sent(event) for event in events])
        return
    for event in events:
        if event.customer_id is not None:
            batch.tell(event.customer_id, event)
