"""`shopflow inbound`: a mail that came back, from a mail server's pipe."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import click

from shopflow.cli.options import PROJECT
from shopflow.cli.reading import open_for_reading
from shopflow.runtime import inbound as runtime
from shopflow.runtime.app import links_of
from shopflow.runtime.ingest import as_sent
from shopflow.runtime.keys import KeysNow
from shopflow.runtime.queue.fleet import connect
from shopflow.runtime.queue.streams import Streams


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
        said = runtime.read(raw, links.verify)
        event = None
        if not said.why_not:
            event = runtime.event_of(said, raw, store.people.messages, datetime.now(UTC))
        if event is None or event.customer_id is None:
            click.echo(f"left alone: {said.why_not or 'it answers no message that is known here'}")
            return
        if settings.redis:
            streams = Streams(connect(settings), settings.queue.namespace, store.partitions)
            streams.add([as_sent(event)])
        else:
            with store.transaction() as batch:
                batch.tell(event.customer_id, event)
    click.echo(f"taken: {event.type}")
