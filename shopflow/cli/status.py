"""`shopflow status`: is it well?"""

from __future__ import annotations

import json
from pathlib import Path

import click

from shopflow.cli.options import FORMAT, PROJECT
from shopflow.cli.reading import open_for_reading
from shopflow.lang.project import Project
from shopflow.report import fleet
from shopflow.report import status as report
from shopflow.report.vitals import Vitals
from shopflow.runtime.meter import Meter
from shopflow.runtime.queue.connecting import redis_of
from shopflow.runtime.queue.streams import Streams
from shopflow.runtime.queue.vitals import FleetVitals
from shopflow.runtime.vitals import EmbeddedVitals, StoreLooks
from shopflow.store.protocol import Store

#: Seconds that Redis gets to answer; what it does not say is told as such.
PATIENCE = 5


@click.command
@FORMAT
@PROJECT
def status(style: str, project: Path) -> None:
    """Show what came in, what was decided, what was sent, and what is in doubt.

    Where the project names a Redis, also how the fleet is: the workers that live, how far each
    stream is behind, and when the clock last spoke.
    """
    with open_for_reading(project) as (settings, store):
        found, vitals = store.views.status(), _vitals(settings, store)
    if style == "json":
        click.echo(json.dumps({**report.as_json(found), **fleet.as_json(vitals)}, indent=2))
    else:
        click.echo(report.as_text(found, vitals))


def _vitals(settings: Project, store: Store) -> Vitals:
    if not settings.redis:
        return EmbeddedVitals(StoreLooks(store), Meter()).read()
    streams = Streams(
        redis_of(settings, socket_timeout=PATIENCE), settings.queue.namespace, settings.partitions
    )
    return FleetVitals(streams, lambda: store).read()
